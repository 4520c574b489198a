// The ABI of a page that only reads: what decoding calls, nothing else. The kernels are those of index.ts.
export { xxh64, sha256 } from "./checksum";
export { pack4, unpack4 } from "./bits";
export { dequantizeMinimum, halves, joinBlocks } from "./blocks";
export { classCounts, classScatter } from "./classes";
export { huffmanDecode } from "./huffman";
export { heapBase } from "./heap";
export { readLengths } from "./lengths";
export { dequantizeNormal } from "./normal";
export { maskCount, maskExpand } from "./mask";
export { pivotBlock } from "./pivot";
export { mergePlanes } from "./planes";
export { dequantize, dequantize16, range } from "./quantize";
export { unsmooth } from "./smooth";
export { zrlValues } from "./tokens";
