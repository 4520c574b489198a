import { MASKS, turn } from "./merge";

// The mirror of merge: a bitmap says where each byte of a list goes, and the list is taken apart. Bit 0 goes to the left.

// For each byte of a bitmap, 8 indices that gather its ones to the front, then 8 that gather its zeros; and the same plus 8, for the
// upper half of a vector.
const LOWER = memory.data(4096, 64);
const UPPER = memory.data(4096, 64);

function build(): void {
  for (let byte = 0; byte < 256; byte++) {
    let ones = 0;
    for (let k = 0; k < 8; k++) {
      const bit = (byte >> k) & 1;
      const at = (byte << 4) + (bit ? ones : 8 + k - ones);
      store<u8>(LOWER + at, k as u8);
      store<u8>(UPPER + at, (8 + k) as u8);
      ones += bit;
    }
  }
}

if (ASC_FEATURE_SIMD) build();

/**
 * The first half of a split: bit i at `bits` says whether byte i of the n at src is at least `pivot` (unsigned, 1..255).
 * Unused bits of the last byte are 0. Reads and writes up to 64 bytes beyond. Returns the count of ones.
 */
export function compareBits(src: usize, n: i32, pivot: i32, bits: usize): i32 {
  const end = src + n;
  let ones: i32 = 0;
  for (; src < end; src += 64, bits += 8) {
    let word: u64 = 0;
    if (ASC_FEATURE_SIMD) {
      const least = i8x16.splat(pivot as i8);
      word = atLeast(src, least) | (atLeast(src + 16, least) << 16);
      word |= (atLeast(src + 32, least) | (atLeast(src + 48, least) << 16)) << 32;
    } else {
      for (let k = 0; k < 64; k += 8) word |= wordAtLeast(load<u64>(src + k, 0, 1), pivot) << k;
    }
    ones += storeBits(bits, word, end - src);
  }
  return ones;
}

// @ts-ignore: decorator
@inline
function storeBits(bits: usize, word: u64, left: usize): i32 {
  if (left < 64) word &= ((1 as u64) << left) - 1;
  store<u64>(bits, word, 0, 1);
  return popcnt(word) as i32;
}

// @ts-ignore: decorator
@inline
function atLeast(src: usize, least: v128): u64 {
  return i8x16.bitmask(i8x16.ge_u(v128.load(src), least)) as u64;
}

// Seven bits are compared by a sum that has the eighth if the byte is at least the pivot; then the eighth ones.
// @ts-ignore: decorator
@inline
export function wordAtLeast(word: u64, pivot: i32): u64 {
  const sum = (word & 0x7f7f7f7f7f7f7f7f) + ((128 - (pivot & 127)) as u64) * 0x0101010101010101;
  const least = (pivot & 128 ? word & sum : word | sum) & 0x8080808080808080;
  return ((least >> 7) * 0x0102040810204080) >> 56;
}

/**
 * As compareBits, of ranges of signed bytes: bit i is `side` (0 or 1), changed once for each of the `count` ends that byte i lies above.
 * `ends` are signed bytes, filled up with 127 to a multiple of 4. Reads and writes up to 64 bytes beyond. Returns the count of ones.
 */
export function rangeBits(src: usize, n: i32, ends: usize, count: i32, side: i32, bits: usize): i32 {
  let ones = changeBits(src, n, ends, true, -(side as i64), bits);
  for (let from = 4; from < count; from += 4) ones = changeBits(src, n, ends + from, false, 0, bits);
  return ones;
}

// Four ends. The first four change `start`, others the bits that are there.
function changeBits(src: usize, n: i32, ends: usize, first: bool, start: u64, bits: usize): i32 {
  let ones: i32 = 0;
  for (const end = src + n; src < end; src += 64, bits += 8) {
    let word = first ? start : load<u64>(bits, 0, 1);
    if (ASC_FEATURE_SIMD) {
      const a = v128.load8_splat(ends);
      const b = v128.load8_splat(ends, 1);
      const c = v128.load8_splat(ends, 2);
      const d = v128.load8_splat(ends, 3);
      word ^= changes(src, a, b, c, d) | (changes(src + 16, a, b, c, d) << 16);
      word ^= (changes(src + 32, a, b, c, d) | (changes(src + 48, a, b, c, d) << 16)) << 32;
    } else {
      for (let k = 0; k < 64; k++) {
        const value = load<i8>(src + k);
        for (let i = 0; i < 4; i++) if (value > load<i8>(ends + i)) word ^= (1 as u64) << k;
      }
    }
    ones += storeBits(bits, word, end - src);
  }
  return ones;
}

// @ts-ignore: decorator
@inline
function changes(src: usize, a: v128, b: v128, c: v128, d: v128): u64 {
  const bytes = v128.load(src);
  const low = v128.xor(i8x16.gt_s(bytes, a), i8x16.gt_s(bytes, b));
  const high = v128.xor(i8x16.gt_s(bytes, c), i8x16.gt_s(bytes, d));
  return i8x16.bitmask(v128.xor(low, high)) as u64;
}

