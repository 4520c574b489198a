// The kernels as TypeScript sees them.

type OnActivations = (
  src: number,
  outer: number,
  channels: number,
  inner: number,
  factors: number,
  scale: number,
  zero: number,
  qmin: number,
  qmax: number,
  dst: number,
) => number;

type MoveByClass = (
  src: number,
  n: number,
  width: number,
  columns: number,
  map: number,
  starts: number,
  dst: number,
  work: number,
) => number;

/** Exports of assembly/index.ts. Byte offsets and counts in, a count or a negative status out. */
export interface KernelExports {
  heapBase(): number;
  histogram(src: number, n: number, dst: number): number;
  magnitudes(src: number, n: number, prefix: number, dst: number): number;
  prune(src: number, n: number, threshold: number, ties: number, dst: number): number;
  prunePattern(
    src: number,
    outer: number,
    axis: number,
    inner: number,
    keep: number,
    group: number,
    dst: number,
  ): number;
  squares(src: number, rows: number, cols: number, dst: number): number;
  columnMax(src: number, outer: number, channels: number, inner: number, dst: number): number;
  smoothFactors(a: number, w: number, groups: number, alphas: number, n: number, powers: number, dst: number): number;
  activationCodes: OnActivations;
  activationError: OnActivations;
  smooth(values: number, n: number, start: number, channels: number, inner: number, factors: number): number;
  unsmooth(values: number, n: number, start: number, channels: number, inner: number, factors: number): number;
  range(src: number, rows: number, cols: number, dst: number): number;
  quantize(
    src: number,
    rows: number,
    cols: number,
    scales: number,
    zeros: number,
    qmin: number,
    qmax: number,
    dst: number,
  ): number;
  dequantize(src: number, rows: number, cols: number, scales: number, zeros: number, dst: number): number;
  dequantize16(src: number, n: number, scales: number, dst: number): number;
  countBins(src: number, n: number, inverse: number, dst: number): number;
  binCodes(src: number, n: number, inverse: number, table: number, width: number, dst: number): number;
  binError(src: number, n: number, inverse: number, table: number, scale: number, dst: number): number;
  quantizeQ80(src: number, n: number, scales: number, codes: number): number;
  quantizeQ40(src: number, n: number, scales: number, codes: number): number;
  quantizeQ41(src: number, n: number, scales: number, minima: number, codes: number): number;
  quantizeAway(src: number, rows: number, cols: number, scales: number, zeros: number, dst: number): number;
  halves(src: number, n: number, dst: number): number;
  dequantizeMinimum(src: number, rows: number, cols: number, scales: number, minima: number, dst: number): number;
  splitBlocks(src: number, blocks: number, kind: number, scales: number, minima: number, codes: number): number;
  joinBlocks(scales: number, minima: number, codes: number, blocks: number, kind: number, dst: number): number;
  quantizeNormal(src: number, rows: number, cols: number, scales: number, dst: number): number;
  dequantizeNormal(src: number, rows: number, cols: number, scales: number, dst: number): number;
  pack4(src: number, n: number, dst: number): number;
  unpack4(src: number, n: number, dst: number): number;
  splitPlanes(src: number, n: number, width: number, rotate: number, dst: number): number;
  mergePlanes(src: number, n: number, width: number, rotate: number, dst: number): number;
  codeLengths(hist: number, limit: number, dst: number, scratch: number): number;
  writeLengths(lengths: number, only: number, limit: number, dst: number): number;
  readLengths(src: number, size: number, limit: number, dst: number): number;
  huffmanEncode(src: number, n: number, lengths: number, dst: number, scratch: number): number;
  huffmanDecode(src: number, size: number, n: number, lengths: number, dst: number): number;
  pivotBlock(src: number, size: number, n: number, first: number, dst: number, work: number): number;
  pivotLengths(hist: number, blocks: number, dst: number, scratch: number, work: number): number;
  pivotTree(lengths: number, work: number): number;
  pivotSize(hist: number, work: number): number;
  pivotSteps(hist: number, work: number): number;
  blockSteps(work: number): number;
  pivotNodes(src: number, n: number, dst: number, work: number): number;
  maskCount(mask: number, n: number): number;
  maskExpand(mask: number, n: number, values: number, dst: number): number;
  maskSplit(src: number, n: number, mask: number, values: number): number;
  classCounts(map: number, n: number, width: number, columns: number, classes: number, dst: number): number;
  classGather: MoveByClass;
  classScatter: MoveByClass;
  zrlTokens(src: number, n: number, group: number, categories: number, symbols: number, raw: number): number;
  zrlValues(
    symbols: number,
    m: number,
    raw: number,
    rawSize: number,
    group: number,
    categories: number,
    n: number,
    dst: number,
  ): number;
  zeroCodes(src: number, rows: number, cols: number, zeros: number): number;
  zeroElements(src: number, n: number, width: number, float: number): number;
  xxh64(src: number, n: number, dst: number): number;
  sha256(state: number, src: number, blocks: number): number;
}

/** What every tier has; the js tier has nothing else. */
export type DecodeExports = Pick<
  KernelExports,
  | "heapBase"
  | "range"
  | "dequantize"
  | "unsmooth"
  | "dequantize16"
  | "dequantizeMinimum"
  | "dequantizeNormal"
  | "halves"
  | "joinBlocks"
  | "pack4"
  | "unpack4"
  | "mergePlanes"
  | "readLengths"
  | "huffmanDecode"
  | "pivotBlock"
  | "maskCount"
  | "maskExpand"
  | "zrlValues"
  | "classCounts"
  | "classScatter"
  | "xxh64"
  | "sha256"
>;
