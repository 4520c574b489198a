import { KRAFT, LENGTHS } from "./status.ts";

const SYMBOLS = 256;
/** The limit of huffman, under which a table may also name one only symbol. */
const SHORT = 11;

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
  const end = size << 1;
  let only = -1;
  let symbol = 0;
  let kraft = 0;
  let at = 0;
  while (kraft < full) {
    if (at + itemSize(b, src, at, end) > end) return LENGTHS;
    const length = nibble(b, src, at++);
    if (length === 0) {
      const run = nibble(b, src, at++);
      symbol += run + 1;
      if (run === 15) {
        symbol += nibble(b, src, at) + (nibble(b, src, at + 1) << 4);
        at += 2;
      }
      if (at >= end || symbol >= SYMBOLS || nibble(b, src, at) === 0) return LENGTHS;
      continue;
    }
    if (symbol >= SYMBOLS) return LENGTHS;
    if (length === 15 && kraft === 0 && limit === SHORT) {
      only = symbol;
      break;
    }
    if (length > limit) return LENGTHS;
    b[dst + symbol++] = length;
    kraft += full >> length;
  }
  if (kraft > full) return KRAFT;
  if (at & 1 && nibble(b, src, at) !== 0) return LENGTHS;
  for (let k = 0; k < 4; k++) b[dst + SYMBOLS + k] = only >> (8 * k);
  return (at + 1) >> 1;
}

// Nibbles that the item at `at` takes, reading none at or beyond end.
function itemSize(b: Uint8Array, src: number, at: number, end: number): number {
  if (at >= end || nibble(b, src, at) !== 0) return 1;
  if (at + 1 >= end || nibble(b, src, at + 1) !== 15) return 2;
  return 4;
}
