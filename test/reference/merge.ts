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

/** A bit per byte: whether it is in the set. */
export function memberBits(bytes: Uint8Array, set: readonly number[]): Uint8Array {
  const members = new Set(set);
  return bytesOfBits(Array.from(bytes, (byte) => (members.has(byte) ? 1 : 0)));
}

/** A set of bytes in 32: x is bit x >> 5 of byte x & 31. */
export function setOf(members: readonly number[]): Uint8Array {
  const set = new Uint8Array(32);
  for (const x of members) set[x & 31] |= 1 << (x >> 5);
  return set;
}
