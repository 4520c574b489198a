import { argument, DataError } from "../errors.ts";
import { CHUNK_BYTES, type Kernels, PIECE } from "../kernels.ts";
import type { QuantizeStep } from "../plan.ts";
import type { Coding } from "./coding.ts";

// f32 to codes with one scale per row, and back. Formulas: docs/FORMAT.md.

/** Smallest normal f32: a scale below it would lose bits, or be zero. */
const TINY = 2 ** -126;

/** A run of elements that the row kernels take in one call: `rows` rows of `cols`, or a part of one row. */
export interface Segment {
  /** Index of the first row, from the first row that the elements touch. */
  readonly row: number;
  readonly rows: number;
  readonly cols: number;
  /** First element, from the start of the elements. */
  readonly at: number;
}

/** Cuts elements [start, start + count) of rows of `cols` into at most: the rest of a row, whole rows, a part of a row. */
export function segmentsOf(start: number, count: number, cols: number): Segment[] {
  const segments: Segment[] = [];
  let at = 0;
  let row = 0;
  const push = (rows: number, width: number): void => {
    segments.push({ row, rows, cols: width, at });
    at += rows * width;
    row += rows;
  };
  const into = start % cols;
  if (into > 0) push(1, Math.min(cols - into, count));
  const whole = Math.floor((count - at) / cols);
  if (whole > 0) push(whole, cols);
  if (at < count) push(1, count - at);
  return segments;
}

/** Count of rows that elements [start, start + count) touch. */
export function rowCount(start: number, count: number, cols: number): number {
  return count === 0 ? 0 : Math.floor((start + count - 1) / cols) - Math.floor(start / cols) + 1;
}

/** Scales and zero points of rows. */
export interface Scales {
  readonly scales: Float32Array;
  /** null for symmetric quantization. */
  readonly zeroPoints: Int8Array | null;
}

/** Smallest and largest code. */
export function codeRange({ bits, asymmetric }: Pick<QuantizeStep, "bits" | "asymmetric">): [number, number] {
  const largest = bits === 8 ? 127 : 7;
  return [asymmetric ? -largest - 1 : -largest, largest];
}

/** Scales for rows whose least and greatest values (0 included) are pairs in `ranges`. */
export function scalesOf(ranges: Float32Array, step: Pick<QuantizeStep, "bits" | "asymmetric" | "unsigned">): Scales {
  const rows = ranges.length / 2;
  const [qmin, qmax] = codeRange(step);
  // Unsigned codes are kept as code - 128.
  const shift = step.unsigned ? -qmin : 0;
  const scales = new Float32Array(rows);
  const zeroPoints = step.asymmetric ? new Int8Array(rows) : null;
  for (let row = 0; row < rows; row++) {
    const low = ranges[2 * row] as number;
    const high = ranges[2 * row + 1] as number;
    const exact = zeroPoints ? (high - low) / (qmax - qmin) : Math.max(-low, high) / qmax;
    const scale = Math.fround(exact);
    scales[row] = scale < TINY ? 1 : scale;
    if (!zeroPoints) continue;
    const zero = scale < TINY ? 0 : roundHalfEven(qmin + shift - low / exact);
    zeroPoints[row] = clip(zero - shift, qmin, qmax);
  }
  return { scales, zeroPoints };
}

function clip(x: number, low: number, high: number): number {
  return Math.min(Math.max(x, low), high);
}

function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

/**
 * Widens ranges (a pair per row, from `firstRow` on) by the f32 elements at arena.floats, the first of which is element
 * `start` of the tensor.
 * @throws DataError on NaN or infinity, with its index in the tensor
 */
