// Entry `quern/tfjs`: .quern files in TensorFlow.js.
export { type ProgressInfo, progressCallback } from "./fit/progress.ts";
export { type QuernArtifacts, type QuernIOOptions, quernIO, type WeightSpec } from "./fit/tfjs.ts";
