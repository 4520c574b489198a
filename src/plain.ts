import { checkEncodes, type Kernels, kernelsOver } from "./kernels.ts";
import { plainExports, plainMemory } from "./plain/index.ts";

// Entry `quern/plain`: decoding at once, for engines without WebAssembly, promises or modules. Give it to a bundler.
export { decodeTensor } from "./codec/decode.ts";
export { dequantize, type Quantized } from "./codec/quantize.ts";
export { FormatError, type FormatProblem } from "./errors.ts";
export { type CodeStep, type Grouping, type PruneStep, parseSteps, type QuantizeStep, type Step } from "./plan.ts";
export type { DType, TensorInfo } from "./tensor.ts";
export type { Kernels };

/** The kernels of the js tier, with a memory of their own. */
export function plainKernels(): Kernels {
  const memory = plainMemory();
  return kernelsOver("js", plainExports(memory), memory, checkEncodes);
}
