import { NOT_FINITE } from "./status";

// Powers by the four operations alone, so that every engine and tier finds the same factors (src/codec/power.ts has the same steps).

/** Below this a maximum counts as this (mit-han-lab/smoothquant). */
const LEAST: f64 = 1e-5;

/**
 * The factors of n input channels, s = max|a|^alpha / max|w|^(1 - alpha), as f32 at dst. Maxima are f32 at a and w, the group of each channel a u8
 * at groups, alphas an f64 for each group; a negative one leaves its channels alone (s = 1). With powers != 0 each is the nearest power of two.
 * Returns n, or NOT_FINITE if a maximum is none.
 */
export function smoothFactors(
  a: usize, w: usize, groups: usize, alphas: usize, n: i32, powers: i32, dst: usize,
): i32 {
  for (let i = 0; i < n; i++) {
    const at = (i as usize) << 2;
    const activation = load<f32>(a + at, 0, 1) as f64;
    const weight = load<f32>(w + at, 0, 1) as f64;
    if (!(activation < Infinity && weight < Infinity)) return NOT_FINITE;
    const alpha = load<f64>(alphas + ((load<u8>(groups + i) as usize) << 3), 0, 1);
    let factor: f64 = 1;
    if (alpha >= 0) {
      factor = power(max(activation, LEAST), alpha) / power(max(weight, LEAST), 1 - alpha);
      if (powers) factor = nearestPower(factor);
    }
    store<f32>(dst + at, factor as f32, 0, 1);
  }
  return n;
}

function power(x: f64, y: f64): f64 {
  return exp2(y * log2(x));
}

function log2(x: f64): f64 {
  let e: f64 = 0;
  let m = x;
  for (; m >= NativeMath.SQRT2; e++) m /= 2;
  for (; m < NativeMath.SQRT1_2; e--) m *= 2;
  const t = (m - 1) / (m + 1);
  let sum: f64 = 0;
  for (let k: f64 = 23; k >= 1; k -= 2) sum = sum * t * t + 1 / k;
  return e + (2 * t * sum) / NativeMath.LN2;
}

function exp2(y: f64): f64 {
  const above = ceil(y);
  const whole = above - 0.5 > y ? above - 1 : above;
  const z = (y - whole) * NativeMath.LN2;
  let sum: f64 = 1;
  for (let k: f64 = 15; k >= 1; k--) sum = 1 + (z / k) * sum;
  for (let i: f64 = 0; i < whole; i++) sum *= 2;
  for (let i: f64 = 0; i > whole; i--) sum /= 2;
  return sum;
}

function nearestPower(x: f64): f64 {
  let p: f64 = 1;
  while (p * NativeMath.SQRT2 < x) p *= 2;
  while (p > x * NativeMath.SQRT2) p /= 2;
  return p;
}
