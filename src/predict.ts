// The entry quern/predict: times of models from those of their units, and of loading them.
export type { Interval, Prediction } from "./latency/interval.ts";
export { type LoadOutcome, type LoadPlan, type LoadPrediction, predictLoad } from "./latency/load.ts";
export type { RunOf } from "./latency/parts.ts";
export { type LatencyModel, latencyModel, predictRun, type UnitPrediction, type Whole } from "./latency/predict.ts";
export { RUNS, type Run } from "./latency/run.ts";
export { specOf, type UnitSpec } from "./latency/spec.ts";
