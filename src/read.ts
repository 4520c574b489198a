// Entry `quern/read`: everything a page needs to load weights, nothing else.
export { type ByteSource, blobSource, bytesSource } from "./bytes.ts";
export type { StreamReport } from "./codec/explain.ts";
export {
  type IndexEntry,
  type OpenInput,
  type OpenOptions,
  open,
  type QuernFile,
  type Totals,
} from "./container/reader.ts";
export type { FloatOptions, FloatTensor, StoredOptions, StoredTensor } from "./container/tensors.ts";
export type { Workers } from "./container/workers.ts";
export { FormatError, type FormatProblem } from "./errors.ts";
export { type KernelOptions, type Kernels, loadKernels, type Tier } from "./kernels.ts";
