// Entry `quern`: the public exports, enumerated.
export { type ByteSink, type Folder, memorySink } from "./bytes.ts";
export { decodeTensor } from "./codec/decode.ts";
export { encodeTensor } from "./codec/encode.ts";
export { type Smoothing, smoothFactors } from "./codec/factors.ts";
export { dequantize, type Quantized, type QuantizeOptions, quantize } from "./codec/quantize.ts";
export { resolveSteps } from "./codec/resolve.ts";
export type { EncodedChunk } from "./codec/tensor.ts";
export { type VerifyOptions, type VerifyReport, verify } from "./container/verify.ts";
export { type PackedTensor, type PackOptions, type PackReport, type Progress, pack } from "./container/writer.ts";
export { DataError, PlanError } from "./errors.ts";
export { diffModels, type ModelDiff, type TensorDiff } from "./model/diff.ts";
export { readGguf } from "./model/gguf/read.ts";
export { writeGguf } from "./model/gguf/write.ts";
export { modelGraph } from "./model/graph.ts";
export type { QuantizedParts, QuantizedTensor, Sharing } from "./model/onnx/dequantize.ts";
export { readOnnx } from "./model/onnx/read.ts";
export { type OnnxOptions, type OnnxReport, writeOnnx } from "./model/onnx/write.ts";
export type { WriteOptions } from "./model/pieces.ts";
export { type Format, formatOf, readModel } from "./model/recognise.ts";
export { readSafetensors, writeSafetensors } from "./model/safetensors.ts";
export { readTfjs } from "./model/tfjs/read.ts";
export { type TfjsOptions, writeTfjs } from "./model/tfjs/write.ts";
export {
  type Code,
  type CodeStep,
  type Grouping,
  type Plan,
  type PruneChannels,
  type PruneMagnitude,
  type PrunePattern,
  type PruneRemoved,
  type PruneStep,
  parsePlan,
  parseSteps,
  printPlan,
  printSteps,
  type QuantizeStep,
  type Ranges,
  type Rule,
  type SmoothStep,
  type Step,
  stepsFor,
} from "./plan.ts";
export * from "./read.ts";
export { type DType, type LazyTensor, lazyTensor, type Model, type Tensor, type TensorInfo } from "./tensor.ts";
