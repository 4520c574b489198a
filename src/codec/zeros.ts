import type { Kernels } from "../kernels.ts";
import { BLOCK_ELEMENTS, type DType, dtypeWidth, isBlocks, isFloat } from "../tensor.ts";
import { type Segment, segmentsOf } from "./quantize.ts";

// Counting what is zero, for the report.

/** How many codes (one to a byte, at `codes`) are their row's zero point, or 0 where there are none. Takes arena.planes. */
export function zeroCodes(
  kernels: Kernels,
  segments: readonly Segment[],
  codes: number,
  zeroPoints: Int8Array | null,
): number {
  const { planes } = kernels.arena(0, "encode");
  if (zeroPoints) new Int8Array(kernels.bytes().buffer, planes).set(zeroPoints);
  const count = ({ row, rows, cols, at }: Segment): number =>
    kernels.run.zeroCodes(codes + at, rows, cols, zeroPoints ? planes + row : 0);
  return segments.reduce((zeros, segment) => zeros + count(segment), 0);
}

/** How many of `count` codes at `codes` are this one. */
export function countCodes(kernels: Kernels, codes: number, count: number, code: number): number {
  return zeroCodes(kernels, [{ row: 0, rows: 1, cols: count, at: 0 }], codes, Int8Array.of(code));
}

const NO_CODE = 127;

/** How many of `count` codes c - 8 of blocks stand for zero: c * scale + minimum. */
export function zeroMinima(
  kernels: Kernels,
  codes: number,
  count: number,
  scales: Float32Array,
  minima: Float32Array,
): number {
  let all = 0;
  // f16 and four bits: quotient, product and sum are exact in f64 where they matter, so at most one code is zero unless all are.
  const points = Int8Array.from(scales, (scale, row) => {
    const minimum = minima[row] as number;
    if (scale === 0 && minimum === 0) {
      all += Math.min(BLOCK_ELEMENTS, count - row * BLOCK_ELEMENTS);
      return NO_CODE;
    }
    const code = -minimum / scale;
    const zero = Number.isInteger(code) && code >= 0 && code <= 15 && code * scale + minimum === 0;
    return zero ? code - 8 : NO_CODE;
  });
  return all + zeroCodes(kernels, segmentsOf(0, count, BLOCK_ELEMENTS), codes, points);
}

/** How many of the elements in `bytes` bytes at `at` are zero, of either sign. Blocks are not looked into. */
export function zeroElements(kernels: Kernels, dtype: DType, at: number, bytes: number): number {
  if (isBlocks(dtype)) return 0;
  const width = dtypeWidth(dtype);
  return kernels.run.zeroElements(at, bytes / width, width, isFloat(dtype) ? 1 : 0);
}
