import { DataError } from "../errors.ts";
import { pieces } from "../model/pieces.ts";
import { elementCount, type LazyTensor, toNumbers } from "../tensor.ts";
import type { Histogram } from "./comparison.ts";

// How the weights of a tensor are distributed.

/** Odd, so that zero has a bin of its own. */
export const BINS = 81;

/** The largest magnitude. @throws DataError on NaN or infinity, with the tensor's name and the element's index */
export async function largest(tensor: LazyTensor, signal?: AbortSignal): Promise<number> {
  let [most, start] = [0, 0];
  for await (const bytes of pieces(tensor, signal)) {
    const values = toNumbers(tensor.dtype, bytes);
    for (let i = 0; i < values.length; i++) {
      const magnitude = Math.abs(values[i] as number);
      if (!(magnitude < Number.POSITIVE_INFINITY)) throw notFinite(tensor, start + i, values[i] as number);
      if (magnitude > most) most = magnitude;
    }
    start += values.length;
  }
  return most;
}

function notFinite({ name }: LazyTensor, index: number, value: number): DataError {
  const mend = `mend the model, or keep it lossless with --plan "${name}=lossless; int8 > smallest"`;
  return new DataError(`tensor "${name}": element ${index} is ${value}: only finite values can be quantized: ${mend}`);
}

/** @param limit - the largest magnitude of the tensor */
export async function histogramOf(tensor: LazyTensor, limit: number, signal?: AbortSignal): Promise<Histogram> {
  const counts = new Array<number>(BINS).fill(0);
  const middle = BINS >> 1;
  if (limit === 0) {
    counts[middle] = elementCount(tensor.shape);
    return { limit, counts };
  }
  for await (const bytes of pieces(tensor, signal)) {
    for (const value of toNumbers(tensor.dtype, bytes)) {
      const bin = Math.min(Math.floor(((value / limit + 1) / 2) * BINS), BINS - 1);
      counts[bin] = (counts[bin] as number) + 1;
    }
  }
  return { limit, counts };
}