/**
 * The second half: takes the n bytes at src apart, those of zeros to `left`, those of ones to `right`; the mirror of merge.
 * Reads and writes up to 8 bytes beyond. Returns n.
 */
export function split(bits: usize, src: usize, n: i32, left: usize, right: usize): i32 {
  const end = src + n;
  if (ASC_FEATURE_SIMD) {
    for (const wide = end - (n & 31); src < wide; src += 32, bits += 4) {
      const word = load<u32>(bits, 0, 1);
      const a = v128.load(src);
      const b = v128.load(src, 16);
      const first = i8x16.swizzle(a, v128.load((word << 4) & 0xff0, LOWER));
      const second = i8x16.swizzle(a, v128.load((word >> 4) & 0xff0, UPPER));
      const third = i8x16.swizzle(b, v128.load((word >> 12) & 0xff0, LOWER));
      const fourth = i8x16.swizzle(b, v128.load((word >> 20) & 0xff0, UPPER));
      const one = popcnt(word & 0xff);
      const two = popcnt(word & 0xffff);
      const three = popcnt(word & 0xffffff);
      const ones = popcnt(word);
      // Stores that take turns between two lists are half as fast.
      v128.store64_lane(right, first, 0);
      v128.store64_lane(right + one, second, 0);
      v128.store64_lane(right + two, third, 0);
      v128.store64_lane(right + three, fourth, 0);
      right += ones;
      v128.store64_lane(left, first, 1);
      v128.store64_lane(left - one, second, 1, 8);
      v128.store64_lane(left - two, third, 1, 16);
      v128.store64_lane(left - three, fourth, 1, 24);
      left += 32 - ones;
    }
  }
  for (; src < end; src += 8, bits++) {
    const byte = load<u8>(bits) as usize;
    if (ASC_FEATURE_SIMD) {
      const parts = i8x16.swizzle(v128.load64_zero(src), v128.load(byte << 4, LOWER));
      v128.store64_lane(right, parts, 0);
      v128.store64_lane(left, parts, 1);
    } else {
      const word = splitWord(byte, load<u64>(src, 0, 1));
      store<u64>(left, word, 0, 1);
      store<u64>(right, turn(word), 0, 1);
    }
    const ones = popcnt(byte);
    left += 8 - ones;
    right += ones;
  }
  return n;
}

// The exchanges of mergeWord the other way round, so that zeros lie at the low end and ones at the high one, backwards.
// @ts-ignore: decorator
@inline
function splitWord(byte: usize, word: u64): u64 {
  const masks = MASKS + (byte << 5);
  let moved = (word ^ (word >> 8)) & load<u64>(masks, 24);
  word ^= moved ^ (moved << 8);
  moved = (word ^ (word >> 16)) & load<u64>(masks, 16);
  word ^= moved ^ (moved << 16);
  return word ^ ((word ^ rotl<u64>(word, 32)) & load<u64>(masks, 8));
}

/** Takes the bytes of ones alone: split without its left list. Writes up to 8 bytes beyond. Returns their count. */
export function gather(bits: usize, src: usize, n: i32, dst: usize): i32 {
  const first = dst;
  const end = src + n;
  if (ASC_FEATURE_SIMD) {
    for (const wide = end - (n & 31); src < wide; src += 32, bits += 4) {
      const word = load<u32>(bits, 0, 1);
      const a = v128.load(src);
      const b = v128.load(src, 16);
      v128.store64_lane(dst, i8x16.swizzle(a, v128.load64_zero((word << 4) & 0xff0, LOWER)), 0);
      v128.store64_lane(dst + popcnt(word & 0xff), i8x16.swizzle(a, v128.load64_zero((word >> 4) & 0xff0, UPPER)), 0);
      v128.store64_lane(dst + popcnt(word & 0xffff), i8x16.swizzle(b, v128.load64_zero((word >> 12) & 0xff0, LOWER)), 0);
      v128.store64_lane(dst + popcnt(word & 0xffffff), i8x16.swizzle(b, v128.load64_zero((word >> 20) & 0xff0, UPPER)), 0);
      dst += popcnt(word);
    }
  }
  for (; src < end; src += 8, bits++) {
    const byte = load<u8>(bits) as usize;
    if (ASC_FEATURE_SIMD) {
      v128.store64_lane(dst, i8x16.swizzle(v128.load64_zero(src), v128.load64_zero(byte << 4, LOWER)), 0);
    } else {
      store<u64>(dst, turn(splitWord(byte, load<u64>(src, 0, 1))), 0, 1);
    }
    dst += popcnt(byte);
  }
  return (dst - first) as i32;
}
