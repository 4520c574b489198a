// An inner node of a pivoted code: two lists become one under a bitmap. Bit 0 takes from the left list. split.ts is its mirror.

// For each byte of a bitmap, 8 indices: a one takes its rank among the ones (the right list), a zero 16 + its rank among the
// zeros (the left list). SECOND holds the same for a byte behind k ones in the 8 bits before, at k * 2048.
const FIRST = memory.data(2048, 64);
const SECOND = memory.data(9 * 2048, 64);
const SIXTEEN = memory.data<u8>([16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16]);

// When a module is instantiated: 20 KiB that are cheaper to compute than to download.
function build(): void {
  for (let byte = 0; byte < 256; byte++) {
    let ones = 0;
    for (let k = 0; k < 8; k++) {
      const bit = (byte >> k) & 1;
      const at = (byte << 3) + k;
      store<u8>(FIRST + at, (bit ? ones : 16 + k - ones) as u8);
      for (let before = 0; before < 9; before++) {
        store<u8>(SECOND + (before << 11) + at, (bit ? before + ones : 24 - before + k - ones) as u8);
      }
      ones += bit;
    }
  }
}

if (ASC_FEATURE_SIMD) build();

// Without SIMD, eight outputs are a word: the next bytes of the left list from its low end, those of the right one from its high end,
// backwards, brought into order by a butterfly of three exchanges. For each byte of a bitmap four masks: the bytes of the left list, then
// which bytes each exchange moves. Of a pair whose lists run into each other from both ends, always one byte belongs to each half.
export const MASKS = memory.data(32 * 256, 64);

function buildMasks(): void {
  const places = memory.data(8);
  for (let byte: usize = 0; byte < 256; byte++) {
    const masks = MASKS + (byte << 5);
    let zeros: usize = 0;
    for (let k: usize = 0; k < 8; k++) {
      const bit = (byte >> k) & 1;
      store<u8>(places + (bit ? 7 - (k - zeros) : zeros), k as u8);
      zeros += bit ^ 1;
    }
    store<u64>(masks, 0);
    for (let k: usize = 0; k < zeros; k++) store<u8>(masks + k, 255);
    for (let half: usize = 4, at = masks + 8; half > 0; half >>= 1, at += 8) {
      store<u64>(at, 0);
      for (let k: usize = 0; k < 8; k++) {
        const place = load<u8>(places + k) as usize;
        if (k & half || (place & half) == 0) continue;
        store<u8>(at + k, 255);
        if (half == 4) store<u8>(at + k + 4, 255);
        store<u8>(places + k, load<u8>(places + k + half));
        store<u8>(places + k + half, place as u8);
      }
    }
  }
}

if (!ASC_FEATURE_SIMD) buildMasks();

// @ts-ignore: decorator
@inline
export function turn(word: u64): u64 {
  word = ((word & 0x00ff00ff00ff00ff) << 8) | ((word >> 8) & 0x00ff00ff00ff00ff);
  word = ((word & 0x0000ffff0000ffff) << 16) | ((word >> 16) & 0x0000ffff0000ffff);
  return rotl<u64>(word, 32);
}

// Eight outputs.
// @ts-ignore: decorator
@inline
function mergeWord(byte: usize, left: u64, right: u64): u64 {
  const masks = MASKS + (byte << 5);
  let word = right ^ ((left ^ right) & load<u64>(masks));
  word ^= (word ^ rotl<u64>(word, 32)) & load<u64>(masks, 8);
  let moved = (word ^ (word >> 16)) & load<u64>(masks, 16);
  word ^= moved ^ (moved << 16);
  moved = (word ^ (word >> 8)) & load<u64>(masks, 24);
  return word ^ moved ^ (moved << 8);
}

// @ts-ignore: decorator
@inline
function indices(first: usize, second: usize): v128 {
  const ones = popcnt(first);
  return v128.load64_lane(SECOND + (ones << 11) + (second << 3), v128.load64_zero(FIRST + (first << 3)), 1);
}

