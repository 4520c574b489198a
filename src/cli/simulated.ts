import type { QuernFile } from "../container/reader.ts";
import type { ActivationCodes, Description, InputEdit } from "../engine/engine.ts";
import { DataError } from "../errors.ts";
import { parseSteps, type SmoothStep } from "../plan.ts";
import { elementCount } from "../tensor.ts";

// What a file says of the inputs of units, and the weights that go with it: as they are stored, times their factors.

export interface StoredFactors {
  readonly factors: Float32Array;
  /** The dimension of the tensor that they belong to. */
  readonly axis: number;
}

/** The factors that the file's activations name, by tensor. @throws DataError for tensors that have none */
export async function factorsIn(file: QuernFile): Promise<ReadonlyMap<string, StoredFactors>> {
  const names = new Set((file.activations ?? []).flatMap(({ factors }) => factors ?? []));
  const found = new Map<string, StoredFactors>();
  for (const name of names) {
    const entry = file.index.find((tensor) => tensor.name === name);
    const step = entry && parseSteps(entry.plan).find((each): each is SmoothStep => each.op === "smooth");
    if (!step) throw new DataError(`activations are to be divided by the factors of tensor "${name}", which has none`);
    const { smooth, shape } = await file.tensor(name, { as: "stored" });
    const { axis = 1 } = step;
    found.set(name, { factors: smooth ?? new Float32Array(), axis: axis < 0 ? axis + shape.length : axis });
  }
  return found;
}

/** The edits of units, by name. @param codesOf - how codes are written. Default: as they are */
export function inputsOf(
  { activations }: QuernFile,
  factors: ReadonlyMap<string, StoredFactors>,
  codesOf: (codes: ActivationCodes) => ActivationCodes = (codes) => codes,
): Map<string, InputEdit> {
  return new Map(
    (activations ?? []).map(({ unit, factors: tensor, scale, zeroPoint, least, most }) => {
      const own = tensor === null ? undefined : factors.get(tensor)?.factors;
      return [unit, { ...(own && { factors: own }), codes: codesOf({ scale, zeroPoint, least, most }) }];
    }),
  );
}

/** Elements from `start` on of a tensor, each times the factor of its channel. */
export function multiplied(
  data: Float32Array,
  shape: readonly number[],
  { factors, axis }: StoredFactors,
  start = 0,
): Float32Array {
  const inner = elementCount(shape.slice(axis + 1));
  return data.map((x, i) => x * (factors[Math.floor((start + i) / inner) % factors.length] as number));
}

/**
 * What is simulated, such as "W8A8".
 * @throws DataError where a weight that has factors is used by a unit whose input is not divided by them
 */
export function simulationLabel({ index, activations }: QuernFile, { units }: Description): string {
  const records = new Map((activations ?? []).map((each) => [each.unit, each]));
  for (const { name, factors } of [...records.values()].map(({ unit, factors }) => ({ name: unit, factors }))) {
    if (factors === null) continue;
    const others = units.filter((unit) => unit.parameters.includes(factors));
    const wrong = others.find((unit) => records.get(unit.name)?.factors !== factors || unit.weight?.name !== factors);
    if (wrong)
      throw new DataError(`tensor "${factors}" has factors for unit "${name}", and unit "${wrong.name}" takes it too`);
  }
  const plans = new Map(index.map(({ name, plan }) => [name, plan]));
  const labels = units.flatMap(({ name, weight }) => {
    const codes = records.get(name);
    if (!codes || !weight) return [];
    return [`W${weightBits(plans.get(weight.name))}A${Math.ceil(Math.log2(codes.most - codes.least + 1))}`];
  });
  return [...new Set(labels)].join(", ");
}

function weightBits(plan: string | undefined): number | string {
  const step = plan === undefined ? undefined : parseSteps(plan).find(({ op }) => op === "quantize" || op === "format");
  if (step?.op === "quantize") return step.bits;
  return step?.op === "format" ? (step.format === "q8_0" ? 8 : 4) : "float";
}
