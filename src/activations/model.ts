import type { Edits, Engine, InputEdit, Unit, UnitWeight, Values } from "../engine/engine.ts";
import { DataError } from "../errors.ts";
import type { Kernels } from "../kernels.ts";
import { squares } from "../loss/squares.ts";
import { elementCount, type Model, readElements, widen } from "../tensor.ts";
import { sampleUnits, type UnitSamples } from "./samples.ts";
import { planUnit, type UnitOptions, type UnitPlan } from "./unit.ts";

// A model in integers: every unit that multiplies its input with weights, with its own factors and codes.

export interface PlanOptions extends UnitOptions {
  /** Names of units to plan. Default: all that have a weight */
  readonly units?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { done: number; total: number; unit: string }) => void) | undefined;
}

/** What the outputs of a model lose: squared error by the square of the original's. */
export interface ModelLosses {
  /** All units in integers, without factors. */
  readonly none: number;
  /** With the factors that were found for each unit. */
  readonly factors: number;
  /** As it is taken. */
  readonly taken: number;
}

export interface ModelPlan {
  readonly units: readonly UnitPlan[];
  readonly losses: ModelLosses;
}

type Weighted = Unit & { readonly weight: UnitWeight };

/**
 * Looks for factors and codes of all units of a model, one unit after the other, each given what it is given in the original. If the outputs of the
 * whole model are no better for them, none are taken.
 * @param model - the tensors that the engine runs with
 * @param batches - gives the same samples whenever it is called
 */
export async function planModel(
  kernels: Kernels,
  engine: Engine,
  model: Model,
  batches: () => AsyncIterable<Values>,
  options: PlanOptions,
): Promise<ModelPlan> {
  const { units: wanted, signal, onProgress } = options;
  const tensors = new Map(model.tensors.map((tensor) => [tensor.name, tensor]));
  const described = (await engine.describe()).units;
  const units = described.filter(
    (unit): unit is Weighted => unit.weight !== null && (wanted?.includes(unit.name) ?? tensors.has(unit.weight.name)),
  );
  if (units.length === 0) throw new DataError("no unit of the model has a weight that can be quantized");
  const samples = await sampleUnits(engine, units, batches(), signal);
  const plans: { found: UnitPlan; bare: UnitPlan }[] = [];
  for (const unit of units) {
    signal?.throwIfAborted();
    const tensor = tensors.get(unit.weight.name);
    if (!tensor) throw new DataError(`unit "${unit.name}": the model has no tensor "${unit.weight.name}"`);
    const weights = widen(tensor.dtype, await readElements(tensor, 0, elementCount(tensor.shape)));
    const own = samples.get(unit.name) as UnitSamples;
    // Factors of a weight that others use as well would be in their way.
    const shared = described.filter(({ parameters }) => parameters.includes(unit.weight.name)).length > 1;
    const rules = shared ? [] : options.rules;
    const found = await planUnit(kernels, engine, unit, own, weights, { ...options, rules });
    const bare = found.factors ? await planUnit(kernels, engine, unit, own, weights, { ...options, rules: [] }) : found;
    plans.push({ found, bare });
    onProgress?.({ done: plans.length, total: units.length, unit: unit.name });
  }
  const all = withinBytes(plans, options.factorBytes);
  const none = await outputLoss(
    engine,
    batches,
    plans.map(({ bare }) => bare),
  );
  const factors = await outputLoss(engine, batches, all);
  const better = factors < none;
  return {
    units: better ? all : plans.map(({ bare }) => bare),
    losses: { none, factors, taken: Math.min(none, factors) },
  };
}

// Where factors may take only so many bytes, those go first that bring the most for a byte.
function withinBytes(
  plans: readonly { found: UnitPlan; bare: UnitPlan }[],
  most = Number.POSITIVE_INFINITY,
): UnitPlan[] {
  const gain = ({ found }: { found: UnitPlan }): number =>
    (found.search.none - found.search.loss) / (4 * (found.factors?.length ?? 1));
  let left = most;
  const taken = new Set<UnitPlan>();
  for (const { found } of [...plans].sort((a, b) => gain(b) - gain(a))) {
    const bytes = 4 * (found.factors?.length ?? 0);
    if (bytes > left) continue;
    left -= bytes;
    taken.add(found);
  }
  return plans.map(({ found, bare }) => (taken.has(found) ? found : bare));
}

/** The plans as edits of the model. */
export function editsOf(plans: readonly UnitPlan[]): Edits {
  const inputs = plans.map(({ unit, factors, codes }): [string, InputEdit] => [
    unit,
    { ...(factors && { factors }), codes },
  ]);
  return { weights: new Map(plans.map(({ weight, packed }) => [weight.name, packed])), inputs: new Map(inputs) };
}

async function outputLoss(
  engine: Engine,
  batches: () => AsyncIterable<Values>,
  plans: readonly UnitPlan[],
): Promise<number> {
  const edited = await engine.withWeights(editsOf(plans));
  let [error, signal] = [0, 0];
  try {
    for await (const batch of batches()) {
      const [original, given] = [await engine.run(batch), await edited.run(batch)];
      for (const [name, { data }] of original) {
        const sums = squares(data, given.get(name)?.data ?? []);
        error += sums.error;
        signal += sums.signal;
      }
    }
  } finally {
    await edited.close();
  }
  return error === 0 ? 0 : error / Math.max(signal, Number.MIN_VALUE);
}
