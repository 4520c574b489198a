/** [outer, channels, inner] */
export type Grid = readonly [number, number, number];

/** Largest magnitude per channel of [outer, channels, inner], and what `before` has. */
export function columnMax(x: Float32Array, [outer, channels, inner]: Grid, before: Float32Array): Float32Array {
  if (!x.every(Number.isFinite)) throw new Error("NOT_FINITE");
  const maxima = before.slice();
  for (let i = 0; i < outer * channels * inner; i++) {
    const channel = Math.floor(i / inner) % channels;
    maxima[channel] = Math.max(maxima[channel], Math.abs(x[i]));
  }
  return maxima;
}

/** Each element with the factor of its channel; the first lies `start` elements after the first of channel 0. */
function factorOf(factors: Float32Array, inner: number, start: number, i: number): number {
  return factors[Math.floor((start + i) / inner) % factors.length];
}

/** Storing a product or a quotient of two f32, made in f64, rounds as f32 arithmetic does. */
export function smooth(x: Float32Array, factors: Float32Array, inner: number, start = 0): Float32Array {
  return x.map((value, i) => value * factorOf(factors, inner, start, i));
}

export function unsmooth(x: Float32Array, factors: Float32Array, inner: number, start = 0): Float32Array {
  return x.map((value, i) => value / factorOf(factors, inner, start, i));
}

/** mit-han-lab/smoothquant: s = max|a|^alpha / max|w|^(1 - alpha), both clamped at 1e-5. By Math.pow, so good to some bits. */
export function smoothFactor(a: number, w: number, alpha: number): number {
  return Math.max(a, 1e-5) ** alpha / Math.max(w, 1e-5) ** (1 - alpha);
}
