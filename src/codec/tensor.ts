import { demand } from "../errors.ts";
import { CHUNK_BYTES, checked, type Kernels, PIECE } from "../kernels.ts";
import { AUTO, type QuantizeStep } from "../plan.ts";
import { dtypeWidth, isFloat, narrow, toFloat32, widen } from "../tensor.ts";
import type { ChunkInput } from "./inputs.ts";
import { type ChunkShape, chunkShape, type Layout } from "./layout.ts";
import { type Levels, writeTable } from "./levels.ts";
import { BYTES, type Content, NO_GEOMETRY, readStream, SCALES, writeStream } from "./planes.ts";
import {
  codeRange,
  dequantizeSegments,
  mergeRanges,
  quantizeSegments,
  type Scales,
  scalesOf,
  segmentsOf,
  toFloats,
} from "./quantize.ts";
import { checkFactors, unsmooth } from "./smooth.ts";
import { type CodeName, type Place, within } from "./stream.ts";
import { named } from "./values.ts";
import { zeroCodes, zeroElements } from "./zeros.ts";

// One tensor: its steps in order for every chunk, and back. No content of the arena outlives an await.

/** A chunk as it goes into the file. */
export interface EncodedChunk {
  readonly bytes: Uint8Array;
  /** Code of the last stream. */
  readonly code: CodeName;
  readonly shape: ChunkShape;
  /** Elements that decode to zero. */
  readonly zeros: number;
}

/** What a stored chunk may have over its decoded bytes: headers of streams. */
export const STORED_EXTRA = 128;

/** Encodes one chunk. @throws DataError, with the tensor's name, for what a step or code cannot take */
export function encodeChunk(kernels: Kernels, layout: Layout, input: ChunkInput): EncodedChunk {
  const { tensor, quantize } = layout;
  const { index, elements, levels } = input;
  try {
    const pruned = elements instanceof Float32Array;
    if (!quantize) return encodeBytes(kernels, layout, index, pruned ? narrow(tensor.dtype, elements) : elements);
    const values = pruned ? elements : widen(tensor.dtype, elements);
    if (levels) return encodeLevels(kernels, layout, index, values, levels);
    return encodeValues(kernels, layout, quantize, input, values);
  } catch (error) {
    throw named(tensor, error);
  }
}

function encodeBytes(kernels: Kernels, layout: Layout, index: number, bytes: Uint8Array): EncodedChunk {
  const arena = kernels.arena(CHUNK_BYTES, "encode");
  kernels.bytes().set(bytes, arena.plain);
  const zeros = zeroElements(layout.tensor.dtype, bytes);
  return finishChunk(kernels, layout, chunkShape(layout, index), arena.stored, zeros);
}

function encodeValues(
  kernels: Kernels,
  layout: Layout,
  step: QuantizeStep,
  { index, factors, ranges }: ChunkInput,
  values: Float32Array,
): EncodedChunk {
  const shape = chunkShape(layout, index);
  const before = factors ? writeFactors(kernels, factors) : 0;
  const arena = toFloats(kernels, values);
  const segments = segmentsOf(shape.start, shape.count, layout.cols);
  const scales = chunkScales(kernels, layout, step, shape, ranges);
  const codes = arena.plain + shape.scaleBytes + shape.zeroBytes;
  const apart = step.bits === 4 ? arena.values : codes;
  quantizeSegments(kernels, segments, scales, codeRange(step), apart);
  if (step.bits === 4) kernels.run.pack4(arena.values, shape.count, codes);
  const bytes = kernels.bytes();
  const zeros = zeroCodes(new Int8Array(bytes.buffer, apart, shape.count), segments, scales.zeroPoints);
  bytes.set(new Uint8Array(scales.scales.slice().buffer), arena.plain);
  if (scales.zeroPoints) bytes.set(new Uint8Array(scales.zeroPoints.slice().buffer), arena.plain + shape.scaleBytes);
  const scalePart = { at: arena.plain, n: shape.scaleBytes, content: SCALES };
  const zeroPart = { at: arena.plain + shape.scaleBytes, n: shape.zeroBytes, content: BYTES };
  let end = arena.stored + before;
  end += writeStream(kernels, scalePart, AUTO, NO_GEOMETRY, end).bytes;
  if (step.asymmetric) end += writeStream(kernels, zeroPart, AUTO, NO_GEOMETRY, end).bytes;
  return finishChunk(kernels, layout, shape, end, zeros);
}

