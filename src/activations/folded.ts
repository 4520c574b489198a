import type { Engine, Values } from "../engine/engine.ts";
import type { Kernels } from "../kernels.ts";
import type { Model } from "../tensor.ts";
import { type Folded, foldModel } from "./fold.ts";
import { type ModelPlan, type PlanOptions, planModel } from "./model.ts";

export interface FoldedPlan {
  readonly plan: ModelPlan;
  /** What the plan is of: the model that was given, or one that computes the same with other weights. */
  readonly model: Model;
  /** None if the model's outputs are no better for factors. */
  readonly folds: readonly Folded[];
}

/**
 * As planModel, with factors folded into weights where that is exact, and divisions only where it is not. Losses compare with the original without
 * factors. Sums of what units lose are looked at where several take a value, so single units may gain less than with factors of their own.
 * @throws as planModel
 */
export async function planFolded(
  kernels: Kernels,
  engine: Engine,
  model: Model,
  batches: () => AsyncIterable<Values>,
  options: PlanOptions,
): Promise<FoldedPlan> {
  const { onProgress } = options;
  const bare = await planModel(kernels, engine, model, batches, { ...options, rules: [], onProgress: undefined });
  const folded = await foldModel(kernels, engine, model, batches, options);
  try {
    const plain = folded.folds.flatMap(({ users }) => users);
    const found = await planModel(kernels, folded.engine, folded.model, batches, { ...options, plain, onProgress });
    const [none, factors] = [bare.losses.none, found.losses.taken];
    const losses = { none, factors, taken: Math.min(none, factors) };
    if (!(factors < none)) return { plan: { ...bare, losses }, model, folds: [] };
    return { plan: { ...found, losses }, model: folded.model, folds: folded.folds };
  } finally {
    await folded.engine.close();
  }
}
