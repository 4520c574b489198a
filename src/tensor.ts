import { argument, DataError } from "./errors.ts";
import { halfToFloatBits, type PlainDType, plainFloats, WIDTHS, wideIntegers } from "./tensor/plain.ts";

export type { PlainDType };

/** Element types that GGUF stores as blocks of 32 elements with their scale (formulas: docs/FORMAT.md). */
export type BlockDType = "Q8_0" | "Q4_0" | "Q4_1";
export type DType = PlainDType | BlockDType;

/** Elements of a block. The last dimension of a tensor of such a dtype is a multiple of it. */
export const BLOCK_ELEMENTS = 32;
const BLOCK_BYTES: Record<BlockDType, number> = { Q8_0: 34, Q4_0: 18, Q4_1: 20 };

const WORDS = Object.keys(WIDTHS);

export interface TensorInfo {
  readonly name: string;
  readonly dtype: DType;
  /** Extents, outermost first; [] is a scalar. Elements lie in row-major order. */
  readonly shape: readonly number[];
}

/** A tensor whose elements are read by range, so that no reader has to hold a whole model. */
export interface LazyTensor extends TensorInfo {
  /** Little-endian bytes of elements [start, end); of a dtype of blocks, whole blocks. */
  read(start: number, end: number): Promise<Uint8Array>;
}

/** A tensor in memory. `bytes` are little endian. */
export interface Tensor extends TensorInfo {
  readonly bytes: Uint8Array;
}

/** What every format is read into. Tensors are in execution order as far as the source tells one. */
export interface Model {
  readonly tensors: readonly LazyTensor[];
  /** Free text by key, or null where the source has none. */
  readonly metadata: Readonly<Record<string, string>> | null;
}

/** Whether the word is a dtype of this package. */
export function isDType(word: unknown): word is DType {
  return typeof word === "string" && (WORDS.includes(word) || isBlocks(word as DType));
}

/** Whether elements of the dtype lie in blocks, and have no width of their own. */
export function isBlocks(dtype: DType): dtype is BlockDType {
  return dtype === "Q8_0" || dtype === "Q4_0" || dtype === "Q4_1";
}

/** Bytes of one element. @throws RangeError for dtypes of blocks */
export function dtypeWidth(dtype: DType): 1 | 2 | 4 | 8 {
  argument(!isBlocks(dtype), "dtype", "a dtype whose elements have a width", dtype);
  return WIDTHS[dtype];
}

/** Bytes of `count` elements; of a dtype of blocks, whole blocks. */
export function bytesOf(dtype: DType, count: number): number {
  return isBlocks(dtype) ? (count / BLOCK_ELEMENTS) * BLOCK_BYTES[dtype] : count * WIDTHS[dtype];
}

export function isFloat(dtype: DType): boolean {
  return dtype === "F32" || dtype === "F16" || dtype === "BF16" || dtype === "F64";
}

/** Count of elements; 1 for a scalar. Exact: throws RangeError beyond 2^53 - 1. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  let largest = 1;
  for (const extent of shape) {
    argument(Number.isSafeInteger(extent) && extent >= 0, "shape", "extents that are whole numbers >= 0", extent);
    count *= extent;
    // A zero extent must not hide a product that no reader could count to.
    largest *= Math.max(extent, 1);
    argument(Number.isSafeInteger(largest), "shape", "at most 2^53 - 1 elements", shape);
  }
  return count;
}

/** Elements [start, end) of a tensor. @throws DataError if the source gives another count of bytes */
export async function readElements(tensor: LazyTensor, start: number, end: number): Promise<Uint8Array> {
  const bytes = await tensor.read(start, end);
  const wanted = bytesOf(tensor.dtype, end - start);
  if (bytes.length === wanted) return bytes;
  throw new DataError(
    `tensor "${tensor.name}": ${bytes.length} bytes for elements ${start}..${end}, expected ${wanted}`,
  );
}

/** The lazy form of a tensor in memory. @throws RangeError if bytes do not fit the shape */
export function lazyTensor(tensor: Tensor): LazyTensor {
  const size = bytesOf(tensor.dtype, elementCount(tensor.shape));
  argument(tensor.bytes.length === size, "bytes", `${size} bytes`, tensor.bytes.length);
  const { name, dtype, shape } = tensor;
  return {
    name,
    dtype,
    shape,
    read: async (start, end) => tensor.bytes.slice(bytesOf(dtype, start), bytesOf(dtype, end)),
  };
}

/**
 * Elements as f32: F32 as it is, F16 and BF16 exactly, F64 rounded half to even, blocks by their formula. Not for integer dtypes.
 * @param into - where F16 and BF16 go, so that no large array is made
 */
