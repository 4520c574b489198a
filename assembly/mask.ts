import { expand } from "./merge";
import { compareBits, gather } from "./split";
import { PADDING } from "./status";
import { onesIn } from "./tree";

// Sparse bytes: a bitmap of those that are not zero, and these.

/** Ones among the first n bits at mask, or PADDING if an unused bit of the last byte is set. */
export function maskCount(mask: usize, n: i32): i32 {
  const bytes = (n + 7) >> 3;
  if (n & 7 && load<u8>(mask + bytes - 1) >> ((n & 7) as u8) != 0) return PADDING;
  return onesIn(mask, bytes) as i32;
}

/**
 * Writes n bytes: where the mask has a one the next of the values, else 0. Reads up to 64 bytes beyond each input, writes up to 63
 * beyond dst + n. Returns how many values were used.
 */
export function maskExpand(mask: usize, n: i32, values: usize, dst: usize): i32 {
  return expand(mask, n, values, 0, dst);
}

/** The mirror: the mask of n bytes and those that are not zero. Writes up to 64 bytes beyond each. Returns their count. */
export function maskSplit(src: usize, n: i32, mask: usize, values: usize): i32 {
  compareBits(src, n, 1, mask);
  return gather(mask, src, n, values);
}
