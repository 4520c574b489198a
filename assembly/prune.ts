import { NOT_FINITE } from "./status";

/**
 * Adds the magnitudes of n f32 to a histogram of their bits, which order like the magnitudes themselves.
 * prefix < 0: bins of the upper 16 of 31 bits (65536 u32 at dst); else bins of the lower 15 bits (32768 u32) of the
 * elements whose upper bits equal prefix. Two calls thus find any order statistic exactly, without a sort.
 * Returns n, or NOT_FINITE if a NaN or an infinity is met.
 */
export function magnitudes(src: usize, n: i32, prefix: i32, dst: usize): i32 {
  let worst: u32 = 0;
  const end = src + ((n as usize) << 2);
  for (; src < end; src += 4) {
    const bits = load<u32>(src, 0, 1) & 0x7fffffff;
    worst = max(worst, bits);
    const upper = bits >> 15;
    if (prefix >= 0 && upper != (prefix as u32)) continue;
    const at = dst + ((prefix < 0 ? upper : bits & 0x7fff) << 2);
    store<u32>(at, load<u32>(at, 0, 1) + 1, 0, 1);
  }
  return worst >= 0x7f800000 ? NOT_FINITE : n;
}

/**
 * Zeroes the f32 whose magnitude bits are below threshold, and the first `ties` that equal it. dst may equal src.
 * Returns the count of ties used.
 */
export function prune(src: usize, n: i32, threshold: i32, ties: i32, dst: usize): i32 {
  let left = ties;
  const end = src + ((n as usize) << 2);
  if (ASC_FEATURE_SIMD) {
    const limit = i32x4.splat(threshold);
    for (const wide = end - ((n & 3) << 2); src < wide; src += 16, dst += 16) {
      const x = v128.load(src);
      const bits = v128.and(x, i32x4.splat(0x7fffffff));
      if (left > 0 && v128.any_true(i32x4.eq(bits, limit))) {
        for (let k = 0; k < 16; k += 4) left = pruneOne(src + k, threshold, left, dst + k);
      } else {
        v128.store(dst, v128.andnot(x, i32x4.lt_s(bits, limit)));
      }
    }
  }
  for (; src < end; src += 4, dst += 4) left = pruneOne(src, threshold, left, dst);
  return ties - left;
}

// @ts-ignore: decorator
@inline
function pruneOne(src: usize, threshold: i32, ties: i32, dst: usize): i32 {
  const x = load<u32>(src, 0, 1);
  const bits = (x & 0x7fffffff) as i32;
  const tied = bits == threshold && ties > 0;
  store<u32>(dst, bits < threshold || tied ? 0 : x, 0, 1);
  return tied ? ties - 1 : ties;
}

/**
 * Zeroes all but the `keep` of largest magnitude in every `group` neighbours along the middle axis of f32 [outer, axis,
 * inner]; of equal ones the earlier are zeroed. A last shorter group keeps as many, or all it has. dst lies apart from src.
 * Returns outer * axis * inner, or NOT_FINITE if a NaN or an infinity is met.
 */
export function prunePattern(
  src: usize, outer: i32, axis: i32, inner: i32, keep: i32, group: i32, dst: usize,
): i32 {
  let worst = 0;
  for (let o = 0; o < outer; o++) {
    let at = 0;
    if (ASC_FEATURE_SIMD && inner == 1) {
      if (group == 4) {
        worst = max(worst, fours(src, axis, keep, dst));
        at = axis & ~3;
      } else if (group == 8) {
        worst = max(worst, eights(src, axis, keep, dst));
        at = axis & ~7;
      }
    }
    for (; at < axis; at += group) {
      const offset = ((at * inner) as usize) << 2;
      worst = max(worst, slab(src + offset, min(group, axis - at), inner, keep, dst + offset));
    }
    src += ((axis * inner) as usize) << 2;
    dst += ((axis * inner) as usize) << 2;
  }
  return worst >= 0x7f800000 ? NOT_FINITE : outer * axis * inner;
}

// An element is kept if fewer than `keep` of its group are larger, or equal and later.
function slab(src: usize, size: i32, inner: i32, keep: i32, dst: usize): i32 {
  const stride = (inner as usize) << 2;
  let worst = 0;
  let c = 0;
  if (ASC_FEATURE_SIMD) {
    let seen = i32x4.splat(0);
    for (; c + 4 <= inner; c += 4) {
      const column = src + ((c as usize) << 2);
      for (let i = 0; i < size; i++) {
        const x = v128.load(column + (i as usize) * stride);
        const bits = magnitude(x);
        let larger = i32x4.splat(0);
        for (let j = 0; j < size; j++) {
          const other = magnitude(v128.load(column + (j as usize) * stride));
          larger = i32x4.sub(larger, j > i ? i32x4.ge_s(other, bits) : i32x4.gt_s(other, bits));
        }
        seen = i32x4.max_s(seen, bits);
        const kept = i32x4.lt_s(larger, i32x4.splat(keep));
        v128.store(dst + ((c as usize) << 2) + (i as usize) * stride, v128.and(x, kept));
      }
    }
    worst = greatest(seen);
  }
  for (; c < inner; c++) {
    const column = src + ((c as usize) << 2);
    for (let i = 0; i < size; i++) {
      const x = load<u32>(column + (i as usize) * stride, 0, 1);
      const bits = (x & 0x7fffffff) as i32;
      let larger = 0;
      for (let j = 0; j < size; j++) {
        const other = (load<u32>(column + (j as usize) * stride, 0, 1) & 0x7fffffff) as i32;
        larger += (other > bits || (j > i && other == bits)) as i32;
      }
      worst = max(worst, bits);
      store<u32>(dst + ((c as usize) << 2) + (i as usize) * stride, larger < keep ? x : 0, 0, 1);
    }
  }
  return worst;
}