export function widen(dtype: DType, bytes: Uint8Array, into?: Float32Array): Float32Array {
  if (isBlocks(dtype)) return widenBlocks(dtype, bytes);
  argument(isFloat(dtype), "dtype", "a floating-point dtype", dtype);
  return plainFloats(dtype, bytes, into);
}

/** Elements of any dtype as f32: floats as widen does, integers rounded to the nearest f32. */
export function toFloat32(dtype: DType, bytes: Uint8Array, into?: Float32Array): Float32Array {
  return isBlocks(dtype) ? widenBlocks(dtype, bytes) : plainFloats(dtype, bytes, into);
}

/** All elements of a tensor, as toFloat32 has them. */
export async function floatsOf(tensor: LazyTensor): Promise<Float32Array> {
  return toFloat32(tensor.dtype, await readElements(tensor, 0, elementCount(tensor.shape)));
}

/** Elements of any dtype as numbers; exact but for I64 beyond 2^53. */
export function toNumbers(dtype: DType, bytes: Uint8Array): NumberArray {
  if (isBlocks(dtype) || (isFloat(dtype) && dtype !== "F64")) return widen(dtype, bytes);
  // Not bytes.slice(): on a Node Buffer that is a view.
  const { buffer } = new Uint8Array(bytes);
  if (dtype === "F64") return new Float64Array(buffer);
  if (dtype === "I8") return new Int8Array(buffer);
  if (dtype === "I16") return new Int16Array(buffer);
  if (dtype === "I32") return new Int32Array(buffer);
  if (dtype === "I64") return wideIntegers(new Int32Array(buffer), false);
  return new Uint8Array(buffer);
}

export type NumberArray = Float32Array | Float64Array | Int8Array | Int16Array | Int32Array | Uint8Array;

// Q8_0: x = d * code; Q4_0: d * (code - 8); Q4_1: d * code + m. Of 4 bits byte j has elements j and j + 16. Sums and products of f16 and
// codes are exact in f64. 0 keeps the sign that the product has, and every NaN is the same.
function widenBlocks(dtype: BlockDType, bytes: Uint8Array): Float32Array {
  const size = BLOCK_BYTES[dtype];
  const out = new Float32Array((bytes.length / size) * BLOCK_ELEMENTS);
  const half = (at: number): number => halfValue((bytes[at] as number) | ((bytes[at + 1] as number) << 8));
  for (let start = 0, to = 0; start < bytes.length; start += size, to += BLOCK_ELEMENTS) {
    const d = half(start);
    const least = dtype === "Q4_1" ? half(start + 2) : 0;
    const codes = start + size - (dtype === "Q8_0" ? 32 : 16);
    for (let j = 0; j < 32; j++) {
      const byte = bytes[codes + (dtype === "Q8_0" ? j : j & 15)] as number;
      const nibble = (j < 16 ? byte : byte >> 4) & 15;
      const code = dtype === "Q8_0" ? (byte << 24) >> 24 : dtype === "Q4_0" ? nibble - 8 : nibble;
      const x = dtype === "Q4_1" ? d * code + least : d * code;
      out[to + j] = Number.isNaN(x) ? Number.NaN : x;
    }
  }
  return out;
}

const halfValue = (bits: number): number => new Float32Array(Uint32Array.of(halfToFloatBits(bits)).buffer)[0] as number;

/** f32 elements as bytes of a floating-point dtype, rounded half to even. The inverse of widen. */
export function narrow(dtype: DType, values: Float32Array): Uint8Array {
  if (dtype === "F32") return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (dtype === "F64") return new Uint8Array(Float64Array.from(values).buffer);
  argument(dtype === "F16" || dtype === "BF16", "dtype", "a floating-point dtype", dtype);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const round = dtype === "BF16" ? floatToBfloatBits : floatToHalfBits;
  const out = new Uint16Array(bits.length);
  for (let i = 0; i < out.length; i++) out[i] = round(bits[i] as number);
  return new Uint8Array(out.buffer);
}

function floatToBfloatBits(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

function floatToHalfBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x7f800000) {
    // A NaN keeps the payload bits that fit, and stays a NaN.
    return sign | 0x7c00 | (magnitude > 0x7f800000 ? (magnitude >>> 13) & 0x3ff || 0x200 : 0);
  }
  const exponent = (magnitude >>> 23) - 112;
  if (exponent > 0) {
    const rounded = magnitude - (112 << 23) + 0xfff + ((magnitude >>> 13) & 1);
    return sign | Math.min(rounded >>> 13, 0x7c00);
  }
  if (exponent < -10) return sign;
  // Subnormal half: units of 2^-24, so shift the 24-bit significand right by 14 - exponent.
  const significand = (magnitude & 0x7fffff) | 0x800000;
  const shift = 14 - exponent;
  const half = (1 << (shift - 1)) - 1 + ((significand >>> shift) & 1);
  return sign | ((significand + half) >>> shift);
}
