import type { Edits, Engine, InputEdit, Values } from "../engine/engine.ts";
import type { Kernels } from "../kernels.ts";
import { relative, squares } from "../loss/squares.ts";
import { elementCount, type Model, readElements, widen } from "../tensor.ts";
import { jobsOf, type PlanOptions } from "./jobs.ts";
import { sampleUnits, type UnitSamples } from "./samples.ts";
import { planUnit, type UnitOptions, type UnitPlan } from "./unit.ts";

export type { PlanOptions };

// A model in integers: every unit that multiplies its input with weights, with its own factors and codes.

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

/**
 * Looks for factors and codes of all units of a model, one unit after the other, each given what it is given in the original. If the outputs of the
 * whole model are no better for them, none are taken.
 * @param model - the tensors that the engine runs with
 * @param batches - gives the same samples whenever it is called
 * @throws PlanError for steps that a weight cannot have; DataError where no unit has a weight, or values are not finite
 */
export async function planModel(
  kernels: Kernels,
  engine: Engine,
  model: Model,
  batches: () => AsyncIterable<Values>,
  options: PlanOptions,
): Promise<ModelPlan> {
  const { signal, onProgress } = options;
  const jobs = jobsOf(model, (await engine.describe()).units, options);
  const units = jobs.map(({ unit }) => unit);
  const samples = await sampleUnits(engine, units, batches(), signal);
  const plans: { found: UnitPlan; bare: UnitPlan }[] = [];
  for (const { unit, tensor, ...own } of jobs) {
    const weights = widen(tensor.dtype, await readElements(tensor, 0, elementCount(tensor.shape)));
    const plan = (rules: UnitOptions["rules"]): Promise<UnitPlan> =>
      planUnit(kernels, engine, unit, samples.get(unit.name) as UnitSamples, weights, { ...options, ...own, rules });
    const found = await plan(own.rules);
    plans.push({ found, bare: found.factors ? await plan([]) : found });
    onProgress?.({ done: plans.length, total: units.length, unit: unit.name });
  }
  const all = withinBytes(plans, options.factorBytes);
  const bare = plans.map(({ bare }) => bare);
  const none = await outputLoss(engine, batches, bare, signal);
  const same = all.every((plan, i) => plan === bare[i]);
  const factors = same ? none : await outputLoss(engine, batches, all, signal);
  const better = factors < none;
  return {
    units: better ? all : bare,
    losses: { none, factors, taken: Math.min(none, factors) },
  };
}

// Where factors may take only so many bytes, those go first that bring the most for a byte.
function withinBytes(
  plans: readonly { found: UnitPlan; bare: UnitPlan }[],
  most = Number.POSITIVE_INFINITY,
): UnitPlan[] {
  const gain = ({ found: { search, factors } }: { found: UnitPlan }): number =>
    Math.min(search.none - search.loss, Number.MAX_VALUE) / (4 * (factors?.length ?? 1));
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
  signal: AbortSignal | undefined,
): Promise<number> {
  const edited = await engine.withWeights(editsOf(plans));
  let [error, size] = [0, 0];
  try {
    for await (const batch of batches()) {
      signal?.throwIfAborted();
      const [original, given] = [await engine.run(batch), await edited.run(batch)];
      for (const [name, { data }] of original) {
        const sums = squares(data, given.get(name)?.data ?? []);
        error += sums.error;
        size += sums.signal;
      }
    }
  } finally {
    await edited.close();
  }
  return relative(error, size);
}
