// The entry quern/measure: how long units take where this runs.
export { type BuildOptions, type BuildProgress, type BuildReport, buildTable } from "./measure/build.ts";
export { onnxRunner } from "./measure/ort.ts";
export { quernRunner } from "./measure/quern.ts";
export type { OpenModel, Runner } from "./measure/runner.ts";
export { type TfjsModulesReady, tfjsRunner } from "./measure/tfjs.ts";
export type { OpenUnit } from "./measure/unit.ts";
export { wholeOf } from "./measure/whole.ts";