// Goes first, because writing a stream takes most regions.
function writeFactors(kernels: Kernels, factors: Float32Array): number {
  const { plain, stored } = kernels.arena(CHUNK_BYTES, "encode");
  kernels.bytes().set(new Uint8Array(factors.buffer, factors.byteOffset, factors.byteLength), plain);
  const part = { at: plain, n: factors.byteLength, content: SCALES };
  return writeStream(kernels, part, AUTO, NO_GEOMETRY, stored).bytes;
}

// Codes by a table of bins, under one scale.
function encodeLevels(
  kernels: Kernels,
  layout: Layout,
  index: number,
  values: Float32Array,
  levels: Levels,
): EncodedChunk {
  const shape = chunkShape(layout, index);
  const arena = toFloats(kernels, values);
  writeTable(kernels, levels, arena.values);
  kernels.view().setFloat32(arena.plain, levels.scale, true);
  const codes = arena.plain + shape.scaleBytes;
  const width = layout.quantize?.bits === 16 ? 2 : 1;
  kernels.run.binCodes(arena.floats, shape.count, levels.inverse, arena.values, width, codes);
  const zeros = zeroElements(width === 2 ? "I16" : "I8", kernels.bytes().subarray(codes, codes + shape.codeBytes));
  const scalePart = { at: arena.plain, n: shape.scaleBytes, content: SCALES };
  const end = arena.stored + writeStream(kernels, scalePart, AUTO, NO_GEOMETRY, arena.stored).bytes;
  return finishChunk(kernels, layout, shape, end, zeros);
}

// Ranges of the rows that end in this chunk are found here; longer rows need the pass before.
function chunkScales(
  kernels: Kernels,
  layout: Layout,
  step: QuantizeStep,
  shape: ChunkShape,
  ranges: Float32Array | null,
): Scales {
  if (ranges) return scalesOf(ranges, step);
  const own = new Float32Array(2 * shape.rows);
  mergeRanges(kernels, segmentsOf(shape.start, shape.count, layout.cols), shape.start, own, 0);
  return scalesOf(own, step);
}

// Codes the last stream (codes or elements) to `at` and takes the chunk out of the arena.
function finishChunk(kernels: Kernels, layout: Layout, shape: ChunkShape, at: number, zeros: number): EncodedChunk {
  const { stored, plain } = kernels.arena(CHUNK_BYTES, "encode");
  const codes = plain + shape.scaleBytes + shape.zeroBytes;
  const part = { at: codes, n: shape.codeBytes, content: contentOf(layout, shape) };
  const { code, bytes } = writeStream(kernels, part, layout.code, layout, at);
  return { bytes: kernels.bytes().slice(stored, at + bytes), code, shape, zeros };
}

export function contentOf({ tensor, quantize }: Layout, { count }: ChunkShape): Content {
  if (!quantize) return { width: dtypeWidth(tensor.dtype), float: isFloat(tensor.dtype), nibbles: 0 };
  if (quantize.bits === 16) return { width: 2, float: false, nibbles: 0 };
  return quantize.bits === 4 ? { width: 1, float: false, nibbles: count } : BYTES;
}

/** A decoded chunk, still in the arena: addresses of its parts, valid until the next kernel call. */
export interface DecodedChunk {
  readonly shape: ChunkShape;
  readonly factors: number;
  readonly scales: number;
  /** 0 if there are none. */
  readonly zeros: number;
  readonly codes: number;
  /** Code of the last stream. */
  readonly code: CodeName;
}

/** What of a chunk is known before its codes are decoded. */
type ChunkHead = Omit<DecodedChunk, "code">;

/**
 * Decodes the chunk whose bytes lie at arena.stored.
 * @param onPart - gets bytes of codes (or elements) as they are decoded, before a fault further on is found
 * @throws FormatError
 */