export function mergeRanges(
  kernels: Kernels,
  segments: Iterable<Segment>,
  start: number,
  ranges: Float32Array,
  firstRow: number,
): void {
  const arena = kernels.arena(0, "encode");
  for (const segment of segments) {
    // A pair takes 8 bytes, and the region that the pairs go to has a byte per decoded byte.
    for (const { row, rows, cols, at } of rowBlocks(segment, CHUNK_BYTES / 8)) {
      const src = arena.floats + 4 * at;
      if (kernels.run.range(src, rows, cols, arena.planes) < 0) throw notFinite(kernels, src, rows * cols, start + at);
      const found = new Float32Array(kernels.bytes().slice(arena.planes, arena.planes + 8 * rows).buffer);
      for (let i = 0; i < found.length; i += 2) {
        const pair = 2 * (firstRow + row) + i;
        ranges[pair] = Math.min(ranges[pair] as number, found[i] as number);
        ranges[pair + 1] = Math.max(ranges[pair + 1] as number, found[i + 1] as number);
      }
    }
  }
}

function* rowBlocks({ row, rows, cols, at }: Segment, most: number): Generator<Segment> {
  for (let r = 0; r < rows; r += most) {
    yield { row: row + r, rows: Math.min(most, rows - r), cols, at: at + r * cols };
  }
}

/** The error for a NaN or an infinity among `count` f32 at src, the first of which is element `start` of the tensor. */
export function notFinite(kernels: Kernels, src: number, count: number, start: number): DataError {
  const values = new Float32Array(kernels.bytes().slice(src, src + 4 * count).buffer);
  const index = values.findIndex((x) => !Number.isFinite(x));
  return new DataError(`element ${start + index} is ${values[index]}: only finite values can be quantized or pruned`);
}

/** Quantizes the f32 elements at arena.floats to codes, one to a byte, at dst. */
export function quantizeSegments(
  kernels: Kernels,
  segments: readonly Segment[],
  { scales, zeroPoints }: Scales,
  range: readonly [number, number],
  dst: number,
): void {
  const arena = kernels.arena(0, "encode");
  const bytes = kernels.bytes();
  bytes.set(new Uint8Array(scales.buffer, scales.byteOffset, scales.byteLength), arena.planes);
  const zeros = arena.planes + 4 * scales.length;
  if (zeroPoints) bytes.set(new Uint8Array(zeroPoints.buffer, zeroPoints.byteOffset, zeroPoints.length), zeros);
  for (const { row, rows, cols, at } of segments) {
    const scale = arena.planes + 4 * row;
    const zero = zeroPoints ? zeros + row : 0;
    kernels.run.quantize(arena.floats + 4 * at, rows, cols, scale, zero, range[0], range[1], dst + at);
  }
}

/**
 * Dequantizes codes (one to a byte, at `codes`) into `into`, which has exactly as many elements as the segments.
 * scales and offsets (zero points, or f32 minima) are addresses; offsets 0: none. Works a piece at a time, so that its f32 stay in cache.
 */
export function dequantizeSegments(
  kernels: Kernels,
  segments: Iterable<Segment>,
  codes: number,
  scales: number,
  offsets: number,
  into: Float32Array,
  rule: Coding["rule"] = "linear",
): void {
  const { run } = kernels;
  const arena = kernels.arena(0, "decode");
  const source = new Float32Array(kernels.bytes().buffer, arena.floats, PIECE);
  for (const segment of segments) {
    for (const { row, rows, cols, at } of piecesOf(segment)) {
      const [src, scale] = [codes + at, scales + 4 * row];
      if (rule === "normal") run.dequantizeNormal(src, rows, cols, scale, arena.floats);
      else if (rule === "minimum") run.dequantizeMinimum(src, rows, cols, scale, offsets + 4 * row, arena.floats);
      else run.dequantize(src, rows, cols, scale, offsets ? offsets + row : 0, arena.floats);
      into.set(source.subarray(0, rows * cols), at);
    }
  }
}

function* piecesOf(segment: Segment): Generator<Segment> {
  for (const { row, rows, cols, at } of rowBlocks(segment, Math.max(1, Math.floor(PIECE / segment.cols)))) {
    for (let c = 0; c < cols; c += PIECE) yield { row, rows, cols: Math.min(cols - c, PIECE), at: at + c };
  }
}

/** What `quantize` made: codes one to a byte, with what is needed to turn them back. */
export interface Quantized extends Scales {
  readonly codes: Int8Array;
  /** Elements per scale. */
  readonly cols: number;
}

