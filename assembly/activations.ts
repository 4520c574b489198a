// Activations to codes with one scale for all, divided by the factors of their channels on the way:
// code = clip(RNE(x / factor / scale) + zero point, qmin, qmax), as ONNX QuantizeLinear behind a Div. Values are finite.

// As in quantize.ts: rounds half to even, and leaves the integer in the low bits.
const ROUND: f32 = 12582912.0;
const ROUND_BITS: i32 = 0x4b400000;
const CLAMP: f32 = 1048576.0;

/** Codes of f32 [outer, channels, inner], one i8 each at dst. Returns their count. */
export function activationCodes(
  src: usize, outer: i32, channels: i32, inner: i32, factors: usize,
  scale: f32, zero: i32, qmin: i32, qmax: i32, dst: usize,
): i32 {
  for (let o = 0; o < outer; o++) {
    if (inner == 1) {
      rowCodes(src, channels, factors, scale, zero, qmin, qmax, dst);
      src += (channels as usize) << 2;
      dst += channels;
      continue;
    }
    for (let c = 0; c < channels; c++) {
      runCodes(src, inner, load<f32>(factors + ((c as usize) << 2), 0, 1), scale, zero, qmin, qmax, dst);
      src += (inner as usize) << 2;
      dst += inner;
    }
  }
  return outer * channels * inner;
}

function rowCodes(
  src: usize, n: i32, factors: usize, scale: f32, zero: i32, qmin: i32, qmax: i32, dst: usize,
): void {
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    const s = f32x4.splat(scale);
    const low = i32x4.splat(qmin);
    const high = i32x4.splat(qmax);
    const bias = i32x4.splat(ROUND_BITS - zero);
    for (; i + 4 <= n; i += 4) {
      const at = (i as usize) << 2;
      const codes = four(f32x4.div(v128.load(src + at), v128.load(factors + at)), s, bias, low, high);
      v128.store32_lane(dst + i, v128.shuffle<u8>(codes, codes, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12), 0);
    }
  }
  for (; i < n; i++) {
    const at = (i as usize) << 2;
    store<i8>(dst + i, one(load<f32>(src + at, 0, 1) / load<f32>(factors + at, 0, 1), scale, zero, qmin, qmax) as i8);
  }
}

function runCodes(src: usize, n: i32, factor: f32, scale: f32, zero: i32, qmin: i32, qmax: i32, dst: usize): void {
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    const f = f32x4.splat(factor);
    const s = f32x4.splat(scale);
    const low = i32x4.splat(qmin);
    const high = i32x4.splat(qmax);
    const bias = i32x4.splat(ROUND_BITS - zero);
    for (; i + 4 <= n; i += 4) {
      const codes = four(f32x4.div(v128.load(src + ((i as usize) << 2)), f), s, bias, low, high);
      v128.store32_lane(dst + i, v128.shuffle<u8>(codes, codes, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12), 0);
    }
  }
  for (; i < n; i++) {
    store<i8>(dst + i, one(load<f32>(src + ((i as usize) << 2), 0, 1) / factor, scale, zero, qmin, qmax) as i8);
  }
}

/**
 * The sum of squares of what coding takes from f32 [outer, channels, inner], as an f64 at dst, which has room for five: of x - factor * scale * (code - zero point), so that
 * it counts what is lost where the channels are as they were. Differences are f32, squares and sums f64; element i of a row (inner = 1) or of a
 * channel's run is added to partial sum i mod 4, and the whole is (0 + 1) + (2 + 3). Returns the count of elements.
 */
export function activationError(
  src: usize, outer: i32, channels: i32, inner: i32, factors: usize,
  scale: f32, zero: i32, qmin: i32, qmax: i32, dst: usize,
): i32 {
  // The partial sums lie behind the whole one.
  for (let k = 0; k < 4; k++) store<f64>(dst + 8 + (k << 3), 0, 0, 1);
  for (let o = 0; o < outer; o++) {
    if (inner == 1) {
      errorOf(src, channels, factors, 4, scale, zero, qmin, qmax, dst + 8);
      src += (channels as usize) << 2;
      continue;
    }
    for (let c = 0; c < channels; c++) {
      errorOf(src, inner, factors + ((c as usize) << 2), 0, scale, zero, qmin, qmax, dst + 8);
      src += (inner as usize) << 2;
    }
  }
  const low = load<f64>(dst, 8, 1) + load<f64>(dst, 16, 1);
  store<f64>(dst, low + (load<f64>(dst, 24, 1) + load<f64>(dst, 32, 1)), 0, 1);
  return outer * channels * inner;
}

// Adds to four sums. @param next - bytes from the factor of an element to the next one's: 4, or 0 for one factor
function errorOf(
  src: usize, n: i32, factors: usize, next: usize, scale: f32, zero: i32, qmin: i32, qmax: i32, sums: usize,
): void {
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    const s = f32x4.splat(scale);
    const low = i32x4.splat(qmin - zero);
    const high = i32x4.splat(qmax - zero);
    const bias = i32x4.splat(ROUND_BITS);
    let even = v128.load(sums);
    let odd = v128.load(sums, 16);
    let f = v128.load32_splat(factors);
    for (; i + 4 <= n; i += 4) {
      const at = (i as usize) << 2;
      if (next) f = v128.load(factors + at);
      const x = v128.load(src + at);
      const levels = f32x4.convert_i32x4_s(four(f32x4.div(x, f), s, bias, low, high));
      const difference = f32x4.sub(x, f32x4.mul(f, f32x4.mul(levels, s)));
      const a = f64x2.promote_low_f32x4(difference);
      const b = f64x2.promote_low_f32x4(v128.shuffle<u32>(difference, difference, 2, 3, 2, 3));
      even = f64x2.add(even, f64x2.mul(a, a));
      odd = f64x2.add(odd, f64x2.mul(b, b));
    }
    v128.store(sums, even);
    v128.store(sums, odd, 16);
  }
  for (; i < n; i++) {
    const x = load<f32>(src + ((i as usize) << 2), 0, 1);
    const factor = load<f32>(factors + (i as usize) * next, 0, 1);
    const level = one(x / factor, scale, 0, qmin - zero, qmax - zero) as f32;
    const difference = (x - factor * (level * scale)) as f64;
    const at = sums + (((i & 3) as usize) << 3);
    store<f64>(at, load<f64>(at, 0, 1) + difference * difference, 0, 1);
  }
}

// @ts-ignore: decorator
@inline
function four(x: v128, scale: v128, bias: v128, low: v128, high: v128): v128 {
  const clamped = f32x4.pmax(f32x4.pmin(f32x4.div(x, scale), f32x4.splat(CLAMP)), f32x4.splat(-CLAMP));
  return i32x4.min_s(i32x4.max_s(i32x4.sub(f32x4.add(clamped, f32x4.splat(ROUND)), bias), low), high);
}

// @ts-ignore: decorator
@inline
function one(x: f32, scale: f32, zero: i32, qmin: i32, qmax: i32): i32 {
  const rounded = nearest<f32>(max<f32>(min<f32>(x / scale, CLAMP), -CLAMP));
  return max(min((rounded as i32) + zero, qmax), qmin);
}
