// Entry `quern/onnx`: .quern files in ONNX Runtime.
export { createSession, type OnnxRuntime, type SessionOptions } from "./fit/onnx.ts";
export { type ProgressInfo, progressCallback } from "./fit/progress.ts";
