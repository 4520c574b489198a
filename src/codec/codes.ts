import { checked, type Kernels, PIECE } from "../kernels.ts";
import type { FormatStep, QuantizeStep } from "../plan.ts";
import { BLOCK_ELEMENTS, type BlockDType, widen } from "../tensor.ts";
import { type CodeParts, formatScales, quantizeGguf, splitBlocks } from "./blocks.ts";
import type { Coding } from "./coding.ts";
import { gridSegments } from "./grid.ts";
import type { ChunkShape, Layout } from "./layout.ts";
import { type Levels, tableOf } from "./levels.ts";
import {
  codeRange,
  dequantizeSegments,
  mergeRanges,
  quantizeSegments,
  type Scales,
  type Segment,
  scalesOf,
  toFloats,
} from "./quantize.ts";
import type { Place } from "./stream.ts";
import { countCodes, zeroCodes, zeroElements, zeroMinima } from "./zeros.ts";

// The numbers of a chunk as scales and codes in the arena, and back.

/** Where the parts of a chunk that is encoded lie: behind each other from arena.plain on. */
function partsOf(kernels: Kernels, shape: ChunkShape): CodeParts {
  const { plain } = kernels.arena(0, "encode");
  const offsets = plain + shape.scaleBytes;
  return { scales: plain, offsets, codes: offsets + shape.zeroBytes };
}

/**
 * Makes the scales and codes of a chunk, as they are streamed, at arena.plain; 4-bit codes also at arena.values, one to a byte.
 * Returns how many elements decode to zero.
 * @param ranges - of the chunk's rows, if its elements alone do not tell them
 * @throws DataError
 */
export function makeCodes(
  kernels: Kernels,
  layout: Layout,
  step: QuantizeStep | FormatStep,
  shape: ChunkShape,
  values: Float32Array,
  ranges: Float32Array | null,
): number {
  const arena = toFloats(kernels, values);
  const parts = partsOf(kernels, shape);
  const narrow = layout.coding?.bits === 4;
  const codes = narrow ? arena.values : parts.codes;
  let zeros: number;
  if (step.op === "format" && step.format.startsWith("q")) {
    quantizeGguf(kernels, step.format, shape.start, shape.count, { ...parts, codes });
    zeros = zerosOf(kernels, step.format === "q4_1", shape, { ...parts, codes });
  } else {
    const segments = [...gridSegments(layout.grid, shape.start, shape.count, shape.firstRow)];
    const scales = chunkScales(kernels, step, segments, shape, ranges);
    if (step.op === "quantize") quantizeSegments(kernels, segments, scales, codeRange(step), codes);
    else quantizeFormat(kernels, step, segments, scales, codes);
    const bytes = kernels.bytes();
    bytes.set(new Uint8Array(scales.scales.slice().buffer), parts.scales);
    if (scales.zeroPoints) bytes.set(new Uint8Array(scales.zeroPoints.slice().buffer), parts.offsets);
    const nf4 = step.op === "format" && step.format === "nf4";
    zeros = nf4
      ? countCodes(kernels, codes, shape.count, NF4_ZERO)
      : zeroCodes(kernels, segments, codes, scales.zeroPoints);
  }
  if (narrow) kernels.run.pack4(arena.values, shape.count, parts.codes);
  return zeros;
}

// The code of the level 0, less 8.
const NF4_ZERO = -1;

// Zeros of GGUF's formats. Groups whose scale is 0 are not counted if their codes are not 0.
function zerosOf(
  kernels: Kernels,
  minima: boolean,
  { count, rows }: ChunkShape,
  { scales, offsets, codes }: CodeParts,
): number {
  if (!minima) return countCodes(kernels, codes, count, 0);
  const halves = (at: number): Float32Array => widen("F16", kernels.bytes().slice(at, at + 2 * rows));
  return zeroMinima(kernels, codes, count, halves(scales), halves(offsets));
}

// Ranges of the rows that end in this chunk are found here; others need the pass before.
function chunkScales(
  kernels: Kernels,
  step: QuantizeStep | FormatStep,
  segments: readonly Segment[],
  shape: ChunkShape,
  ranges: Float32Array | null,
): Scales {
  const own = ranges ?? new Float32Array(2 * shape.rows);
  if (!ranges) mergeRanges(kernels, segments, shape.start, own, 0);
  return step.op === "quantize" ? scalesOf(own, step) : formatScales(own, step);
}

// As quantizeSegments, by the kernels of nf4 and nbits4.
function quantizeFormat(
  kernels: Kernels,
  { format }: FormatStep,
  segments: readonly Segment[],
  { scales, zeroPoints }: Scales,
  dst: number,
): void {
  const { planes, floats } = kernels.arena(0, "encode");
  const bytes = kernels.bytes();
  bytes.set(new Uint8Array(scales.buffer, scales.byteOffset, scales.byteLength), planes);
  const zeros = planes + 4 * scales.length;
  if (zeroPoints) bytes.set(new Uint8Array(zeroPoints.buffer, zeroPoints.byteOffset, zeroPoints.length), zeros);
  for (const { row, rows, cols, at } of segments) {
    const [src, scale] = [floats + 4 * at, planes + 4 * row];
    if (format === "nf4") kernels.run.quantizeNormal(src, rows, cols, scale, dst + at);
    else kernels.run.quantizeAway(src, rows, cols, scale, zeroPoints ? zeros + row : 0, dst + at);
  }
}

