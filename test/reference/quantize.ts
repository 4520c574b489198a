const SMALLEST_NORMAL = 2 ** -126;

export interface ScaleOptions {
  bits: 4 | 8;
  asymmetric: boolean;
  /** Codes of 0..255; zero points are given - 128. */
  unsigned?: boolean;
}

export interface Scales {
  scales: Float32Array;
  zeroPoints?: Int8Array;
}

/** [min, max] of every row and 0. */
export function range(x: Float32Array, rows: number, cols: number): Float32Array {
  const pairs = new Float32Array(2 * rows);
  for (let row = 0; row < rows; row++) {
    for (const value of x.subarray(row * cols, (row + 1) * cols)) {
      if (!Number.isFinite(value)) throw new Error("NOT_FINITE");
      if (value < pairs[2 * row]) pairs[2 * row] = value;
      if (value > pairs[2 * row + 1]) pairs[2 * row + 1] = value;
    }
  }
  return pairs;
}

/** Round half to even; Math.round takes halves up. */
export function roundEven(x: number): number {
  const below = Math.floor(x);
  const part = x - below;
  if (part !== 0.5) return part < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

function clip(x: number, low: number, high: number): number {
  return Math.min(Math.max(x, low), high);
}

export function scales(pairs: Float32Array, options: ScaleOptions): Scales {
  return options.asymmetric ? asymmetric(pairs, options) : symmetric(pairs, options.bits);
}

function symmetric(pairs: Float32Array, bits: number): Scales {
  const q = 2 ** (bits - 1) - 1;
  const result = new Float32Array(pairs.length / 2).map((_, row) => {
    const most = Math.max(-pairs[2 * row], pairs[2 * row + 1]);
    const scale = Math.fround(most / q);
    return scale < SMALLEST_NORMAL ? 1 : scale;
  });
  return { scales: result };
}

function asymmetric(pairs: Float32Array, { bits, unsigned }: ScaleOptions): Required<Scales> {
  const rows = pairs.length / 2;
  const result = { scales: new Float32Array(rows), zeroPoints: new Int8Array(rows) };
  const qmin = unsigned ? 0 : -(2 ** (bits - 1));
  const qmax = qmin + 2 ** bits - 1;
  const shift = unsigned ? 128 : 0;
  for (let row = 0; row < rows; row++) {
    const [low, high] = pairs.subarray(2 * row, 2 * row + 2);
    const s = (high - low) / (qmax - qmin);
    const usable = Math.fround(s) >= SMALLEST_NORMAL;
    result.scales[row] = usable ? Math.fround(s) : 1;
    result.zeroPoints[row] = (usable ? clip(roundEven(qmin - low / s), qmin, qmax) : 0) - shift;
  }
  return result;
}

export function quantize(
  x: Float32Array,
  rows: number,
  cols: number,
  scales: Float32Array,
  zeroPoints: Int8Array | undefined,
  qmin: number,
  qmax: number,
): Int8Array {
  const codes = new Int8Array(rows * cols);
  for (let i = 0; i < codes.length; i++) {
    const row = Math.floor(i / cols);
    // An f64 quotient of two f32 rounded to f32 is the f32 quotient: 53 >= 2 * 24 + 2.
    const quotient = Math.fround(x[i] / scales[row]);
    codes[i] = clip(roundEven(quotient) + (zeroPoints ? zeroPoints[row] : 0), qmin, qmax);
  }
  return codes;
}

export function dequantize(
  codes: Int8Array,
  rows: number,
  cols: number,
  scales: Float32Array,
  zeroPoints: Int8Array | undefined,
): Float32Array {
  const x = new Float32Array(rows * cols);
  for (let i = 0; i < x.length; i++) {
    const row = Math.floor(i / cols);
    x[i] = Math.fround((codes[i] - (zeroPoints ? zeroPoints[row] : 0)) * scales[row]);
  }
  return x;
}
