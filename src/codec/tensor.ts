import { demand } from "../errors.ts";
import { CHUNK_BYTES, type Kernels } from "../kernels.ts";
import { AUTO } from "../plan.ts";
import { type BlockDType, dtypeWidth, isFloat, narrow, toFloat32, widen } from "../tensor.ts";
import { STORED_EXTRA } from "./code.ts";
import { codesToFloats, levelCodes, makeCodes, type Steps, splitChunk, stepsOf } from "./codes.ts";
import type { ChunkInput } from "./inputs.ts";
import { type ChunkShape, chunkShape, type Layout } from "./layout.ts";
import { BYTES, type Content, NO_GEOMETRY, readStream, SCALES, writeStream } from "./planes.ts";
import { checkFactors, unsmooth } from "./smooth.ts";
import { type CodeName, type Place, within } from "./stream.ts";
import { named } from "./values.ts";
import { zeroElements } from "./zeros.ts";

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

export { STORED_EXTRA };

/** Encodes one chunk. @throws DataError, with the tensor's name, for what a step or code cannot take */
export function encodeChunk(kernels: Kernels, layout: Layout, input: ChunkInput): EncodedChunk {
  const { tensor, quantize, blocks } = layout;
  const { index, elements, ranges, levels, factors } = input;
  const shape = chunkShape(layout, index);
  try {
    if (blocks) {
      kernels.arena(CHUNK_BYTES, "encode");
      const zeros = splitChunk(kernels, tensor.dtype as BlockDType, shape, elements as Uint8Array);
      return encodeCodes(kernels, layout, shape, zeros, 0);
    }
    const pruned = elements instanceof Float32Array;
    if (!quantize) return encodeBytes(kernels, layout, index, pruned ? narrow(tensor.dtype, elements) : elements);
    const values = pruned ? elements : widen(tensor.dtype, elements);
    const before = factors ? writeFactors(kernels, factors) : 0;
    const zeros = levels
      ? levelCodes(kernels, layout, shape, values, levels)
      : makeCodes(kernels, layout, quantize, shape, values, ranges);
    return encodeCodes(kernels, layout, shape, zeros, before);
  } catch (error) {
    throw named(tensor, error);
  }
}

function encodeBytes(kernels: Kernels, layout: Layout, index: number, bytes: Uint8Array): EncodedChunk {
  const arena = kernels.arena(CHUNK_BYTES, "encode");
  kernels.bytes().set(bytes, arena.plain);
  const zeros = zeroElements(kernels, layout.tensor.dtype, arena.plain, bytes.length);
  return finishChunk(kernels, layout, chunkShape(layout, index), arena.stored, zeros);
}

// Goes first, because writing a stream takes most regions.
function writeFactors(kernels: Kernels, factors: Float32Array): number {
  const { plain, stored } = kernels.arena(CHUNK_BYTES, "encode");
  kernels.bytes().set(new Uint8Array(factors.buffer, factors.byteOffset, factors.byteLength), plain);
  const part = { at: plain, n: factors.byteLength, content: SCALES };
  return writeStream(kernels, part, AUTO, NO_GEOMETRY, stored).bytes;
}

// Streams of scales, offsets and codes, which lie at arena.plain, behind `before` bytes.
function encodeCodes(kernels: Kernels, layout: Layout, shape: ChunkShape, zeros: number, before: number): EncodedChunk {
  const { plain, stored } = kernels.arena(CHUNK_BYTES, "encode");
  const { scales = BYTES, offsets } = layout.coding ?? {};
  let end = stored + before;
  end += writeStream(kernels, { at: plain, n: shape.scaleBytes, content: scales }, AUTO, NO_GEOMETRY, end).bytes;
  const part = { at: plain + shape.scaleBytes, n: shape.zeroBytes, content: offsets ?? BYTES };
  if (offsets) end += writeStream(kernels, part, AUTO, NO_GEOMETRY, end).bytes;
  return finishChunk(kernels, layout, shape, end, zeros);
}

// Codes the last stream (codes or elements) to `at` and takes the chunk out of the arena.
function finishChunk(kernels: Kernels, layout: Layout, shape: ChunkShape, at: number, zeros: number): EncodedChunk {
  const { stored, plain } = kernels.arena(CHUNK_BYTES, "encode");
  const codes = plain + shape.scaleBytes + shape.zeroBytes;
  const part = { at: codes, n: shape.codeBytes, content: contentOf(layout, shape) };
  const { code, bytes } = writeStream(kernels, part, layout.code, layout, at);
  return { bytes: kernels.bytes().slice(stored, at + bytes), code, shape, zeros };
}

export function contentOf({ tensor, coding }: Layout, { count }: ChunkShape): Content {
  if (!coding) return { width: dtypeWidth(tensor.dtype), float: isFloat(tensor.dtype), nibbles: 0 };
  if (coding.bits === 16) return { width: 2, float: false, nibbles: 0 };
  return coding.bits === 4 ? { width: 1, float: false, nibbles: count } : BYTES;
}

/** A decoded chunk, still in the arena: addresses of its parts, valid until the next kernel call. */
export interface DecodedChunk {
  readonly shape: ChunkShape;
  /** 0 if there are none. */
  readonly factors: number;
  readonly scales: number;
  /** Zero points or minima; 0 if there are none. */
  readonly zeros: number;
  readonly codes: number;
  /** Scales and offsets for the kernels, or null if the chunk holds elements. */
  readonly steps: Steps | null;
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
  const { coding } = layout;
  const factors = layout.smooth ? behind : 0;
  const scales = coding ? behind + shape.factorBytes : 0;
  const zeros = coding?.offsets ? scales + shape.scaleBytes : 0;
  let at = arena.stored;
  const read = (address: number, n: number, content: Content, name: string): void => {
    at = readStream(kernels, at, end, { at: address, n, content }, within(place, name)).next;
  };
  if (factors) {
    read(factors, shape.factorBytes, SCALES, "factors");
    checkFactors(kernels, factors, shape.factorBytes / 4, place);
  }
  if (coding) read(scales, shape.scaleBytes, coding.scales, "scales");
  if (coding?.offsets) read(zeros, shape.zeroBytes, coding.offsets, coding.offsetName);
  const steps = coding && stepsOf(kernels, coding, shape, scales, zeros, place);
  const part = { at: codes, n: shape.codeBytes, content: contentOf(layout, shape) };
  const head = { shape, factors, scales, zeros, codes, steps };
  const where = within(place, coding ? "codes" : "elements");
  const { next, code } = readStream(kernels, at, end, part, where, (start, count) => onPart(head, start, count));
  const rest = end - next;
  demand(rest === 0, "trailing", place.offset + size - rest, place.field, "the end of the chunk", `${rest} bytes`);
  return { ...head, code };
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
  if (layout.coding) {
    const chunk = decodeChunk(kernels, layout, index, size, place, ({ shape, steps, codes }, start, count) => {
      codesToFloats(kernels, layout, shape, steps as Steps, codes, start, count, into);
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
  const { shape, codes, steps } = chunk;
  const bytes = shape.codeBytes;
  if (steps) {
    codesToFloats(kernels, layout, shape, steps, codes, 0, bytes, into);
    divideFactors(kernels, layout, chunk, into);
    return;
  }
  const values = toFloat32(layout.tensor.dtype, kernels.bytes().subarray(codes, codes + bytes), into);
  if (values !== into) into.set(values);
}

function divideFactors(kernels: Kernels, { smooth }: Layout, { shape, factors }: ChunkHead, into: Float32Array): void {
  if (smooth) unsmooth(kernels, smooth, shape.start, factors, shape.factorBytes / 4, into);
}