/** The same by a table of bins, under one scale. */
export function levelCodes(
  kernels: Kernels,
  { coding }: Layout,
  shape: ChunkShape,
  values: Float32Array,
  levels: Levels,
): number {
  const arena = toFloats(kernels, values);
  const { scales, codes } = partsOf(kernels, shape);
  kernels.bytes().set(tableOf(levels), arena.values);
  kernels.view().setFloat32(scales, levels.scale, true);
  const wide = coding?.bits === 16;
  kernels.run.binCodes(arena.floats, shape.count, levels.inverse, arena.values, wide ? 2 : 1, codes);
  return zeroElements(kernels, wide ? "I16" : "I8", codes, shape.codeBytes);
}

/** The same of a chunk of whole blocks, which lose nothing. */
export function splitChunk(kernels: Kernels, dtype: BlockDType, shape: ChunkShape, blocks: Uint8Array): number {
  const { floats, values } = kernels.arena(0, "encode");
  kernels.bytes().set(blocks, floats);
  const parts = partsOf(kernels, shape);
  splitBlocks(kernels, dtype, floats, shape.count / BLOCK_ELEMENTS, parts);
  const narrow = dtype !== "Q8_0";
  if (narrow) kernels.run.unpack4(parts.codes, shape.count, values);
  return zerosOf(kernels, dtype === "Q4_1", shape, { ...parts, codes: narrow ? values : parts.codes });
}

/** Scales and offsets of a decoded chunk as the row kernels take them: addresses of f32, and of zero points. */
export interface Steps {
  readonly scales: number;
  readonly offsets: number;
  /** Whether all are finite. */
  readonly finite: boolean;
}

/**
 * Widens the scales and minima of a chunk, and checks them: NaN times a code is a NaN whose bits WebAssembly leaves open. Where a format
 * allows it, what comes out is made one NaN; elsewhere it is refused.
 * @throws FormatError
 */
export function stepsOf(
  kernels: Kernels,
  coding: Coding,
  { rows }: ChunkShape,
  scales: number,
  offsets: number,
  { offset, field }: Place,
): Steps {
  const arena = kernels.arena(0, "decode");
  const { run } = kernels;
  const minima = coding.rule === "minimum";
  const wide = coding.scales.width === 4;
  // Planes are not used for codes.
  const at = wide ? scales : arena.planes;
  if (!wide) run.halves(scales, rows, at);
  if (minima) run.halves(offsets, rows, at + 4 * rows);
  const status = run.range(at, 1, minima ? 2 * rows : rows, arena.scratch);
  if (!coding.any) checked(status, offset, `${field}, scales`);
  return { scales: at, offsets: minima ? at + 4 * rows : offsets, finite: status >= 0 };
}

/** Dequantizes the codes in `count` bytes from byte `from` of those at `codes` on, to their places in `into`. */
export function codesToFloats(
  kernels: Kernels,
  { coding, grid }: Layout,
  shape: ChunkShape,
  steps: Steps,
  codes: number,
  from: number,
  count: number,
  into: Float32Array,
): void {
  if (!coding) return;
  if (coding.bits === 16) {
    widesToFloats(kernels, codes, steps.scales, from, count, into);
    return;
  }
  const perByte = 8 / coding.bits;
  const first = from * perByte;
  const elements = Math.min(count * perByte, shape.count - first);
  let source = codes + from;
  if (perByte === 2) {
    source = kernels.arena(shape.room, "decode").values;
    kernels.run.unpack4(codes + from, elements, source);
  }
  const segments = gridSegments(grid, shape.start + first, elements, shape.firstRow);
  const part = into.subarray(first, first + elements);
  dequantizeSegments(kernels, segments, source, steps.scales, steps.offsets, part, coding.rule);
  if (!steps.finite) makeNanOne(part);
}

// Dequantizes int16 codes, a piece at a time, so that its f32 stay in cache.
function widesToFloats(
  kernels: Kernels,
  codes: number,
  scales: number,
  from: number,
  count: number,
  into: Float32Array,
): void {
  const { floats } = kernels.arena(0, "decode");
  const piece = new Float32Array(kernels.bytes().buffer, floats, PIECE);
  const end = (from + count) / 2;
  for (let at = from / 2; at < end; at += PIECE) {
    const n = kernels.run.dequantize16(codes + 2 * at, Math.min(PIECE, end - at), scales, floats);
    into.set(piece.subarray(0, n), at);
  }
}

const NAN_BITS = 0x7fc00000;

function makeNanOne(values: Float32Array): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) if (((bits[i] as number) & 0x7fffffff) > 0x7f800000) bits[i] = NAN_BITS;
}
