import type { Kernels } from "../kernels.ts";
import { prunesCodes, type QuantizeStep, type Ranges, type Step } from "../plan.ts";
import { bytesOf, elementCount, type LazyTensor, readElements } from "../tensor.ts";
import { chunkFactors, type Smoothing, smoothedValues } from "./factors.ts";
import { gridOf, gridUnit } from "./grid.ts";
import { chunkShape, type Layout } from "./layout.ts";
import type { Levels } from "./levels.ts";
import { patternValues } from "./pattern.ts";
import { findThreshold, type Threshold, thresholdValues } from "./prune.ts";
import { keptInfo, keptRuns, removedChannels } from "./removed.ts";
import { inputAxis } from "./smooth.ts";
import { blocksOf, dequantizedValues, named, rowRanges, sourceValues, type Values } from "./values.ts";

// What a tensor's chunks are encoded from. All that goes from chunk to chunk is found here, in order.

/** A tensor and what is to be done to it. */
export interface Asked {
  readonly tensor: LazyTensor;
  readonly steps: readonly Step[];
  /** What `smooth` is to go by; default: the weights alone. */
  readonly smoothing?: Smoothing | undefined;
  /** The stage that it belongs to, if the writer was told of stages. */
  readonly stage?: string | undefined;
  /** Where to prune, if that was found over several tensors. */
  readonly threshold?: Threshold | undefined;
  /** Of the input channels, if the steps smooth. */
  readonly factors?: Float32Array | undefined;
}

/** A tensor and what is done to it: steps that say what is in the file, and the levels that a target has chosen, or null. */
export interface Resolved extends Asked {
  readonly levels: Levels | null;
}

/** What encoding one chunk needs besides the layout: with it, chunks are encoded in any order, anywhere. */
export interface ChunkInput {
  readonly index: number;
  /** Elements as read, or pruned as f32. */
  readonly elements: Uint8Array | Float32Array;
  /** Least and greatest value of each row of the chunk, where these elements alone do not tell them; else null. */
  readonly ranges: Float32Array | null;
  /** What a target has chosen, or null. */
  readonly levels: Levels | null;
  /** What the elements were multiplied by, or null. */
  readonly factors: Float32Array | null;
}

/** The inputs of a tensor's chunks in order: what pruning and long rows carry from chunk to chunk is done here. */
export async function* chunkInputs(kernels: Kernels, resolved: Resolved, layout: Layout): AsyncGenerator<ChunkInput> {
  try {
    const { grid, elements, smooth } = layout;
    const quantize = layout.quantize?.op === "quantize" ? layout.quantize : null;
    const { tensor, steps, levels } = resolved;
    const kept = keptTensor(tensor, removedChannels(steps));
    const before = prunesCodes(steps) && quantize ? await scaleRanges(kernels, resolved, quantize) : null;
    const source = elementValues(kernels, resolved, kept);
    const values = before && quantize ? dequantizedValues(kernels, source, before, quantize, grid.cols) : source;
    const pass = await pruning(kernels, resolved, layout, values);
    const long = !levels && needsRanges(layout);
    const ranges = before ?? (long ? await rowRanges(kernels, pass?.() ?? source, elements, grid) : null);
    const changed = pass?.() ?? (smooth ? source : null);
    for (let index = 0; index < layout.chunks; index++) {
      const { start, count, rows, firstRow } = chunkShape(layout, index);
      const chunk = changed ? await changed(start, start + count) : await readElements(kept, start, start + count);
      const own = ranges?.slice(2 * firstRow, 2 * (firstRow + rows)) ?? null;
      const factors = smooth && resolved.factors ? chunkFactors(resolved.factors, smooth, start, count) : null;
      yield { index, elements: chunk, ranges: own, levels, factors };
    }
  } catch (error) {
    throw named(resolved.tensor, error);
  }
}

// Whether elements of other chunks share a scale with those of a chunk, and what the scale is depends on the range of all.
function needsRanges({ quantize, grid, elements, chunks, chunkElements }: Layout): boolean {
  return quantize !== null && chunks > 1 && chunkElements % gridUnit(grid, elements) > 0;
}

// The elements of the tensor, or of what is kept of it, smoothed if the steps say so.
function elementValues(kernels: Kernels, { factors, steps: [first] }: Asked, tensor: LazyTensor): Values {
  const values = sourceValues(tensor);
  if (!factors || first?.op !== "smooth") return values;
  return smoothedValues(kernels, values, factors, inputAxis(tensor.shape, first.axis));
}

/** Passes over the elements that reach a quantize step. */
export async function prunedBlocks(
  kernels: Kernels,
  asked: Asked,
  layout: Layout,
): Promise<() => AsyncIterable<Float32Array>> {
  const values = elementValues(kernels, asked, keptTensor(asked.tensor, removedChannels(asked.steps)));
  const pass = await pruning(kernels, asked, layout, values);
  return () => blocksOf(pass?.() ?? values, layout.elements);
}

/** What is pruned: the elements, or what their codes stand for if the steps quantize first. */
export async function valuesToPrune(kernels: Kernels, asked: Asked): Promise<Values> {
  const values = elementValues(kernels, asked, asked.tensor);
  const quantize = asked.steps.find((step) => step.op === "quantize");
  if (!quantize || !prunesCodes(asked.steps)) return values;
  const { cols } = gridOf(asked.tensor, quantize);
  return dequantizedValues(kernels, values, await scaleRanges(kernels, asked, quantize), quantize, cols);
}

// Ranges of the rows that codes are made of before they are pruned. Rows lie in channels, or hold all of them.
async function scaleRanges(kernels: Kernels, asked: Asked, step: QuantizeStep): Promise<Float32Array> {
  const { tensor, steps } = asked;
  const source = step.per === "tensor" ? tensor : keptTensor(tensor, removedChannels(steps));
  const elements = elementCount(source.shape);
  return rowRanges(kernels, elementValues(kernels, asked, source), elements, gridOf(source, step));
}

// A pass over the values pruned, from the first to the last; null if no value changes.
async function pruning(
  kernels: Kernels,
  { steps, threshold }: Asked,
  { tensor, elements }: Layout,
  values: Values,
): Promise<(() => Values) | null> {
  const step = steps.find((candidate) => candidate.op === "prune");
  if (step?.by === "pattern") return () => patternValues(kernels, values, step, tensor.shape);
  if (step?.by !== "magnitude") return null;
  const source = { tensor, blocks: () => blocksOf(values, elements) };
  const found = threshold ?? (await findThreshold(kernels, [source], elements, step.sparsity));
  return () => thresholdValues(kernels, values, found);
}

// The tensor without the removed channels, which are not read.
function keptTensor(tensor: LazyTensor, removed: Ranges): LazyTensor {
  if (removed.length === 0) return tensor;
  const read = async (start: number, end: number): Promise<Uint8Array> => {
    const out = new Uint8Array(bytesOf(tensor.dtype, end - start));
    for (const { at, from, count } of keptRuns(tensor, removed)) {
      const [first, last] = [Math.max(from, start), Math.min(from + count, end)];
      if (first >= last) continue;
      const bytes = await readElements(tensor, at + first - from, at + last - from);
      out.set(bytes, bytesOf(tensor.dtype, first - start));
    }
    return out;
  };
  return { ...keptInfo(tensor, removed), read };
}
