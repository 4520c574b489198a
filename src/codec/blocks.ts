import { DataError } from "../errors.ts";
import type { Kernels } from "../kernels.ts";
import type { FormatStep } from "../plan.ts";
import type { BlockDType } from "../tensor.ts";
import { notFinite, type Scales } from "./quantize.ts";

// The formats of other software. Formulas: docs/FORMAT.md.

/** Where the parts of coded elements lie. */
export interface CodeParts {
  readonly scales: number;
  /** Zero points or minima. */
  readonly offsets: number;
  /** One to a byte. */
  readonly codes: number;
}

/**
 * Quantizes the `count` f32 at arena.floats, the first of which is element `start` of the tensor, as GGUF does.
 * @throws DataError on NaN or infinity, also in what f16 makes of a scale or minimum
 */
export function quantizeGguf(
  kernels: Kernels,
  format: FormatStep["format"],
  start: number,
  count: number,
  { scales, offsets, codes }: CodeParts,
): void {
  const { run } = kernels;
  const { floats } = kernels.arena(0, "encode");
  const done =
    format === "q4_1"
      ? run.quantizeQ41(floats, count, scales, offsets, codes)
      : (format === "q8_0" ? run.quantizeQ80 : run.quantizeQ40)(floats, count, scales, codes);
  if (done >= 0) return;
  const values = new Float32Array(kernels.bytes().buffer, floats, count);
  if (!values.every(Number.isFinite)) throw notFinite(kernels, floats, count, start);
  throw new DataError(`the scale of a group does not fit the f16 of ${format}: nf4, nbits4 and int8 have f32 scales`);
}

/** Scales of nf4 and nbits4 for rows whose least and greatest values (0 included) are pairs in `ranges`. */
export function formatScales(ranges: Float32Array, { format, asymmetric }: FormatStep): Scales {
  const scales = new Float32Array(ranges.length / 2);
  const zeroPoints = asymmetric ? new Int8Array(scales.length) : null;
  for (let row = 0; row < scales.length; row++) {
    const low = ranges[2 * row] as number;
    const high = ranges[2 * row + 1] as number;
    if (format === "nf4") scales[row] = Math.max(-low, high);
    else if (zeroPoints) [scales[row], zeroPoints[row]] = asymmetricScale(low, high);
    // Of -a and a alike, -a.
    else scales[row] = (high > -low ? high : low) / -8;
  }
  return { scales, zeroPoints };
}

// In f32 throughout, halves away from zero, as ONNX Runtime's own code reckons.
function asymmetricScale(low: number, high: number): [scale: number, zero: number] {
  const scale = Math.fround(Math.fround(high - low) / 15);
  const exact = scale === 0 ? low : -Math.fround(low / scale);
  return [scale, Math.min(Math.max(Math.floor(exact + 0.5), 0), 15) - 8];
}

const KINDS: Record<BlockDType, number> = { Q8_0: 0, Q4_0: 1, Q4_1: 2 };

/** Takes `blocks` blocks at `src` apart; 4-bit codes go two to a byte. */
export function splitBlocks(
  kernels: Kernels,
  dtype: BlockDType,
  src: number,
  blocks: number,
  { scales, offsets, codes }: CodeParts,
): void {
  kernels.run.splitBlocks(src, blocks, KINDS[dtype], scales, offsets, codes);
}

/** The blocks put together again at `dst`. Returns their bytes. */
export function joinBlocks(
  kernels: Kernels,
  dtype: BlockDType,
  { scales, offsets, codes }: CodeParts,
  blocks: number,
  dst: number,
): number {
  return kernels.run.joinBlocks(scales, offsets, codes, blocks, KINDS[dtype], dst);
}
