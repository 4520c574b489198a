// The entry quern/evaluate: what compression costs a model.
export { type EvaluateOptions, type Evaluation, evaluate } from "./evaluate/evaluate.ts";
export type { DetectionNames } from "./evaluate/outputs.ts";
export type { UnitLoss } from "./evaluate/units.ts";
export type { Detections, Figures, Loss, LossBatch, LossKind, LossOptions, LossReport } from "./loss/loss.ts";
export { newLoss } from "./loss/make.ts";
export type { Figure } from "./loss/sums.ts";
