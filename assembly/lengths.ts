import { KRAFT, LENGTHS } from "./status";

/** Longest code of `huffman`, in bits. */
export const LIMIT: i32 = 11;
const SYMBOLS: i32 = 256;

// Layout of the scratch of codeLengths: sorted leaves, two levels of weights, and per level which items are leaves.
const LEAVES: usize = 0;
const WEIGHTS: usize = 2048;
const LEVEL_BYTES: usize = 4096;
const FLAGS: usize = WEIGHTS + 2 * LEVEL_BYTES;
const FLAG_BYTES: usize = 512;

/**
 * Optimal code lengths of at most `limit` bits (11 or 12) for 256 u32 counts at hist, as 256 bytes at dst; 0 = absent.
 * Package-merge (Larmore and Hirschberg 1990). Leaves are ordered by (count, symbol); of a leaf and a package of equal
 * weight the leaf comes first: this fixes the lengths, so every tier writes the same bytes. A single symbol gets 0.
 * scratch: 32 KiB. Returns the count of present symbols.
 */
export function codeLengths(hist: usize, limit: i32, dst: usize, scratch: usize): i32 {
  memory.fill(dst, 0, SYMBOLS);
  const n = sortLeaves(hist, scratch + LEAVES);
  if (n < 2) return n;
  for (let level = 0; level < limit; level++) mergeLevel(scratch, n, level);
  let take = 2 * n - 2;
  for (let level = limit - 1; level >= 0; level--) {
    let leaves = 0;
    const flags = scratch + FLAGS + (level as usize) * FLAG_BYTES;
    for (let i = 0; i < take; i++) leaves += load<u8>(flags + i) as i32;
    for (let i = 0; i < leaves; i++) {
      const at = dst + (load<u8>(scratch + LEAVES + (i << 3)) as usize);
      store<u8>(at, load<u8>(at) + 1);
    }
    take = 2 * (take - leaves);
  }
  return n;
}

// Keys count << 8 | symbol, ascending: an insertion sort, at most 256 long.
function sortLeaves(hist: usize, keys: usize): i32 {
  let n = 0;
  for (let symbol = 0; symbol < SYMBOLS; symbol++) {
    const count = load<u32>(hist + (symbol << 2), 0, 1) as u64;
    if (count == 0) continue;
    const key = (count << 8) | symbol;
    let at = keys + (n << 3);
    for (; at > keys && load<u64>(at - 8, 0, 1) > key; at -= 8) store<u64>(at, load<u64>(at - 8, 0, 1), 0, 1);
    store<u64>(at, key, 0, 1);
    n++;
  }
  return n;
}

// List of a level = leaves merged with pairs of the list below. Only weights of two levels are kept, but all flags.
function mergeLevel(scratch: usize, n: i32, level: i32): void {
  const odd = (level & 1) as usize;
  const dst = scratch + WEIGHTS + odd * LEVEL_BYTES;
  const below = scratch + WEIGHTS + (1 - odd) * LEVEL_BYTES;
  const flags = scratch + FLAGS + (level as usize) * FLAG_BYTES;
  // A list has n + floor(size below / 2) items: n, then n + n/2, ... below 2n.
  let packages = 0;
  for (let l = 0; l < level; l++) packages = (n + packages) >> 1;
  let leaf = 0;
  let pack = 0;
  for (let i = 0; i < n + packages; i++) {
    const leafWeight = leaf < n ? load<u64>(scratch + LEAVES + (leaf << 3), 0, 1) >> 8 : u64.MAX_VALUE;
    const at = below + (pack << 4);
    const packWeight = pack < packages ? load<u64>(at, 0, 1) + load<u64>(at, 8, 1) : u64.MAX_VALUE;
    const isLeaf = leafWeight <= packWeight && leaf < n;
    store<u64>(dst + (i << 3), isLeaf ? leafWeight : packWeight, 0, 1);
    store<u8>(flags + i, isLeaf as u8);
    if (isLeaf) leaf++;
    else pack++;
  }
}

// @ts-ignore: decorator
@inline
function putNibble(dst: usize, at: i32, nibble: i32): i32 {
  const byte = dst + (at >> 1);
  if (at & 1) store<u8>(byte, load<u8>(byte) | ((nibble << 4) as u8));
  else store<u8>(byte, nibble as u8);
  return at + 1;
}

// A run, of absent symbols (mark 0) or of the length before once more (mark 13): `least` to least + 14 in one nibble, more in three.
function putRun(dst: usize, at: i32, mark: i32, run: i32, least: i32): i32 {
  at = putNibble(dst, at, mark);
  run -= least;
  if (run < 15) return putNibble(dst, at, run);
  at = putNibble(dst, at, 15);
  at = putNibble(dst, at, (run - 15) & 15);
  return putNibble(dst, at, (run - 15) >> 4);
}

