import type { Loops } from "./merge.ts";
import { countOnes } from "./ones.ts";
import { PADDING } from "./status.ts";

/** Ones among the first n bits at mask, or PADDING if an unused bit of the last byte is set. */
export function maskCount(b: Uint8Array, mask: number, n: number): number {
  if (n & 7 && (b[mask + (n >> 3)] as number) >> (n & 7) !== 0) return PADDING;
  return countOnes(b, new Int32Array(b.buffer), mask, (n + 7) >> 3);
}

/** Makes the kernel: n bytes at dst, 0 where the bit is 0, else the next byte at values. It returns how many of these were used. */
export function maskExpand({ expand }: Loops) {
  return (b: Uint8Array, mask: number, n: number, values: number, dst: number): number =>
    expand(b, mask, n, values, 0, dst);
}
