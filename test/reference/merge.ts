import { bytesOfBits } from "./bits.ts";

function bit(bytes: Uint8Array, at: number): number {
  return (bytes[at >> 3] >> (at & 7)) & 1;
}

/** n bytes, each the next one of the left list (bit 0) or of the right (bit 1). */
export function merge(bits: Uint8Array, n: number, left: Uint8Array, right: Uint8Array): Uint8Array {
  const merged = new Uint8Array(n);
  let ones = 0;
  for (let i = 0; i < n; i++) {
    merged[i] = bit(bits, i) ? right[ones] : left[i - ones];
    ones += bit(bits, i);
  }
  return merged;
}

/** The mirror of merge. */
export function split(bits: Uint8Array, bytes: Uint8Array): { left: Uint8Array; right: Uint8Array } {
  return { left: bytes.filter((_, i) => bit(bits, i) === 0), right: bytes.filter((_, i) => bit(bits, i) === 1) };
}

/** A bit per byte: whether it is at least `pivot`. */
export function compareBits(bytes: Uint8Array, pivot: number): Uint8Array {
  return bytesOfBits(Array.from(bytes, (byte) => (byte >= pivot ? 1 : 0)));
}

/** A bit per byte: `side`, changed once for each of the ends (signed) that the byte lies above. */
export function rangeBits(bytes: Uint8Array, ends: readonly number[], side: number): Uint8Array {
  const sideOf = (value: number) => (side + ends.filter((end) => value > end).length) % 2;
  return bytesOfBits(Array.from(new Int8Array(bytes), sideOf));
}
