// The ABI: every export, nothing else. All take byte offsets and counts, all return a count or a status (status.ts).
export { xxh64, sha256 } from "./checksum";
export { pack4, unpack4 } from "./bits";
export {
  dequantizeMinimum, halves, joinBlocks, quantizeAway, quantizeQ40, quantizeQ41, quantizeQ80, splitBlocks,
} from "./blocks";
export { histogram } from "./histogram";
export { huffmanDecode, huffmanEncode } from "./huffman";
export { codeLengths, readLengths, writeLengths } from "./lengths";
export { dequantizeNormal, quantizeNormal } from "./normal";
export { classCounts, classGather, classScatter } from "./classes";
export { binCodes, binError, countBins } from "./levels";
export { maskCount, maskExpand, maskSplit } from "./mask";
export { expand, merge } from "./merge";
export { pivotBlock, pivotNodes, pivotTree } from "./pivot";
export { compareBits, rangeBits, split } from "./split";
export { packFields, unpack } from "./unpack";
export { mergePlanes, splitPlanes } from "./planes";
export { magnitudes, prune, prunePattern, squares } from "./prune";
export { activationCodes, activationError } from "./activations";
export { smoothFactors } from "./factors";
export { columnMax, smooth, unsmooth } from "./smooth";
export { dequantize, dequantize16, quantize, range } from "./quantize";
export { zrlTokens, zrlValues } from "./tokens";
export { zeroCodes, zeroElements } from "./zeros";
export { heapBase } from "./heap";
export { blockSteps, pivotSize, pivotSteps } from "./cost";
export { pivotLengths } from "./shape";