export function decodeChunk(
  kernels: Kernels,
  layout: Layout,
  index: number,
  size: number,
  place: Place,
  onPart: (head: ChunkHead, start: number, count: number) => void = () => {},
): DecodedChunk {
  const shape = chunkShape(layout, index);
  const arena = kernels.arena(shape.room, "decode");
  const end = arena.stored + size;
  // Codes lie where their region begins, which is a good place to copy from; the rest beyond what decoding them may spoil.
  const codes = arena.plain;
  const behind = codes + Math.ceil(shape.codeBytes / 64) * 64 + 64;
  const factors = layout.smooth ? behind : 0;
  const scales = layout.quantize ? behind + shape.factorBytes : 0;
  const zeros = layout.quantize?.asymmetric ? scales + shape.scaleBytes : 0;
  let at = arena.stored;
  if (factors) {
    const part = { at: factors, n: shape.factorBytes, content: SCALES };
    at = readStream(kernels, at, end, part, within(place, "factors")).next;
    checkFactors(kernels, factors, shape.factorBytes / 4, place);
  }
  if (scales) {
    const part = { at: scales, n: shape.scaleBytes, content: SCALES };
    at = readStream(kernels, at, end, part, within(place, "scales")).next;
    checkScales(kernels, shape, scales, place);
  }
  if (zeros) {
    const part = { at: zeros, n: shape.zeroBytes, content: BYTES };
    at = readStream(kernels, at, end, part, within(place, "zero points")).next;
  }
  const part = { at: codes, n: shape.codeBytes, content: contentOf(layout, shape) };
  const head = { shape, factors, scales, zeros, codes };
  const where = within(place, layout.quantize ? "codes" : "elements");
  const { next, code } = readStream(kernels, at, end, part, where, (start, count) => onPart(head, start, count));
  const rest = end - next;
  demand(rest === 0, "trailing", place.offset + size - rest, place.field, "the end of the chunk", `${rest} bytes`);
  return { ...head, code };
}

// NaN times a code is a NaN whose bits WebAssembly leaves open, so such a file would not decode to the same bytes everywhere.
function checkScales(kernels: Kernels, { rows }: ChunkShape, scales: number, place: Place): void {
  const { scratch } = kernels.arena(0, "decode");
  checked(kernels.run.range(scales, 1, rows, scratch), place.offset, `${place.field}, scales`);
}

/**
 * Decodes the chunk at arena.stored as f32 into `into`, which has as many elements, and gives the code of its last stream. Codes are
 * dequantized a block at a time, as they are decoded.
 * @throws FormatError; `into` may be filled in part by then
 */
export function decodeChunkFloats(
  kernels: Kernels,
  layout: Layout,
  index: number,
  size: number,
  place: Place,
  into: Float32Array,
): CodeName {
  if (layout.quantize) {
    const chunk = decodeChunk(kernels, layout, index, size, place, (head, start, count) => {
      codesToFloats(kernels, layout, head, start, count, into);
    });
    divideFactors(kernels, layout, chunk, into);
    return chunk.code;
  }
  const chunk = decodeChunk(kernels, layout, index, size, place);
  chunkFloats(kernels, layout, chunk, into);
  return chunk.code;
}

/** Writes a decoded chunk as f32 into `into`, which has shape.count elements. */
export function chunkFloats(kernels: Kernels, layout: Layout, chunk: DecodedChunk, into: Float32Array): void {
  const { shape, codes } = chunk;
  const bytes = shape.codeBytes;
  if (layout.quantize) {
    codesToFloats(kernels, layout, chunk, 0, bytes, into);
    divideFactors(kernels, layout, chunk, into);
  } else into.set(toFloat32(layout.tensor.dtype, kernels.bytes().slice(codes, codes + bytes)));
}

function divideFactors(kernels: Kernels, { smooth }: Layout, { shape, factors }: ChunkHead, into: Float32Array): void {
  if (smooth) unsmooth(kernels, smooth, shape.start, factors, shape.factorBytes / 4, into);
}

// Dequantizes the codes in `count` bytes from `from` on.
function codesToFloats(
  kernels: Kernels,
  { quantize, cols }: Layout,
  { shape, scales, zeros, codes }: ChunkHead,
  from: number,
  count: number,
  into: Float32Array,
): void {
  if (quantize?.bits === 16) {
    widesToFloats(kernels, codes, scales, from, count, into);
    return;
  }
  const perByte = quantize?.bits === 4 ? 2 : 1;
  const first = from * perByte;
  const elements = Math.min(count * perByte, shape.count - first);
  let source = codes + from;
  if (perByte === 2) {
    source = kernels.arena(shape.room, "decode").values;
    kernels.run.unpack4(codes + from, elements, source);
  }
  const row = Math.floor((shape.start + first) / cols) - Math.floor(shape.start / cols);
  const segments = segmentsOf(shape.start + first, elements, cols);
  const part = into.subarray(first, first + elements);
  dequantizeSegments(kernels, segments, source, scales + 4 * row, zeros ? zeros + row : 0, part);
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