// Under the limit of pivot, tables have their symbols by signed value and may repeat a length: code lengths of a bell-shaped distribution
// are a few long runs.
const AGAIN: i32 = 13;
const LEAST_AGAIN: i32 = 3;

// @ts-ignore: decorator
@inline
function signOf(limit: i32): i32 {
  return limit > LIMIT ? 128 : 0;
}

// How many symbols behind `place` have its length.
function repeats(lengths: usize, place: i32): i32 {
  const length = load<u8>(lengths + (place ^ 128));
  let end = place + 1;
  while (end < SYMBOLS && load<u8>(lengths + (end ^ 128)) == length) end++;
  return end - place - 1;
}

/**
 * Writes 256 code lengths of at most `limit` bits, 11 or 12 (or the only symbol, if only >= 0), as docs/FORMAT.md says.
 * Returns the bytes written.
 */
export function writeLengths(lengths: usize, only: i32, limit: i32, dst: usize): i32 {
  const full = 1 << limit;
  const sign = signOf(limit);
  let at = 0;
  let absent = 0;
  for (let place = 0, kraft = 0; place < SYMBOLS && kraft < full; place++) {
    const symbol = place ^ sign;
    const length = symbol == only ? 15 : (load<u8>(lengths + symbol) as i32);
    if (length == 0) {
      absent++;
      continue;
    }
    if (absent) at = putRun(dst, at, 0, absent, 1);
    absent = 0;
    at = putNibble(dst, at, length);
    kraft += length == 15 ? full : full >> length;
    const again = sign ? repeats(lengths, place) : 0;
    if (again < LEAST_AGAIN) continue;
    at = putRun(dst, at, AGAIN, again, LEAST_AGAIN);
    place += again;
    kraft += again * (full >> length);
  }
  return (at + 1) >> 1;
}

// @ts-ignore: decorator
@inline
function nibble(src: usize, at: i32): i32 {
  return (load<u8>(src + (at >> 1)) >> ((at & 1) << 2)) & 15;
}

/**
 * Reads code lengths of at most `limit` bits, 11 or 12: 256 bytes at dst, then as i32 at dst + 256 the only symbol or -1.
 * Returns the bytes used, or LENGTHS (cut short, an undefined nibble, a symbol beyond 255) or KRAFT (too many codes).
 */
export function readLengths(src: usize, size: i32, limit: i32, dst: usize): i32 {
  const full = 1 << limit;
  const sign = signOf(limit);
  memory.fill(dst, 0, SYMBOLS);
  let only = -1;
  let place = 0;
  let kraft = 0;
  let at = 0;
  let latest = 0;
  const end = size << 1;
  while (kraft < full) {
    if (at + 4 > end && at + itemSize(src, at, end, sign) > end) return LENGTHS;
    const length = nibble(src, at++);
    if (length == 0 || (sign && length == AGAIN)) {
      const short = nibble(src, at++);
      let run = short + (length == 0 ? 1 : LEAST_AGAIN);
      if (short == 15) {
        run += nibble(src, at) + (nibble(src, at + 1) << 4);
        at += 2;
      }
      place += run;
      if (length == AGAIN) {
        // There must be a length before, and no run.
        if (latest == 0 || place > SYMBOLS) return LENGTHS;
        for (let k = place - run; k < place; k++) store<u8>(dst + (k ^ sign), latest as u8);
        kraft += run * (full >> latest);
      } else if (at >= end || place >= SYMBOLS || nibble(src, at) == 0) {
        // The writer never splits a run, and an end inside it could not complete the code.
        return LENGTHS;
      }
      latest = 0;
      continue;
    }
    if (place >= SYMBOLS) return LENGTHS;
    if (length == 15 && kraft == 0 && sign == 0) {
      only = place;
      break;
    }
    if (length > limit) return LENGTHS;
    latest = length;
    store<u8>(dst + (place++ ^ sign), length as u8);
    kraft += full >> length;
  }
  if (kraft > full) return KRAFT;
  if (at & 1 && nibble(src, at) != 0) return LENGTHS;
  store<i32>(dst + SYMBOLS, only, 0, 1);
  return (at + 1) >> 1;
}

// Nibbles that the item at `at` takes, reading none at or beyond end.
function itemSize(src: usize, at: i32, end: i32, sign: i32): i32 {
  if (at >= end || (nibble(src, at) != 0 && (sign == 0 || nibble(src, at) != AGAIN))) return 1;
  if (at + 1 >= end || nibble(src, at + 1) != 15) return 2;
  return 4;
}
