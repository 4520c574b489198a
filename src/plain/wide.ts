/** A 64-bit number as two signed 32-bit halves: BigInt is slow, and missing in some engines. */
export type Wide = readonly [high: number, low: number];

export function wide(high: number, low: number): Wide {
  return [high | 0, low | 0];
}

export function add([ah, al]: Wide, [bh, bl]: Wide): Wide {
  const low = (al + bl) | 0;
  return [(ah + bh + (low >>> 0 < al >>> 0 ? 1 : 0)) | 0, low];
}

export function xor([ah, al]: Wide, [bh, bl]: Wide): Wide {
  return [ah ^ bh, al ^ bl];
}

export function multiply([ah, al]: Wide, [bh, bl]: Wide): Wide {
  const { imul } = Math;
  const [a0, a1, b0, b1] = [al & 0xffff, al >>> 16, bl & 0xffff, bl >>> 16];
  const [p, q] = [imul(a1, b0), imul(a0, b1)];
  const middle = (imul(a0, b0) >>> 16) + (p & 0xffff) + (q & 0xffff);
  const top = imul(a1, b1) + (p >>> 16) + (q >>> 16) + (middle >>> 16);
  return [(top + imul(ah, bl) + imul(al, bh)) | 0, imul(al, bl)];
}

/** @param bits - 1..31 */
export function rotateLeft([high, low]: Wide, bits: number): Wide {
  return [(high << bits) | (low >>> (32 - bits)), (low << bits) | (high >>> (32 - bits))];
}

/** @param bits - 1..31, or 32..63 */
export function shiftRight([high, low]: Wide, bits: number): Wide {
  return bits < 32 ? [high >>> bits, (low >>> bits) | (high << (32 - bits))] : [0, high >>> (bits - 32)];
}
