import { KRAFT, LENGTHS } from "./status.ts";

const SYMBOLS = 256;
/** The limit of huffman; tables of pivot go further, have their symbols by signed value, and may repeat a length. */
const SHORT = 11;
const AGAIN = 13;
const LEAST_AGAIN = 3;

/** Longest code of 256 code lengths at `lengths`. */
export function longest(b: Uint8Array, lengths: number): number {
  let most = 0;
  for (let symbol = 0; symbol < SYMBOLS; symbol++) most = Math.max(most, b[lengths + symbol] as number);
  return most;
}

function nibble(b: Uint8Array, src: number, at: number): number {
  return ((b[src + (at >> 1)] as number) >> ((at & 1) << 2)) & 15;
}

/**
 * Reads code lengths up to limit (11 or 12): 256 bytes at dst, then as i32 at dst + 256 the only symbol or -1.
 * Returns the bytes used, or LENGTHS or KRAFT.
 */
export function readLengths(b: Uint8Array, src: number, size: number, limit: number, dst: number): number {
  b.fill(0, dst, dst + SYMBOLS);
  const full = 1 << limit;
  const sign = limit > SHORT ? 128 : 0;
  const end = size << 1;
  let only = -1;
  let place = 0;
  let kraft = 0;
  let at = 0;
  let latest = 0;
  while (kraft < full) {
    const items = itemSize(b, src, at, end, sign);
    if (at + items > end) return LENGTHS;
    const length = nibble(b, src, at);
    if (items > 1) {
      const run = runOf(b, src, at, items) + (length === 0 ? 1 : LEAST_AGAIN);
      at += items;
      if (length === 0) {
        if (at >= end || place + run >= SYMBOLS || nibble(b, src, at) === 0) return LENGTHS;
      } else {
        if (latest === 0 || place + run > SYMBOLS) return LENGTHS;
        for (let k = place; k < place + run; k++) b[dst + (k ^ sign)] = latest;
        kraft += run * (full >> latest);
      }
      place += run;
      latest = 0;
      continue;
    }
    at++;
    if (place >= SYMBOLS) return LENGTHS;
    if (length === 15 && kraft === 0 && sign === 0) {
      only = place;
      break;
    }
    if (length > limit) return LENGTHS;
    latest = length;
    b[dst + (place++ ^ sign)] = length;
    kraft += full >> length;
  }
  if (kraft > full) return KRAFT;
  if (at & 1 && nibble(b, src, at) !== 0) return LENGTHS;
  for (let k = 0; k < 4; k++) b[dst + SYMBOLS + k] = only >> (8 * k);
  return (at + 1) >> 1;
}

// Nibbles that the item at `at` takes, reading none at or beyond end.
function itemSize(b: Uint8Array, src: number, at: number, end: number, sign: number): number {
  if (at >= end) return 1;
  const mark = nibble(b, src, at);
  if (mark !== 0 && (sign === 0 || mark !== AGAIN)) return 1;
  return at + 1 < end && nibble(b, src, at + 1) === 15 ? 4 : 2;
}

// What the nibbles behind the mark of a run say: 0..14 in one, 15 and more in three.
function runOf(b: Uint8Array, src: number, at: number, items: number): number {
  return items === 2 ? nibble(b, src, at + 1) : 15 + nibble(b, src, at + 2) + (nibble(b, src, at + 3) << 4);
}
