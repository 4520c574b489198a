import { BITS, COUNT, LEVEL, PADDING, RUN, SYMBOL } from "./status.ts";

const PAIRS = 254;

// Per symbol below the escape: run | (category - 1) << 8 | mask of the raw field << 16.
function setsOf(categories: number): Int32Array {
  const runs = Math.floor(PAIRS / categories);
  const sets = new Int32Array(256);
  for (let run = 0, at = 0; run < runs; run++) {
    for (let top = 0; top < categories; top++) sets[at++] = run | (top << 8) | (((2 << top) - 1) << 16);
  }
  return sets;
}

/**
 * Turns m symbols and rawSize bytes of raw bits back into n signed bytes at dst, exactly n.
 * Returns n, or SYMBOL, RUN, COUNT, LEVEL, BITS or PADDING.
 */
export function zrlValues(
  b: Uint8Array,
  symbols: number,
  m: number,
  raw: number,
  rawSize: number,
  group: number,
  categories: number,
  n: number,
  dst: number,
): number {
  b.fill(0, dst, dst + n);
  const runs = Math.floor(PAIRS / categories);
  const escapeSymbol = runs * categories;
  const sets = setsOf(categories);
  const rawBits = 8 * rawSize;
  const last = dst + n;
  let out = dst;
  let bit = 0;
  let groupEnd = dst + Math.min(group, n);
  let over = 0;
  for (let at = symbols; at < symbols + m; at++) {
    const symbol = b[at] as number;
    if (symbol < escapeSymbol) {
      const set = sets[symbol] as number;
      out += set & 0xff;
      if (out >= groupEnd) return out >= last ? COUNT : RUN;
      const byte = raw + (bit >> 3);
      const field = (((b[byte] as number) | ((b[byte + 1] as number) << 8)) >> (bit & 7)) & (set >> 16);
      const top = (set >> 8) & 0xff;
      bit += top + 1;
      if (bit > rawBits) return BITS;
      const sign = -(field >> top);
      const value = ((field | (1 << top)) ^ sign) - sign;
      over |= (value + 128) & ~0xff;
      b[out++] = value;
    } else {
      if (symbol > escapeSymbol + 1) return SYMBOL;
      if (symbol === escapeSymbol) {
        out += runs;
        if (out >= groupEnd) return RUN;
      } else {
        if (out >= groupEnd) return COUNT;
        if (at > symbols && b[at - 1] === escapeSymbol) return RUN;
        out = groupEnd;
      }
    }
    if (out === groupEnd) groupEnd = Math.min(groupEnd + group, last);
  }
  if (over) return LEVEL;
  if (out !== last) return COUNT;
  if (rawBits - bit > 7) return BITS;
  if (bit < rawBits && (b[raw + (bit >> 3)] as number) >> (bit & 7) !== 0) return PADDING;
  return n;
}
