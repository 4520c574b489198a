import { type Kernels, PIECE } from "../kernels/arena.ts";
import { type PlainDType, plainFloats, WIDTHS } from "../tensor/plain.ts";
import { CODE_NAMES, type CodeName } from "./code.ts";
import type { ChunkShape, Layout } from "./layout.ts";
import { sure } from "./sure.ts";

// Chunks as most files have them: elements, or codes of int8 and int4 in rows of f32 scales; streams of the codes that `auto` takes for weights.
// The second of two decoders, for small pages: it gives what tensor.ts gives, or throws, and then tensor.ts is to be asked.

const [RAW, CONSTANT, PLANES, PIVOT, MASK] = [0, 1, 4, 5, 6];
/** Symbols in a block of pivot, and what is expanded of a mask at a time. */
const BLOCK = 32768;

type OnPart = (start: number, count: number) => void;

/** Whether chunks of the layout are such, as far as it tells. */
export function isCommon({ tensor, coding, grid, smooth, elements }: Layout): boolean {
  if (!coding) return tensor.dtype in WIDTHS;
  return coding.bits < 16 && coding.rule === "linear" && coding.scales.width === 4 && !smooth && grid.line >= elements;
}

/** The shape of the index-th chunk of a common layout. */
export function commonShape({ tensor, elements, chunkElements, coding, grid }: Layout, index: number): ChunkShape {
  const start = index * chunkElements;
  const count = Math.min(chunkElements, elements - start);
  const firstRow = coding ? Math.floor(start / grid.cols) : 0;
  const rows = coding ? Math.floor((start + count - 1) / grid.cols) - firstRow + 1 : 0;
  const scaleBytes = 4 * rows;
  const zeroBytes = coding?.offsets ? rows : 0;
  const codeBytes = Math.ceil(coding ? (count * coding.bits) / 8 : count * WIDTHS[tensor.dtype as PlainDType]);
  const decodedBytes = scaleBytes + zeroBytes + codeBytes;
  const room = Math.max(decodedBytes, count);
  return { start, count, rows, firstRow, factorBytes: 0, scaleBytes, zeroBytes, codeBytes, decodedBytes, room };
}

// Calls `decode`, then `onPart`, for every BLOCK of n bytes.
function inBlocks(n: number, onPart: OnPart, decode: OnPart): void {
  for (let start = 0; start < n; start += BLOCK) {
    const count = Math.min(BLOCK, n - start);
    decode(start, count);
    onPart(start, count);
  }
}

const ignore: OnPart = () => {};

/**
 * Reads the stream at `at`, which ends before `end`, to n bytes at dst.
 * @param width - bytes of an element; 0: bytes inside a mask. Negative: of floats
 * @returns the address behind it
 */
function readStream(
  kernels: Kernels,
  at: number,
  end: number,
  n: number,
  dst: number,
  width: number,
  onPart = ignore,
): number {
  const { run } = kernels;
  const { planes, work, mask, kept } = kernels.arena(0, "decode");
  const bytes = kernels.bytes();
  const code = bytes[at];
  let next = at + 4;
  const stop = next + (kernels.view().getUint32(at, true) >>> 8);
  sure(stop <= end && (n > 0 || code === RAW));
  const inner = (count: number, to: number, wide: number): void => {
    next = readStream(kernels, next, stop, count, to, wide);
  };
  if (code === PIVOT) {
    inBlocks(n, onPart, (start, count) => {
      const used = run.pivotBlock(next, stop - next, count, start ? 0 : 1, dst + start, work);
      sure(used > 0);
      next += used;
    });
  } else if (code === MASK && width) {
    inner(Math.ceil(n / 8), mask, 0);
    const ones = run.maskCount(mask, n);
    sure(ones >= 0);
    inner(ones, kept, 0);
    let from = kept;
    inBlocks(n, onPart, (start, count) => {
      from += run.maskExpand(mask + start / 8, count, from, dst + start);
    });
  } else {
    if (code === RAW) {
      bytes.copyWithin(dst, next, next + n);
      next += n;
    } else if (code === CONSTANT) bytes.fill(bytes[next++] as number, dst, dst + n);
    else {
      const size = Math.abs(width);
      sure(code === PLANES && size > 1);
      for (let k = 0; k < size; k++) inner(n / size, planes + (k * n) / size, 1);
      run.mergePlanes(planes, n / size, size, width < 0 ? 1 : 0, dst);
    }
    onPart(0, n);
  }
  sure(next === stop);
  return stop;
}

