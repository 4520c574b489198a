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
function wordAtLeast(word: u64, pivot: i32): u64 {
  const sum = (word & 0x7f7f7f7f7f7f7f7f) + ((128 - (pivot & 127)) as u64) * 0x0101010101010101;
  const least = (pivot & 128 ? word & sum : word | sum) & 0x8080808080808080;
  return ((least >> 7) * 0x0102040810204080) >> 56;
}

const POWERS = memory.data<u8>([1, 2, 4, 8, 16, 32, 64, 128, 0, 0, 0, 0, 0, 0, 0, 0]);
const SIXTEEN = memory.data<u8>([16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16]);

/**
 * As compareBits, of any set of bytes: x is in it if bit x >> 5 of byte x & 31 of the 32 bytes at `set` is 1.
 * Reads and writes up to 64 bytes beyond. Returns the count of ones.
 */
export function memberBits(src: usize, n: i32, set: usize, bits: usize): i32 {
  const end = src + n;
  let ones: i32 = 0;
  for (; src < end; src += 64, bits += 8) {
    let word: u64 = 0;
    if (ASC_FEATURE_SIMD) {
      // From memory, because V8 rebuilds a constant in every turn of a loop.
      const first = v128.load(set);
      const second = v128.load(set, 16);
      const powers = v128.load(POWERS);
      const sixteen = v128.load(SIXTEEN);
      word = members(src, first, second, powers, sixteen) | (members(src + 16, first, second, powers, sixteen) << 16);
      const high = members(src + 32, first, second, powers, sixteen) | (members(src + 48, first, second, powers, sixteen) << 16);
      word |= high << 32;
    } else {
      for (let k = 0; k < 64; k++) {
        const byte = load<u8>(src + k) as usize;
        word |= (((load<u8>(set + (byte & 31)) >> ((byte >> 5) as u8)) & 1) as u64) << k;
      }
    }
    ones += storeBits(bits, word, end - src);
  }
  return ones;
}

// A swizzle gives 0 for an index of 16 or more, so one of the two halves of the set answers.
// @ts-ignore: decorator
@inline
function members(src: usize, first: v128, second: v128, powers: v128, sixteen: v128): u64 {
  const bytes = v128.load(src);
  const low = v128.and(bytes, i8x16.splat(31));
  const found = v128.or(i8x16.swizzle(first, low), i8x16.swizzle(second, v128.xor(low, sixteen)));
  const power = i8x16.swizzle(powers, v128.and(i16x8.shr_u(bytes, 5), i8x16.splat(7)));
  return i8x16.bitmask(i8x16.eq(v128.and(found, power), power)) as u64;
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
