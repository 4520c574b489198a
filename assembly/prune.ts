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
