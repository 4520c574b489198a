// What a page loads for files that are not common, or not right, and for calls that most pages never make: one module, so that bundlers
// cut what it shares with the rest into few pieces.
export { expand, removedChannels } from "../codec/removed.ts";
export { loadKernels } from "../kernels.ts";
export { checkChunk } from "./check.ts";
export { explainAt } from "./explain.ts";
export { parsePrelude } from "./format.ts";
export { lazyTensors } from "./lazy.ts";
export { anyDecoder, anyHeader, demandPinned } from "./rare.ts";
export { namesIn } from "./stages.ts";
export { streamStored } from "./stored.ts";
