import { DataError } from "../errors.ts";
import { CHUNK_BYTES, type Kernels } from "../kernels.ts";
import type { QuantizeStep } from "../plan.ts";
import { type LazyTensor, readElements, type TensorInfo, widen } from "../tensor.ts";
import {
  codeRange,
  dequantizeSegments,
  mergeRanges,
  quantizeSegments,
  rowCount,
  rowsOf,
  scalesOf,
  segmentsOf,
  toFloats,
} from "./quantize.ts";

// The elements of a tensor as f32, by range: as they are, or as their codes stand for them.

/** Gives f32 elements [start, end), at most CHUNK_BYTES of them. */
export type Values = (start: number, end: number) => Promise<Float32Array>;

/** Elements read at a time where nothing else sets a measure. Even one scale for each fits a region of the arena. */
export const BLOCK = CHUNK_BYTES / 8;

/** The elements as they are. */
export function sourceValues(tensor: LazyTensor): Values {
  return async (start, end) => widen(tensor.dtype, await readElements(tensor, start, end));
}

/** Least and greatest value (0 included) of every row of `cols` elements, as pairs. @throws DataError on NaN or infinity */
export async function rowRanges(
  kernels: Kernels,
  values: Values,
  elements: number,
  cols: number,
): Promise<Float32Array> {
  const ranges = new Float32Array(2 * Math.ceil(elements / cols));
  for (let start = 0; start < elements; start += BLOCK) {
    const block = await values(start, Math.min(start + BLOCK, elements));
    toFloats(kernels, block);
    mergeRanges(kernels, segmentsOf(start, block.length, cols), start, ranges, Math.floor(start / cols));
  }
  return ranges;
}

/**
 * What the codes of the values stand for. Quantized once more with the same scales these give the same codes: the quotient is off
 * by less than 2^-14, whatever the code.
 * @param ranges - of all rows
 */
export function dequantizedValues(
  kernels: Kernels,
  values: Values,
  ranges: Float32Array,
  step: QuantizeStep,
  cols: number,
): Values {
  const all = scalesOf(ranges, step);
  const block = async (start: number, end: number, into: Float32Array): Promise<void> => {
    const { length } = into;
    const read = await values(start, end);
    const { values: codes, planes } = toFloats(kernels, read);
    const segments = segmentsOf(start, length, cols);
    const rows = rowCount(start, length, cols);
    const scales = rowsOf(all, Math.floor(start / cols), rows);
    quantizeSegments(kernels, segments, scales, codeRange(step), codes);
    // The scales still lie where quantizeSegments put them.
    dequantizeSegments(kernels, segments, codes, planes, scales.zeroPoints ? planes + 4 * rows : 0, into);
  };
  return async (start, end) => {
    const out = new Float32Array(end - start);
    for (let at = start; at < end; at += BLOCK) {
      const stop = Math.min(at + BLOCK, end);
      await block(at, stop, out.subarray(at - start, stop - start));
    }
    return out;
  };
}

/** All elements in order, a block at a time. */
export async function* blocksOf(values: Values, elements: number): AsyncGenerator<Float32Array> {
  for (let start = 0; start < elements; start += CHUNK_BYTES)
    yield values(start, Math.min(start + CHUNK_BYTES, elements));
}

/** The error with the tensor's name, if it is one about its data. */
export function named(tensor: TensorInfo, error: unknown): unknown {
  if (!(error instanceof DataError) || error.message.startsWith("tensor ")) return error;
  return new DataError(`tensor "${tensor.name}": ${error.message}`);
}
