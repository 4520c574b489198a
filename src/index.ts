// Entry `quern`: the public exports, enumerated.
export { type ByteSink, memorySink } from "./bytes.ts";
export { decodeTensor } from "./codec/decode.ts";
export { encodeTensor } from "./codec/encode.ts";
export { dequantize, type Quantized, type QuantizeOptions, quantize } from "./codec/quantize.ts";
export { resolveSteps } from "./codec/resolve.ts";
export type { EncodedChunk } from "./codec/tensor.ts";
export { type VerifyOptions, type VerifyReport, verify } from "./container/verify.ts";
export { type PackedTensor, type PackOptions, type PackReport, type Progress, pack } from "./container/writer.ts";
export { DataError, PlanError } from "./errors.ts";
export { diffModels, type ModelDiff, type TensorDiff } from "./model/diff.ts";
export { readSafetensors, writeSafetensors } from "./model/safetensors.ts";
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
  type Step,
  stepsFor,
} from "./plan.ts";
export * from "./read.ts";
export { type DType, type LazyTensor, lazyTensor, type Model, type Tensor, type TensorInfo } from "./tensor.ts";
