import { editsOf, planModel } from "../activations/model.ts";
import { packingOf } from "../activations/pack.ts";
import type { UnitPlan } from "../activations/unit.ts";
import { bytesSource, memorySink } from "../bytes.ts";
import { type PackReport, pack } from "../container/writer.ts";
import type { Edits, UnitWeight } from "../engine/engine.ts";
import { open } from "../load/open.ts";
import type { Step } from "../plan.ts";
import { floatsOf, isBlocks, isFloat, type Model } from "../tensor.ts";
import type { Candidate } from "./candidate.ts";
import { isQuantized, planOf, stepsOfTensor } from "./how.ts";
import { batchesOf, type Job, weightsOf } from "./job.ts";

// A candidate as the file that it is, and as what the model is run with: what is judged is what is read back from the bytes that would be delivered.

export interface Assembled {
  readonly file: Uint8Array;
  readonly report: PackReport;
  readonly edits: Edits;
  /** Units whose inputs are coded; none where the model is run in floats. */
  readonly coded: readonly UnitPlan[];
}

/** Sets of factors that are looked at for a unit: candidates are compared with few, since each is. */
const EVALUATIONS = 12;

/** @param model - other weights than the job's: those that were trained */
export async function assemble(job: Job, candidate: Candidate, model: Model = job.model): Promise<Assembled> {
  const { kernels, signal, graph } = job;
  const coded = candidate.run === "int8" ? await codedUnits(job, candidate, model) : [];
  const steps = (weight: UnitWeight): readonly Step[] => stepsOfWeight(job, candidate, weight);
  const packing = packingOf(coded, steps, planOf(job, candidate), false);
  const sink = memorySink();
  const { smoothing } = packing;
  const activations = coded.length > 0 ? packing.activations : undefined;
  const report = await pack(model, packing.plan, sink, { kernels, smoothing, activations, graph, signal });
  const file = sink.bytes();
  const weights = await weightsIn(job, file);
  const own = editsOf(coded);
  for (const [name, data] of own.weights ?? []) weights.set(name, data);
  return { file, report, edits: { weights, inputs: own.inputs ?? new Map() }, coded };
}

/** Codes of the inputs of all units whose weights are quantized. */
async function codedUnits(job: Job, candidate: Candidate, model: Model): Promise<readonly UnitPlan[]> {
  const { kernels, engine, description, samples, signal } = job;
  const known = new Set(model.tensors.map(({ name }) => name));
  const units = description.units.flatMap(({ name, weight }) =>
    weight && known.has(weight.name) && isQuantized(stepsOfWeight(job, candidate, weight)) ? [{ name, weight }] : [],
  );
  if (units.length === 0) return [];
  const bits = units.flatMap(({ weight }) =>
    stepsOfWeight(job, candidate, weight).flatMap((step) =>
      step.op === "quantize" ? [Math.max(2, Math.min(step.bits, 8))] : [],
    ),
  );
  const found = await planModel(kernels, engine, model, () => batchesOf(job, samples.score), {
    steps: (weight) => stepsOfWeight(job, candidate, weight),
    units: units.map(({ name }) => name),
    rules: candidate.smooth ? undefined : [],
    evaluations: EVALUATIONS,
    ...(bits.length > 0 && { weightBits: Math.max(...bits) }),
    signal,
  });
  return found.units;
}

function stepsOfWeight(job: Job, candidate: Candidate, { name, shape }: UnitWeight): readonly Step[] {
  const { dtype = "F32" } = job.model.tensors.find((tensor) => tensor.name === name) ?? {};
  return stepsOfTensor(job, candidate, { name, dtype, shape });
}

async function weightsIn(job: Job, file: Uint8Array): Promise<Map<string, Float32Array>> {
  const names = new Set(weightsOf(job).map(({ tensor }) => tensor.name));
  const { tensors } = (await open(bytesSource(file), { kernels: job.kernels })).model("f32");
  const weights = new Map<string, Float32Array>();
  for (const tensor of tensors) {
    const { name, dtype } = tensor;
    if (!names.has(name) || !(isFloat(dtype) || isBlocks(dtype))) continue;
    weights.set(name, await floatsOf(tensor));
  }
  return weights;
}
