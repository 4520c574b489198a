import { roundEven } from "./quantize.ts";

// GGUF's blocks and ONNX Runtime's, as docs/FORMAT.md has them. Codes of 4 bits are c - 8.

const f = Math.fround;

/** Bits of the f16 nearest to x, halves to even. */
export function toHalf(x: number): number {
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(x);
  let exponent = -14;
  while (exponent < 16 && magnitude >= 2 ** (exponent + 1)) exponent++;
  const units = roundEven(magnitude / 2 ** (exponent - 10));
  // Units that reach 2048 carry into the exponent, as the sum of both fields does.
  return sign + Math.min((exponent + 14) * 1024 + units, 0x7c00);
}

/** The value of f16 bits. */
export function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

/** Halves away from zero. */
export function roundAway(x: number): number {
  return Math.sign(x) * Math.floor(Math.abs(x) + 0.5);
}

function inverse(d: number): number {
  const id = f(1 / d);
  return Number.isFinite(id) ? id : 0;
}

export interface Blocks {
  /** f16 bits. */
  readonly scales: Uint16Array<ArrayBuffer>;
  readonly minima: Uint16Array<ArrayBuffer>;
  readonly codes: Int8Array<ArrayBuffer>;
}

export type GgufFormat = "q8_0" | "q4_0" | "q4_1";

const QUANTIZERS = { q8_0: quantizeQ80, q4_0: quantizeQ40, q4_1: quantizeQ41 };

/** Groups of 32, the last as long as it is. */
export function quantizeBlocks(format: GgufFormat, x: Float32Array): Blocks {
  const groups = Math.ceil(x.length / 32);
  const out = { scales: new Uint16Array(groups), minima: new Uint16Array(groups), codes: new Int8Array(x.length) };
  for (let g = 0; g < groups; g++) {
    const group = x.subarray(32 * g, 32 * g + 32);
    if (!group.every(Number.isFinite)) throw new Error("NOT_FINITE");
    const { d, m, codes } = QUANTIZERS[format]([...group]);
    out.scales[g] = toHalf(d);
    out.minima[g] = toHalf(m);
    if ((out.scales[g] & 0x7fff) >= 0x7c00 || (out.minima[g] & 0x7fff) >= 0x7c00) throw new Error("NOT_FINITE");
    out.codes.set(codes, 32 * g);
  }
  return out;
}

interface Group {
  readonly d: number;
  readonly m: number;
  readonly codes: number[];
}

function quantizeQ80(x: number[]): Group {
  const d = f(Math.max(...x.map(Math.abs)) / 127);
  return { d, m: 0, codes: x.map((value) => roundAway(f(value * inverse(d)))) };
}

function quantizeQ40(x: number[]): Group {
  let far = 0;
  for (const value of x) if (Math.abs(value) > Math.abs(far)) far = value;
  const d = f(far / -8);
  const codes = x.map((value) => Math.min(15, Math.trunc(f(f(value * inverse(d)) + 8.5))) - 8);
  return { d, m: 0, codes };
}

function quantizeQ41(x: number[]): Group {
  let [least, most] = [x[0], x[0]];
  for (const value of x) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  const d = f(f(most - least) / 15);
  const codes = x.map((value) => Math.min(15, Math.trunc(f(f(f(value - least) * inverse(d)) + 0.5))) - 8);
  return { d, m: least, codes };
}

export function dequantizeMinimum(
  codes: Int8Array,
  rows: number,
  cols: number,
  scales: Float32Array,
  minima: Float32Array,
): Float32Array {
  return Float32Array.from({ length: rows * cols }, (_, i) => {
    const row = Math.floor(i / cols);
    return f(f((codes[i] + 8) * scales[row]) + minima[row]);
  });
}

/** What the codes of a GGUF format stand for. */
export function dequantizeBlocks(format: GgufFormat, { scales, minima, codes }: Blocks): Float32Array {
  return Float32Array.from(codes, (code, i) => {
    const d = fromHalf(scales[i >> 5]);
    return format === "q4_1" ? f(f((code + 8) * d) + fromHalf(minima[i >> 5])) : f(code * d);
  });
}

/** Blocks as they lie in a GGUF file. */
export function joinBlocks(format: GgufFormat, { scales, minima, codes }: Blocks): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  for (let g = 0; g < codes.length / 32; g++) {
    bytes.push(scales[g] & 255, scales[g] >> 8);
    if (format === "q4_1") bytes.push(minima[g] & 255, minima[g] >> 8);
    for (let j = 0; j < (format === "q8_0" ? 32 : 16); j++) {
      const [a, b] = [codes[32 * g + j], codes[32 * g + j + 16]];
      bytes.push(format === "q8_0" ? a & 255 : a + 8 + ((b + 8) << 4));
    }
  }
  return Uint8Array.from(bytes);
}

/** Scales of ONNX Runtime's 4-bit blocks from [min, max] of every row and 0; zero points - 8. */
export function blockScales(pairs: Float32Array, asymmetric: boolean) {
  const rows = pairs.length / 2;
  const scales = new Float32Array(rows);
  const zeroPoints = new Int8Array(rows);
  for (let row = 0; row < rows; row++) {
    const [low, high] = pairs.subarray(2 * row, 2 * row + 2);
    if (asymmetric) {
      scales[row] = f(high - low) / 15;
      const zero = scales[row] === 0 ? low : f(0 - f(low / scales[row]));
      zeroPoints[row] = Math.max(0, Math.min(15, roundAway(zero))) - 8;
    } else scales[row] = (Math.abs(high) > Math.abs(low) ? high : low) / -8;
  }
  return { scales, zeroPoints };
}

export function quantizeAway(
  x: Float32Array,
  rows: number,
  cols: number,
  scales: Float32Array,
  zeroPoints: Int8Array | undefined,
): Int8Array {
  return Int8Array.from({ length: rows * cols }, (_, i) => {
    const row = Math.floor(i / cols);
    const zero = zeroPoints ? zeroPoints[row] + 8 : 8;
    const y = f(f(x[i] * inverse(scales[row])) + zero);
    return Math.max(0, Math.min(15, roundAway(y))) - 8;
  });
}
