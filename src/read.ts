// Entry `quern/read`: everything a page needs to load weights, nothing else.
export { type ByteSource, blobSource, bytesSource } from "./bytes.ts";
export {
  type FloatOptions,
  type FloatTensor,
  type IndexEntry,
  type OpenInput,
  type OpenOptions,
  open,
  type QuernFile,
  type StoredOptions,
  type StoredTensor,
  type Totals,
} from "./container/reader.ts";
export { FormatError, type FormatProblem } from "./errors.ts";
export { type KernelOptions, type Kernels, loadKernels, type Tier } from "./kernels.ts";
