import { NOT_FINITE } from "./status";

/**
 * Raises the f32 at dst, one per channel, to the largest magnitudes of f32 [outer, channels, inner] by channel.
 * Returns outer * channels * inner, or NOT_FINITE if a NaN or an infinity is met.
 */
export function columnMax(src: usize, outer: i32, channels: i32, inner: i32, dst: usize): i32 {
  let worst: i32 = 0;
  for (let o = 0; o < outer; o++) {
    if (inner == 1) {
      worst = max(worst, rowMax(src, channels, dst));
      src += (channels as usize) << 2;
      continue;
    }
    for (let c = 0; c < channels; c++) {
      const largest = max(runMax(src, inner), load<i32>(dst + ((c as usize) << 2), 0, 1));
      worst = max(worst, largest);
      store<i32>(dst + ((c as usize) << 2), largest, 0, 1);
      src += (inner as usize) << 2;
    }
  }
  return worst >= 0x7f800000 ? NOT_FINITE : outer * channels * inner;
}

// The bits of magnitudes order like the magnitudes.
function rowMax(src: usize, channels: i32, dst: usize): i32 {
  let worst: i32 = 0;
  let c = 0;
  if (ASC_FEATURE_SIMD) {
    let seen = i32x4.splat(0);
    for (; c + 4 <= channels; c += 4) {
      const at = (c as usize) << 2;
      const bits = v128.and(v128.load(src + at), i32x4.splat(0x7fffffff));
      const largest = i32x4.max_s(bits, v128.load(dst + at));
      seen = i32x4.max_s(seen, largest);
      v128.store(dst + at, largest);
    }
    worst = greatest(seen);
  }
  for (; c < channels; c++) {
    const at = (c as usize) << 2;
    const largest = max(load<i32>(src + at, 0, 1) & 0x7fffffff, load<i32>(dst + at, 0, 1));
    worst = max(worst, largest);
    store<i32>(dst + at, largest, 0, 1);
  }
  return worst;
}

function runMax(src: usize, n: i32): i32 {
  let largest: i32 = 0;
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    let seen = i32x4.splat(0);
    for (; i + 4 <= n; i += 4) {
      seen = i32x4.max_s(seen, v128.and(v128.load(src + ((i as usize) << 2)), i32x4.splat(0x7fffffff)));
    }
    largest = greatest(seen);
  }
  for (; i < n; i++) largest = max(largest, load<i32>(src + ((i as usize) << 2), 0, 1) & 0x7fffffff);
  return largest;
}

// @ts-ignore: decorator
@inline
function greatest(x: v128): i32 {
  return max(
    max(i32x4.extract_lane(x, 0), i32x4.extract_lane(x, 1)),
    max(i32x4.extract_lane(x, 2), i32x4.extract_lane(x, 3)),
  );
}

/**
 * Multiplies n f32 in place by the factors of their channels. The elements are part of [..., channels, inner]; the first is element
 * `start` of a cycle of channels * inner, which begins at the channel of factors[0]. Returns n.
 */
export function smooth(values: usize, n: i32, start: i32, channels: i32, inner: i32, factors: usize): i32 {
  for (let i = 0; i < n; ) {
    const channel = start / inner;
    const run = runLength(n - i, start, channels, inner);
    const at = factors + ((channel as usize) << 2);
    if (inner == 1) multiplyRow(values, run, at);
    else multiplyRun(values, run, load<f32>(at, 0, 1));
    i += run;
    start += run;
    if (start == channels * inner) start = 0;
    values += (run as usize) << 2;
  }
  return n;
}

/** The way back: divides where `smooth` multiplies. */
export function unsmooth(values: usize, n: i32, start: i32, channels: i32, inner: i32, factors: usize): i32 {
  for (let i = 0; i < n; ) {
    const channel = start / inner;
    const run = runLength(n - i, start, channels, inner);
    const at = factors + ((channel as usize) << 2);
    if (inner == 1) divideRow(values, run, at);
    else divideRun(values, run, load<f32>(at, 0, 1));
    i += run;
    start += run;
    if (start == channels * inner) start = 0;
    values += (run as usize) << 2;
  }
  return n;
}

// Elements with factors one after the other (inner = 1), or with one factor.
// @ts-ignore: decorator
@inline
function runLength(left: i32, start: i32, channels: i32, inner: i32): i32 {
  return min(left, inner == 1 ? channels - start : inner - (start % inner));
}

function multiplyRow(values: usize, n: i32, factors: usize): void {
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    for (; i + 4 <= n; i += 4) {
      const at = (i as usize) << 2;
      v128.store(values + at, f32x4.mul(v128.load(values + at), v128.load(factors + at)));
    }
  }
  for (; i < n; i++) {
    const at = (i as usize) << 2;
    store<f32>(values + at, load<f32>(values + at, 0, 1) * load<f32>(factors + at, 0, 1), 0, 1);
  }
}

function multiplyRun(values: usize, n: i32, factor: f32): void {
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    const factors = f32x4.splat(factor);
    for (; i + 4 <= n; i += 4) {
      const at = values + ((i as usize) << 2);
      v128.store(at, f32x4.mul(v128.load(at), factors));
    }
  }
  for (; i < n; i++) {
    const at = values + ((i as usize) << 2);
    store<f32>(at, load<f32>(at, 0, 1) * factor, 0, 1);
  }
}

function divideRow(values: usize, n: i32, factors: usize): void {
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    for (; i + 4 <= n; i += 4) {
      const at = (i as usize) << 2;
      v128.store(values + at, f32x4.div(v128.load(values + at), v128.load(factors + at)));
    }
  }
  for (; i < n; i++) {
    const at = (i as usize) << 2;
    store<f32>(values + at, load<f32>(values + at, 0, 1) / load<f32>(factors + at, 0, 1), 0, 1);
  }
}

function divideRun(values: usize, n: i32, factor: f32): void {
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    const factors = f32x4.splat(factor);
    for (; i + 4 <= n; i += 4) {
      const at = values + ((i as usize) << 2);
      v128.store(at, f32x4.div(v128.load(at), factors));
    }
  }
  for (; i < n; i++) {
    const at = values + ((i as usize) << 2);
    store<f32>(at, load<f32>(at, 0, 1) / factor, 0, 1);
  }
}
