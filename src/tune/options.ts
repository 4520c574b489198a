import type { FitOptions } from "../engine/engine.ts";
import type { Kernels } from "../kernels.ts";
import type { Plan } from "../plan.ts";
import type { Model } from "../tensor.ts";
import type { CheckpointPlace } from "./checkpoint.ts";
import type { StepSizes } from "./projection.ts";
import type { Score } from "./score.ts";

// What tuning takes, tells and gives.

export interface TuneOptions {
  /** As for pack. */
  readonly plan: Plan;
  /** Default: "adam" */
  readonly optimizer?: FitOptions["optimizer"] | undefined;
  /** The rate of the first steps; falls along half a cosine. Default: 0.001 for adam, 0.01 for sgd */
  readonly rate?: number | undefined;
  /** Turns through the samples. Default: 10 */
  readonly epochs?: number | undefined;
  /** Samples in a step. Default: 32, or what the model takes */
  readonly batch?: number | undefined;
  /** What the order of samples and the split depend on. Default: 1 */
  readonly seed?: number | undefined;
  /** Step sizes of plans with a target. Learned ones may make the file larger or smaller than the target says. Default: "fixed" */
  readonly sizes?: StepSizes | undefined;
  /** The share of samples that is kept for validation, between 0 and 1. Default: 0.2 */
  readonly validation?: number | undefined;
  /** Ends when so many epochs in a row are no better. Default: never */
  readonly patience?: number | undefined;
  /** Where to go on from, and what to keep after every epoch. */
  readonly checkpoint?: CheckpointPlace | undefined;
  readonly kernels?: Kernels | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: TuneProgress) => void) | undefined;
}

export interface TuneProgress {
  /** Steps. */
  readonly done: number;
  readonly total: number;
  /** Mean over the steps of this epoch so far, nats. */
  readonly loss: number;
  /** Of the last epoch that is done. */
  readonly score: Score;
}

export interface TuneResult {
  /** What to pack: with `plan` it gives exactly the weights of the best epoch's model. */
  readonly model: Model;
  readonly plan: Plan;
  /** Of the model that is not compressed, on the validation samples. */
  readonly original: Score;
  /** On the validation samples, before and after each epoch. */
  readonly scores: readonly Score[];
  /** Index of the score of these weights: the one with the least loss. */
  readonly best: number;
  /** Whether it ended before its time, because nothing got better. */
  readonly early: boolean;
  /** Samples. */
  readonly samples: { readonly train: number; readonly validation: number };
}
