// The entry quern/tune: training of compressed models, and classes by them.
export type { CheckpointPlace } from "./tune/checkpoint.ts";
export { DivergedError } from "./tune/diverged.ts";
export type { TuneOptions, TuneProgress, TuneResult } from "./tune/options.ts";
export type { StepSizes } from "./tune/projection.ts";
export type { Score } from "./tune/score.ts";
export { tune } from "./tune/tune.ts";