// A swizzle gives 0 for an index of 16 or more, so each list leaves the places of the other empty.
// @ts-ignore: decorator
@inline
function mergeStep(first: usize, second: usize, left: usize, right: usize, sixteen: v128): v128 {
  const index = indices(first, second);
  const zeros = i8x16.swizzle(v128.load(left), v128.xor(index, sixteen));
  return v128.or(zeros, i8x16.swizzle(v128.load(right), index));
}

/**
 * Merges n bytes: bit i at `bits` says whether output i is the next byte of `left` (0) or of `right` (1).
 * Reads up to 64 bytes beyond each input and writes up to 63 beyond dst + n. Returns n.
 */
export function merge(bits: usize, n: i32, left: usize, right: usize, dst: usize): i32 {
  const end = dst + n;
  if (ASC_FEATURE_SIMD) {
    // From memory, because V8 rebuilds a constant in every turn of a loop.
    const sixteen = v128.load(SIXTEEN);
    // Bytes are loaded one by one, and counts taken from the word shifted left: measured best of eight ways to spell it.
    for (; dst < end; dst += 64, bits += 8) {
      const word = load<u64>(bits, 0, 1);
      v128.store(dst, mergeStep(load<u8>(bits), load<u8>(bits, 1), left, right, sixteen));
      let ones = popcnt(word << 48) as usize;
      v128.store(dst, mergeStep(load<u8>(bits, 2), load<u8>(bits, 3), left + 16 - ones, right + ones, sixteen), 16);
      ones = popcnt(word << 32) as usize;
      v128.store(dst, mergeStep(load<u8>(bits, 4), load<u8>(bits, 5), left + 32 - ones, right + ones, sixteen), 32);
      ones = popcnt(word << 16) as usize;
      v128.store(dst, mergeStep(load<u8>(bits, 6), load<u8>(bits, 7), left + 48 - ones, right + ones, sixteen), 48);
      ones = popcnt(word) as usize;
      left += 64 - ones;
      right += ones;
    }
  } else {
    for (; dst < end; bits++, dst += 8) {
      const byte = load<u8>(bits) as usize;
      store<u64>(dst, mergeWord(byte, load<u64>(left, 0, 1), turn(load<u64>(right, 0, 1))), 0, 1);
      const ones = popcnt(byte);
      right += ones;
      left += 8 - ones;
    }
  }
  return n;
}

/**
 * As merge, where the left child is a leaf: bit 0 gives the byte `leaf`. Unused bits
 * of the last byte are 0. Returns how many bytes of `right` were used.
 */
export function expand(bits: usize, n: i32, right: usize, leaf: i32, dst: usize): i32 {
  const end = dst + n;
  const first = right;
  if (ASC_FEATURE_SIMD) {
    // Zeros come out as 0 ^ leaf, ones as (x ^ leaf) ^ leaf.
    const flip = i8x16.splat(leaf as i8);
    for (; dst < end; dst += 64, bits += 8) {
      const word = load<u64>(bits, 0, 1);
      v128.store(dst, expandStep(load<u8>(bits), load<u8>(bits, 1), right, flip));
      let at = right + (popcnt(word << 48) as usize);
      v128.store(dst, expandStep(load<u8>(bits, 2), load<u8>(bits, 3), at, flip), 16);
      at = right + (popcnt(word << 32) as usize);
      v128.store(dst, expandStep(load<u8>(bits, 4), load<u8>(bits, 5), at, flip), 32);
      at = right + (popcnt(word << 16) as usize);
      v128.store(dst, expandStep(load<u8>(bits, 6), load<u8>(bits, 7), at, flip), 48);
      const used = end - dst < 64 ? word & (((1 as u64) << (end - dst)) - 1) : word;
      right += popcnt(used) as usize;
    }
  } else {
    const leaves = (leaf as u64) * 0x0101010101010101;
    for (; dst < end; bits++, dst += 8) {
      const byte = load<u8>(bits) as usize;
      store<u64>(dst, mergeWord(byte, leaves, turn(load<u64>(right, 0, 1))), 0, 1);
      right += popcnt(byte);
    }
  }
  return (right - first) as i32;
}

// @ts-ignore: decorator
@inline
function expandStep(first: usize, second: usize, right: usize, flip: v128): v128 {
  return v128.xor(i8x16.swizzle(v128.xor(v128.load(right), flip), indices(first, second)), flip);
}
