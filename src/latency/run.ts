/**
 * How units with weights are run. "f32": weights are decoded when the model is loaded. "int8": weights and activations are integers that are multiplied.
 * "w8" and "w4": weights stay integers in memory, and become floats whenever they are multiplied.
 */
export const RUNS = ["f32", "int8", "w8", "w4"] as const;
export type Run = (typeof RUNS)[number];
/** What else a unit may do: "int8 smooth" divides what it takes by factors first, a number for each channel. */
export type UnitRun = Run | "int8 smooth";
