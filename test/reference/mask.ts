import { bytesOfBits } from "./bits.ts";

export interface Masked {
  /** Bit i, lowest first: byte i is stored. */
  mask: Uint8Array;
  values: Uint8Array;
}

export function maskSplit(bytes: Uint8Array): Masked {
  return { mask: bytesOfBits(Array.from(bytes, (byte) => (byte === 0 ? 0 : 1))), values: bytes.filter((b) => b !== 0) };
}

/** How many of n bytes are stored. */
export function maskCount(mask: Uint8Array, n: number): number {
  let count = 0;
  for (let i = 0; i < 8 * mask.length; i++) {
    const one = (mask[i >> 3] >> (i & 7)) & 1;
    if (one === 1 && i >= n) throw new Error("PADDING");
    count += one;
  }
  return count;
}

export function maskJoin(mask: Uint8Array, values: Uint8Array, n: number): Uint8Array {
  const bytes = new Uint8Array(n);
  let used = 0;
  for (let i = 0; i < n; i++) if ((mask[i >> 3] >> (i & 7)) & 1) bytes[i] = values[used++];
  return bytes;
}
