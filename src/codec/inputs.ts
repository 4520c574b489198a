import { DataError } from "../errors.ts";
import type { Kernels } from "../kernels.ts";
import { type LazyTensor, readElements, type TensorInfo, widen } from "../tensor.ts";
import { chunkShape, type Layout } from "./layout.ts";
import type { Levels } from "./levels.ts";
import { findThreshold, pruneValues, type Threshold } from "./prune.ts";
import { mergeRanges, segmentsOf, toFloats } from "./quantize.ts";

// What a tensor's chunks are encoded from. All that goes from chunk to chunk is found here, in order.

/** What encoding one chunk needs besides the layout: with it, chunks are encoded in any order, anywhere. */
export interface ChunkInput {
  readonly index: number;
  /** Elements as read, or pruned as f32. */
  readonly elements: Uint8Array | Float32Array;
  /** Least and greatest value of each row of the chunk, where rows are longer than chunks; else null. */
  readonly ranges: Float32Array | null;
  /** What a target has chosen, or null. */
  readonly levels: Levels | null;
}

/** The inputs of a tensor's chunks in order: what pruning and long rows carry from chunk to chunk is done here. */
export async function* chunkInputs(
  kernels: Kernels,
  tensor: LazyTensor,
  layout: Layout,
  levels: Levels | null = null,
): AsyncGenerator<ChunkInput> {
  try {
    const { prune, quantize, elements, cols } = layout;
    const whole = () => blocks(kernels, tensor, layout, null);
    const threshold = prune ? await findThreshold(kernels, whole, elements, prune.sparsity) : null;
    const long = quantize !== null && !levels && cols > layout.chunkElements;
    const ranges = long ? await rowRanges(kernels, tensor, layout, threshold) : null;
    let left = threshold;
    for (let index = 0; index < layout.chunks; index++) {
      const { start, count, rows } = chunkShape(layout, index);
      let values: Uint8Array | Float32Array = await readElements(tensor, start, start + count);
      if (left) [values, left] = pruneValues(kernels, widen(tensor.dtype, values), left);
      const row = Math.floor(start / cols);
      yield { index, elements: values, ranges: ranges?.slice(2 * row, 2 * (row + rows)) ?? null, levels };
    }
  } catch (error) {
    throw named(tensor, error);
  }
}

/** The tensor's elements as f32, pruned, a chunk at a time. */
export async function* prunedBlocks(
  kernels: Kernels,
  tensor: LazyTensor,
  layout: Layout,
): AsyncGenerator<Float32Array> {
  const { prune, elements } = layout;
  const whole = () => blocks(kernels, tensor, layout, null);
  yield* blocks(kernels, tensor, layout, prune ? await findThreshold(kernels, whole, elements, prune.sparsity) : null);
}

async function* blocks(
  kernels: Kernels,
  tensor: LazyTensor,
  layout: Layout,
  threshold: Threshold | null,
): AsyncGenerator<Float32Array> {
  let left = threshold;
  for (let index = 0; index < layout.chunks; index++) {
    const { start, count } = chunkShape(layout, index);
    let values = widen(tensor.dtype, await readElements(tensor, start, start + count));
    if (left) [values, left] = pruneValues(kernels, values, left);
    yield values;
  }
}

async function rowRanges(
  kernels: Kernels,
  tensor: LazyTensor,
  layout: Layout,
  threshold: Threshold | null,
): Promise<Float32Array> {
  const ranges = new Float32Array(2 * Math.ceil(layout.elements / layout.cols));
  let index = 0;
  for await (const values of blocks(kernels, tensor, layout, threshold)) {
    const { start, count } = chunkShape(layout, index++);
    toFloats(kernels, values);
    mergeRanges(kernels, segmentsOf(start, count, layout.cols), start, ranges, Math.floor(start / layout.cols));
  }
  return ranges;
}

/** The error with the tensor's name, if it is one about its data. */
export function named(tensor: TensorInfo, error: unknown): unknown {
  if (!(error instanceof DataError) || error.message.startsWith("tensor ")) return error;
  return new DataError(`tensor "${tensor.name}": ${error.message}`);
}
