// Entry `quern/read`: everything a page needs to load weights, nothing else.
export { type ByteSource, blobSource, bytesSource, type SliceOptions } from "./bytes.ts";
export type { StreamReport } from "./codec/explain.ts";
export type { LoadOptions } from "./container/assemble.ts";
export type { IndexEntry } from "./container/entries.ts";
export type { LoadProgress, ProgressListener, Share } from "./container/progress.ts";
export type { QuernFile, Totals } from "./container/reader.ts";
export type { ChunkStore, StoredFile } from "./container/store.ts";
export type { StoredOptions, StoredTensor } from "./container/stored.ts";
export type { FloatOptions, FloatTensor, Into } from "./container/tensors.ts";
export type { Workers } from "./container/workers.ts";
export { FormatError, type FormatProblem, LoadError } from "./errors.ts";
export { type KernelOptions, type Kernels, loadKernels, type Tier } from "./kernels.ts";
export { responseSource, streamSource } from "./load/forward.ts";
export { type LoadAllOptions, load } from "./load/load.ts";
export { type OpenInput, type OpenOptions, open } from "./load/open.ts";
export { type UrlOptions, urlSource } from "./load/url.ts";
