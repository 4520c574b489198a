/** n f16 at src as f32 at dst, NaN with their bits. Neither address need be aligned. Returns n. */
export function halves(b: Uint8Array, src: number, n: number, dst: number): number {
  const view = new DataView(b.buffer);
  for (let i = 0; i < n; i++) view.setUint32(dst + 4 * i, floatBits(view.getUint16(src + 2 * i, true)), true);
  return n;
}

function floatBits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 31;
  const fraction = half & 0x3ff;
  if (exponent === 31) return sign | 0x7f800000 | (fraction << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  // Subnormal: the leading one goes to bit 10, and each step lowers the exponent by one.
  const shift = Math.clz32(fraction) - 21;
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
}

/**
 * x = f32(code + 8) * scale + minimum, f32 scale and minimum per row. Both are f16 widened, so product and sum are exact in f64 and
 * storing rounds once; the f32 product is exact as well. Returns rows * cols.
 */
export function dequantizeMinimum(
  b: Uint8Array,
  src: number,
  rows: number,
  cols: number,
  scales: number,
  minima: number,
  dst: number,
): number {
  const view = new DataView(b.buffer);
  let at = src;
  let to = dst;
  for (let row = 0; row < rows; row++) {
    const scale = view.getFloat32(scales + 4 * row, true);
    const least = view.getFloat32(minima + 4 * row, true);
    for (const end = at + cols; at < end; at++, to += 4) {
      const code = ((b[at] as number) << 24) >> 24;
      view.setFloat32(to, Math.fround((code + 8) * scale) + least, true);
    }
  }
  return rows * cols;
}

const Q8_0 = 0;
const Q4_1 = 2;

/** Puts blocks of kind 0 (Q8_0), 1 (Q4_0) or 2 (Q4_1) together: f16 scale, f16 minimum, codes. Returns the bytes written. */
export function joinBlocks(
  b: Uint8Array,
  scales: number,
  minima: number,
  codes: number,
  blocks: number,
  kind: number,
  dst: number,
): number {
  let to = dst;
  let from = codes;
  for (let i = 0; i < blocks; i++) {
    b[to++] = b[scales + 2 * i] as number;
    b[to++] = b[scales + 2 * i + 1] as number;
    if (kind === Q4_1) {
      b[to++] = b[minima + 2 * i] as number;
      b[to++] = b[minima + 2 * i + 1] as number;
    }
    if (kind === Q8_0) {
      b.copyWithin(to, from, from + 32);
      to += 32;
      from += 32;
    } else {
      for (let k = 0; k < 8; k++, to += 2, from++) {
        const low = (b[from] as number) ^ 0x88;
        const high = (b[from + 8] as number) ^ 0x88;
        b[to] = (low & 15) | (high << 4);
        b[to + 1] = (low >> 4) | (high & 0xf0);
      }
      from += 8;
    }
  }
  return to - dst;
}
