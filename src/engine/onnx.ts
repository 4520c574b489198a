export { type OnnxEngineOptions, onnxEngine } from "./onnx/engine.ts";
export type { OnnxRuntime } from "./onnx/runtime.ts";
