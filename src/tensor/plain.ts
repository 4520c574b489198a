// Elements that have a width, and as f32.

/** Element types whose elements have a width of their own, named as safetensors names them. */
export type PlainDType = "F64" | "F32" | "F16" | "BF16" | "I64" | "I32" | "I16" | "I8" | "U8" | "BOOL";

/** Bytes of an element. */
export const WIDTHS: Record<PlainDType, 1 | 2 | 4 | 8> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

// Looking it up is three times as fast as working it out, but the table has to be made, and takes 256 KiB.
let table: Int32Array | undefined;
const TABLE_FROM = 16384;

/**
 * Elements as f32: F32 as it is, F16 and BF16 exactly, F64 rounded half to even, integers rounded to the nearest.
 * @param into - where F16 and BF16 go, so that no large array is made
 */
export function plainFloats(dtype: PlainDType, bytes: Uint8Array, into?: Float32Array): Float32Array {
  const width = WIDTHS[dtype];
  const { buffer, byteOffset } = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes);
  const count = bytes.length / width;
  const as = <T>(View: new (buffer: ArrayBufferLike, byteOffset: number, length: number) => T): T =>
    new View(buffer, byteOffset, count);
  if (dtype === "F32") return as(Float32Array);
  if (dtype === "I64") return Float32Array.from(wideIntegers(new Int32Array(buffer, byteOffset, 2 * count), true));
  if (dtype === "F64") return new Float32Array(as(Float64Array));
  if (dtype === "I32") return new Float32Array(as(Int32Array));
  if (dtype === "I16") return new Float32Array(as(Int16Array));
  if (dtype === "I8") return new Float32Array(as(Int8Array));
  if (width === 1) return new Float32Array(bytes);
  const halves = as(Uint16Array);
  const out = into ?? new Float32Array(count);
  const bits = new Int32Array(out.buffer, out.byteOffset, count);
  if (dtype === "BF16") for (let i = 0; i < count; i++) bits[i] = (halves[i] as number) << 16;
  else if (count < TABLE_FROM) for (let i = 0; i < count; i++) bits[i] = halfToFloatBits(halves[i] as number);
  else {
    table ??= Int32Array.from({ length: 65536 }, (_, half) => halfToFloatBits(half));
    for (let i = 0; i < count; i++) bits[i] = table[halves[i] as number] as number;
  }
  return out;
}

// 64-bit integers as the nearest f64; or (sticky) as one that rounds to the same f32 as the integer does: what f64 cannot
// hold below bit 11 becomes one bit. By halves, because small engines lack BigInt.
export function wideIntegers(halves: Int32Array, sticky: boolean): Float64Array {
  const out = new Float64Array(halves.length / 2);
  for (let i = 0; i < out.length; i++) {
    const low = halves[2 * i] as number;
    const high = 2 ** 32 * (halves[2 * i + 1] as number);
    const near = high + (low >>> 0);
    const exact = !sticky || Number.isSafeInteger(near);
    out[i] = exact ? near : high + (((low & ~2047) | (low & 2047 ? 1024 : 0)) >>> 0);
  }
  return out;
}

export function halfToFloatBits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 31;
  const fraction = half & 0x3ff;
  if (exponent === 31) return sign | 0x7f800000 | (fraction << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  // Subnormal: shift the leading one to bit 10; each step lowers the exponent by one.
  const shift = Math.clz32(fraction) - 21;
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
}
