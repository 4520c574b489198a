import type { DType } from "../tensor.ts";
import { dtypeWidth, isBlocks, isFloat } from "../tensor.ts";
import type { Segment } from "./quantize.ts";

// Counting what is zero, for the report.

/** How many codes (one to a byte) stand for zero: those that equal the zero point of their row. */
export function zeroCodes(codes: Int8Array, segments: readonly Segment[], zeroPoints: Int8Array | null): number {
  if (!zeroPoints) return count(codes, 0, codes.length, 0);
  let zeros = 0;
  for (const { row, rows, cols, at } of segments) {
    for (let r = 0; r < rows; r++) {
      zeros += count(codes, at + r * cols, at + (r + 1) * cols, zeroPoints[row + r] as number);
    }
  }
  return zeros;
}

function count(codes: Int8Array, start: number, end: number, zero: number): number {
  let zeros = 0;
  for (let i = start; i < end; i++) if (codes[i] === zero) zeros++;
  return zeros;
}

/** How many elements of a dtype are zero, of either sign. */
export function zeroElements(dtype: DType, bytes: Uint8Array): number {
  // Blocks are not looked into.
  if (isBlocks(dtype)) return 0;
  const width = dtypeWidth(dtype);
  // The sign is the highest bit of the last byte.
  const rest = isFloat(dtype) ? 0x7f : 0xff;
  let zeros = 0;
  for (let at = 0; at < bytes.length; at += width) {
    let bits = (bytes[at + width - 1] as number) & rest;
    for (let k = 0; k < width - 1; k++) bits |= bytes[at + k] as number;
    if (bits === 0) zeros++;
  }
  return zeros;
}