// Whole groups of four neighbours: each lane meets the other three by turning the vector; those behind it count when equal.
function fours(src: usize, n: i32, keep: i32, dst: usize): i32 {
  let seen = i32x4.splat(0);
  for (let i = 0; i + 4 <= n; i += 4, src += 16, dst += 16) {
    const x = v128.load(src);
    const bits = magnitude(x);
    seen = i32x4.max_s(seen, bits);
    v128.store(dst, v128.and(x, i32x4.gt_s(i32x4.add(within(bits), i32x4.splat(keep)), i32x4.splat(0))));
  }
  return greatest(seen);
}

function eights(src: usize, n: i32, keep: i32, dst: usize): i32 {
  let seen = i32x4.splat(0);
  for (let i = 0; i + 8 <= n; i += 8, src += 32, dst += 32) {
    const x = v128.load(src);
    const y = v128.load(src, 16);
    let a = magnitude(x);
    const b = magnitude(y);
    seen = i32x4.max_s(i32x4.max_s(seen, a), b);
    let first = within(a);
    let second = within(b);
    // Turned four times, every lane of one half has met every lane of the other.
    first = i32x4.add(first, i32x4.le_s(a, b));
    second = i32x4.add(second, i32x4.gt_s(a, b));
    for (let k = 1; k < 4; k++) {
      a = turned(a);
      first = i32x4.add(turned(first), i32x4.le_s(a, b));
      second = i32x4.add(second, i32x4.gt_s(a, b));
    }
    first = turned(first);
    const least = i32x4.splat(keep);
    v128.store(dst, v128.and(x, i32x4.gt_s(i32x4.add(first, least), i32x4.splat(0))));
    v128.store(dst, v128.and(y, i32x4.gt_s(i32x4.add(second, least), i32x4.splat(0))), 16);
  }
  return greatest(seen);
}

// Minus the count of lanes that are larger than each, or equal and later.
// @ts-ignore: decorator
@inline
function within(bits: v128): v128 {
  const one = turned(bits);
  const two = turned(one);
  const three = turned(two);
  const later1 = v128.and(i32x4.eq(one, bits), i32x4(-1, -1, -1, 0));
  const later2 = v128.and(i32x4.eq(two, bits), i32x4(-1, -1, 0, 0));
  const later3 = v128.and(i32x4.eq(three, bits), i32x4(-1, 0, 0, 0));
  const larger = i32x4.add(i32x4.gt_s(one, bits), i32x4.add(i32x4.gt_s(two, bits), i32x4.gt_s(three, bits)));
  return i32x4.add(larger, i32x4.add(later1, i32x4.add(later2, later3)));
}

// @ts-ignore: decorator
@inline
function turned(x: v128): v128 {
  return v128.shuffle<u32>(x, x, 1, 2, 3, 0);
}

// @ts-ignore: decorator
@inline
function magnitude(x: v128): v128 {
  return v128.and(x, i32x4.splat(0x7fffffff));
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
 * The sum of squares of each row of f32, as f64 at dst: four partial sums, element i in the (i mod 4)th, added as
 * (0 + 1) + (2 + 3). A square is exact, so this order alone makes every tier agree. Returns rows, or NOT_FINITE.
 */
export function squares(src: usize, rows: i32, cols: i32, dst: usize): i32 {
  let finite = true;
  for (let row = 0; row < rows; row++, src += (cols as usize) << 2, dst += 8) {
    const sum = rowSquares(src, cols);
    finite = finite && sum - sum == 0;
    store<f64>(dst, sum, 0, 1);
  }
  return finite ? rows : NOT_FINITE;
}

function rowSquares(src: usize, cols: i32): f64 {
  let s0: f64 = 0;
  let s1: f64 = 0;
  let s2: f64 = 0;
  let s3: f64 = 0;
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    let low = f64x2.splat(0);
    let high = f64x2.splat(0);
    for (; i + 4 <= cols; i += 4) {
      const x = v128.load(src + ((i as usize) << 2));
      const a = f64x2.promote_low_f32x4(x);
      const b = f64x2.promote_low_f32x4(v128.shuffle<u32>(x, x, 2, 3, 2, 3));
      low = f64x2.add(low, f64x2.mul(a, a));
      high = f64x2.add(high, f64x2.mul(b, b));
    }
    s0 = f64x2.extract_lane(low, 0);
    s1 = f64x2.extract_lane(low, 1);
    s2 = f64x2.extract_lane(high, 0);
    s3 = f64x2.extract_lane(high, 1);
  }
  for (; i + 4 <= cols; i += 4) {
    const at = src + ((i as usize) << 2);
    s0 += square(at);
    s1 += square(at + 4);
    s2 += square(at + 8);
    s3 += square(at + 12);
  }
  const rest = src + ((i as usize) << 2);
  if (i < cols) s0 += square(rest);
  if (i + 1 < cols) s1 += square(rest + 4);
  if (i + 2 < cols) s2 += square(rest + 8);
  return s0 + s1 + (s2 + s3);
}

// @ts-ignore: decorator
@inline
function square(at: usize): f64 {
  const x = load<f32>(at, 0, 1) as f64;
  return x * x;
}