/** A chunk in the arena's stored region, as it lies in the file. */
interface Stored {
  readonly shape: ChunkShape;
  readonly size: number;
  /** As the chunk table says. */
  readonly code: CodeName;
}

/** Decodes a chunk of elements, and gives their bytes in the arena. */
export function commonElements(kernels: Kernels, { tensor }: Layout, { shape, size, code }: Stored): Uint8Array {
  const { stored, plain } = kernels.arena(0, "decode");
  const { codeBytes } = shape;
  const bytes = kernels.bytes();
  const dtype = tensor.dtype as PlainDType;
  sure(bytes[stored] === CODE_NAMES.indexOf(code));
  const end = stored + size;
  const width = WIDTHS[dtype];
  sure(readStream(kernels, stored, end, codeBytes, plain, /F/.test(dtype) ? -width : width) === end);
  return bytes.subarray(plain, plain + codeBytes);
}

/** Decodes a chunk to f32. `into` has as many elements as it, and is filled in part if this throws. */
export function commonFloats(kernels: Kernels, layout: Layout, chunk: Stored, into: Float32Array): void {
  const { coding, grid, tensor } = layout;
  if (!coding) {
    const values = plainFloats(tensor.dtype as PlainDType, commonElements(kernels, layout, chunk), into);
    if (values !== into) into.set(values);
    return;
  }
  const { shape, size, code } = chunk;
  const { start: origin, count: all, rows, firstRow, scaleBytes, zeroBytes, codeBytes } = shape;
  const { stored, plain, values, floats } = kernels.arena(0, "decode");
  const bytes = kernels.bytes();
  const end = stored + size;
  // As tensor.ts places them.
  const scales = plain + Math.ceil(codeBytes / 64) * 64 + 64;
  const zeros = coding.offsets ? scales + scaleBytes : 0;
  let at = readStream(kernels, stored, end, scaleBytes, scales, -4);
  const bits = new Uint32Array(bytes.buffer, scales, rows);
  let most = 0;
  // The carry out of the exponent tells NaN and infinities; nothing here needs to branch.
  for (let i = 0; i < rows; i++) most |= ((bits[i] as number) & 0x7f800000) + 0x00800000;
  sure(most >= 0);
  if (zeros) at = readStream(kernels, at, end, zeroBytes, zeros, 1);
  sure(bytes[at] === CODE_NAMES.indexOf(code));
  const source = new Float32Array(bytes.buffer, floats, PIECE);
  const perByte = 8 / coding.bits;
  const { cols } = grid;
  const toFloats = (from: number, count: number): void => {
    let first = from * perByte;
    const last = Math.min((from + count) * perByte, all);
    let codes = plain + from;
    if (perByte > 1) {
      kernels.run.unpack4(codes, last - first, values);
      codes = values;
    }
    while (first < last) {
      // Whole rows, as many as fit a piece; or a part of one.
      const into0 = (origin + first) % cols;
      const width = Math.min(cols - into0, last - first, PIECE);
      const count = width < cols ? 1 : Math.floor(Math.min(last - first, PIECE) / cols);
      const row = Math.floor((origin + first) / cols) - firstRow;
      const n = kernels.run.dequantize(codes, count, width, scales + 4 * row, zeros && zeros + row, floats);
      into.set(source.subarray(0, n), first);
      codes += n;
      first += n;
    }
  };
  sure(readStream(kernels, at, end, codeBytes, plain, 1, toFloats) === end);
  // The unused high nibble behind an odd count of int4 codes.
  sure(perByte < 2 || all % 2 === 0 || (bytes[plain + codeBytes - 1] as number) < 16);
}
