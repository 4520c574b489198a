import type { KernelOptions, Kernels } from "./kernels.ts";

// Entry `quern/read`: what a page needs to load weights. What few files need comes on demand.
export { type ByteSource, blobSource, bytesSource, type SliceOptions } from "./bytes.ts";
export type { StreamReport } from "./codec/explain.ts";
export type { LoadOptions } from "./container/assemble.ts";
export type { IndexEntry } from "./container/entries.ts";
export type { UnitActivations } from "./container/prelude.ts";
export type { LoadProgress, ProgressListener, Share } from "./container/progress.ts";
export type { QuernFile, Totals } from "./container/reader.ts";
export type { ChunkStore, StoredFile } from "./container/store.ts";
export type { StoredOptions, StoredTensor } from "./container/stored.ts";
export type { FloatOptions, FloatTensor, Into } from "./container/tensors.ts";
export type { Workers } from "./container/workers.ts";
export { FormatError, type FormatProblem, LoadError } from "./errors/base.ts";
export type { KernelOptions, Kernels, Tier } from "./kernels.ts";
export { responseSource, streamSource } from "./load/forward.ts";
export { type LoadAllOptions, load } from "./load/load.ts";
export { type OpenInput, type OpenOptions, open } from "./load/open.ts";
export { type UrlOptions, urlSource } from "./load/url.ts";
export { loadKernels };

/**
 * Instantiates the kernels with a memory of their own. Without kernels, `open` loads those that most files need, and others with the first
 * file that is not such.
 * @throws RangeError if there is no such tier; an Error that names the tier if it was insisted on and cannot run here
 */
async function loadKernels(options?: KernelOptions): Promise<Kernels> {
  return (await import("./container/whole.ts")).loadKernels(options);
}