/** Options of `quantize`: bits 8 or 4, elements per scale (default: all), symmetric or not. */
export interface QuantizeOptions {
  bits: 4 | 8;
  cols?: number;
  asymmetric?: boolean;
}

/**
 * Quantizes f32 values in rows of `cols` (the last may be shorter), one scale per row.
 * @throws DataError on NaN or infinity; RangeError on a bad option
 */
export function quantize(kernels: Kernels, values: Float32Array, options: QuantizeOptions): Quantized {
  const { bits, cols = Math.max(values.length, 1), asymmetric = false } = options;
  argument(bits === 8 || bits === 4, "bits", "8 or 4", bits);
  argument(Number.isSafeInteger(cols) && cols >= 1, "cols", "a whole number >= 1", cols);
  kernels.arena(0, "encode");
  const ranges = new Float32Array(2 * rowCount(0, values.length, cols));
  for (const { start, count, firstRow } of blocksOf(values.length, cols)) {
    toFloats(kernels, values.subarray(start, start + count));
    mergeRanges(kernels, segmentsOf(start, count, cols), start, ranges, firstRow);
  }
  const { scales, zeroPoints } = scalesOf(ranges, { bits, asymmetric });
  const codes = new Int8Array(values.length);
  for (const { start, count, firstRow } of blocksOf(values.length, cols)) {
    const rows = rowCount(start, count, cols);
    const part = rowsOf({ scales, zeroPoints }, firstRow, rows);
    const { plain } = toFloats(kernels, values.subarray(start, start + count));
    quantizeSegments(kernels, segmentsOf(start, count, cols), part, codeRange({ bits, asymmetric }), plain);
    codes.set(new Int8Array(kernels.bytes().buffer, plain, count), start);
  }
  return { codes, cols, scales, zeroPoints };
}

/** Turns `quantize`'s result back: x = f32(code - zero point) * scale. */
export function dequantize(kernels: Kernels, { codes, cols, scales, zeroPoints }: Quantized): Float32Array {
  const out = new Float32Array(codes.length);
  for (const { start, count, firstRow } of blocksOf(codes.length, cols)) {
    const part = rowsOf({ scales, zeroPoints }, firstRow, rowCount(start, count, cols));
    const arena = kernels.arena(CHUNK_BYTES, "decode");
    const bytes = kernels.bytes();
    bytes.set(new Uint8Array(codes.buffer, codes.byteOffset + start, count), arena.values);
    bytes.set(new Uint8Array(part.scales.buffer, part.scales.byteOffset, part.scales.byteLength), arena.plain);
    const zeros = part.zeroPoints ? arena.symbols : 0;
    if (part.zeroPoints)
      bytes.set(new Uint8Array(part.zeroPoints.buffer, part.zeroPoints.byteOffset, part.zeroPoints.length), zeros);
    const segments = segmentsOf(start, count, cols);
    dequantizeSegments(kernels, segments, arena.values, arena.plain, zeros, out.subarray(start, start + count));
  }
  return out;
}

/** The scales of `count` rows from `first` on. */
export function rowsOf({ scales, zeroPoints }: Scales, first: number, count: number): Scales {
  return {
    scales: scales.subarray(first, first + count),
    zeroPoints: zeroPoints ? zeroPoints.subarray(first, first + count) : null,
  };
}

// Blocks small enough that even one scale per element fits a region of the arena.
function* blocksOf(length: number, cols: number): Generator<{ start: number; count: number; firstRow: number }> {
  const size = CHUNK_BYTES / 8;
  for (let start = 0; start < length; start += size) {
    yield { start, count: Math.min(size, length - start), firstRow: Math.floor(start / cols) };
  }
}

/** Copies f32 values, at most CHUNK_BYTES of them, to arena.floats and returns the arena. */
export function toFloats(kernels: Kernels, values: Float32Array): ReturnType<Kernels["arena"]> {
  argument(values.length <= CHUNK_BYTES, "values", `at most ${CHUNK_BYTES}`, values.length);
  const arena = kernels.arena(CHUNK_BYTES, "encode");
  kernels.bytes().set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), arena.floats);
  return arena;
}
