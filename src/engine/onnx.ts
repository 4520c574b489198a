export { type OnnxEngineOptions, onnxEngine } from "./onnx/engine.ts";
export { type QdqOptions, writeQdq } from "./onnx/qdq.ts";
export type { OnnxRuntime } from "./onnx/runtime.ts";
