import { LEVEL } from "./status.ts";

/** Packs n signed codes in [-8, 7] two to a byte, the earlier one low. Returns the bytes written, or LEVEL. */
export function pack4(b: Uint8Array, src: number, n: number, dst: number): number {
  const end = src + n;
  let bad = 0;
  let at = src;
  let out = dst;
  for (; at + 1 < end; at += 2, out++) {
    const low = b[at] as number;
    const high = b[at + 1] as number;
    bad |= (low + 8) | (high + 8);
    b[out] = (low & 15) | (high << 4);
  }
  if (at < end) {
    const low = b[at] as number;
    bad |= low + 8;
    b[out++] = low & 15;
  }
  return bad & 0xf0 ? LEVEL : out - dst;
}

/** Unpacks n nibbles at src to n sign-extended codes at dst. Returns n. */
export function unpack4(b: Uint8Array, src: number, n: number, dst: number): number {
  const end = dst + n;
  let at = src;
  let out = dst;
  for (; out + 1 < end; at++, out += 2) {
    const packed = b[at] as number;
    b[out] = (packed << 28) >> 28;
    b[out + 1] = (packed << 24) >> 28;
  }
  if (out < end) b[out] = ((b[at] as number) << 28) >> 28;
  return n;
}
