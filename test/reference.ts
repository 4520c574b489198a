// The kernels once more, as plain as the specification (docs/FORMAT.md): written from it alone, never for speed.
// Decoders refuse by throwing an Error whose message names the status.

export { activationCodes, activationError, type Coding } from "./reference/activations.ts";
export { pack4, unpack4 } from "./reference/bits.ts";
export {
  type Blocks,
  blockScales,
  dequantizeBlocks,
  dequantizeMinimum,
  fromHalf,
  type GgufFormat,
  joinBlocks,
  quantizeAway,
  quantizeBlocks,
  roundAway,
  toHalf,
} from "./reference/blocks.ts";
export { xxh64 } from "./reference/checksum.ts";
export {
  classCounts,
  classesDecode,
  classesEncode,
  classGather,
  classScatter,
  entriesOf,
  type Parted,
} from "./reference/classes.ts";
export { type Cost, pivotCost } from "./reference/cost.ts";
export { fieldAt, packFields, unpack } from "./reference/fields.ts";
export { histogram } from "./reference/histogram.ts";
export {
  codeLengths,
  huffmanDecode,
  huffmanEncode,
  readLengths,
  readStreams,
  type Table,
  tableOf,
  writeLengths,
  writeStreams,
} from "./reference/huffman.ts";
export { binError, binLevels, binOf, countBins, dequantize16, fromWide, toWide } from "./reference/levels.ts";
export { type Masked, maskCount, maskJoin, maskSplit } from "./reference/mask.ts";
export { compareBits, merge, rangeBits, split } from "./reference/merge.ts";
export { dequantizeNormal, NF4_LEVELS, NF4_THRESHOLDS, quantizeNormal } from "./reference/normal.ts";
export {
  BLOCK,
  type Flat,
  flatsOf,
  PIVOT_LIMIT,
  pivotDecode,
  pivotEncode,
  readBlock,
  readNodes,
  treeOf,
  writeNodes,
} from "./reference/pivot.ts";
export { mergePlanes, splitPlanes } from "./reference/planes.ts";
export { leastChannels, magnitudeBits, magnitudes, prune, prunePattern, squares } from "./reference/prune.ts";
export {
  dequantize,
  quantize,
  range,
  roundEven,
  type ScaleOptions,
  type Scales,
  scales,
} from "./reference/quantize.ts";
export { columnMax, type Grid, smooth, smoothFactor, unsmooth } from "./reference/smooth.ts";
export { CODE, cutStream, innerPayload, innerStream, streamOf } from "./reference/stream.ts";
export {
  categoryOf,
  largestCategory,
  runsOf,
  type Tokens,
  zrlDecode,
  zrlEncode,
  zrlTokens,
  zrlValues,
} from "./reference/tokens.ts";
export { zeroCodes, zeroElements } from "./reference/zeros.ts";
