// The ABI of what most pages need: what the common streams take, nothing else. The kernels are those of index.ts.
export { unpack4 } from "./bits";
export { xxh64 } from "./checksum";
export { heapBase } from "./heap";
export { maskCount, maskExpand } from "./mask";
export { pivotBlock } from "./pivot";
export { mergePlanes } from "./planes";
export { dequantize } from "./quantize";
