import { NOT_FINITE } from "./status.ts";

/** n f32 at an address that need not be a multiple of 4. */
function floatsAt(b: Uint8Array, at: number, n: number): Float32Array {
  return at % 4 === 0 ? new Float32Array(b.buffer, at, n) : new Float32Array(b.slice(at, at + 4 * n).buffer);
}

/** Least and greatest value of each row and of 0, as pairs of f32 at dst. Returns rows, or NOT_FINITE. */
export function range(b: Uint8Array, src: number, rows: number, cols: number, dst: number): number {
  const values = floatsAt(b, src, rows * cols);
  const pairs = new Float32Array(2 * rows);
  let finite = true;
  for (let row = 0, at = 0; row < rows; row++) {
    let least = 0;
    let greatest = 0;
    for (const end = at + cols; at < end; at++) {
      const x = values[at] as number;
      if (x < least) least = x;
      if (x > greatest) greatest = x;
      // Only NaN and the infinities give NaN here.
      if (x - x !== 0) finite = false;
    }
    pairs[2 * row] = least;
    pairs[2 * row + 1] = greatest;
  }
  b.set(new Uint8Array(pairs.buffer), dst);
  return finite ? rows : NOT_FINITE;
}

/**
 * x = f32(code - zero point) * scale, one f32 scale and (zeros != 0) one i8 zero point per row. The product is exact in f64, so
 * that storing it rounds once, as an f32 product does. Returns rows * cols.
 */
export function dequantize(
  b: Uint8Array,
  src: number,
  rows: number,
  cols: number,
  scales: number,
  zeros: number,
  dst: number,
): number {
  const codes = new Int8Array(b.buffer, src, rows * cols);
  const steps = floatsAt(b, scales, rows);
  const aligned = dst % 4 === 0;
  const out = aligned ? new Float32Array(b.buffer, dst, rows * cols) : new Float32Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    const zero = zeros ? ((b[zeros + row] as number) << 24) >> 24 : 0;
    dequantizeRow(codes, out, row * cols, cols, steps[row] as number, zero);
  }
  if (!aligned) b.set(new Uint8Array(out.buffer), dst);
  return rows * cols;
}

function dequantizeRow(
  codes: Int8Array,
  out: Float32Array,
  at: number,
  cols: number,
  scale: number,
  zero: number,
): void {
  var i = at;
  var x = out;
  var q = codes;
  var s = scale;
  const end = at + cols;
  if (zero === 0) for (; i < end; ++i) x[i] = (q[i] as number) * s;
  else for (; i < end; ++i) x[i] = ((q[i] as number) - zero) * s;
}

/** The same of n u16 that are (level + 128) ^ 128, with one scale. Returns n. */
export function dequantize16(b: Uint8Array, src: number, n: number, scales: number, dst: number): number {
  const scale = floatsAt(b, scales, 1)[0] as number;
  const out = new Float32Array(n);
  for (let i = 0, at = src; i < n; i++, at += 2) {
    const level = (((b[at] as number) ^ 128) | ((b[at + 1] as number) << 8)) - 128;
    out[i] = ((level << 16) >> 16) * scale;
  }
  b.set(new Uint8Array(out.buffer), dst);
  return n;
}
