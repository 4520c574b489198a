import type { Kernels } from "../kernels.ts";
import type { TensorInfo } from "../tensor.ts";
import { notFinite, toFloats } from "./quantize.ts";
import { named, type Values } from "./values.ts";

// Magnitude pruning. The threshold is an order statistic of the magnitudes, found with two histograms of their bits.

const UPPER_BINS = 65536;
const LOWER_BINS = 32768;

/** Zero every magnitude whose bits are below `bits`, and the first `ties` elements that equal it. */
export interface Threshold {
  readonly bits: number;
  readonly ties: number;
}

/** A tensor to look through: blocks() gives its f32 elements in order, from the start at every call. */
export interface Source {
  readonly tensor: TensorInfo;
  blocks(): AsyncIterable<Float32Array>;
}

/**
 * The threshold that zeroes exactly round(sparsity * count) of the `count` elements of all sources, those of least magnitude; of equal
 * ones the earlier. Reads the sources twice. @throws DataError, with the tensor's name, on NaN or infinity
 */
export async function findThreshold(
  kernels: Kernels,
  sources: readonly Source[],
  count: number,
  sparsity: number,
): Promise<Threshold> {
  const target = Math.round(sparsity * count);
  if (target === 0) return { bits: 0, ties: 0 };
  const upper = await countMagnitudes(kernels, sources, -1, UPPER_BINS);
  const [prefix, below] = findBin(upper, target);
  const lower = await countMagnitudes(kernels, sources, prefix, LOWER_BINS);
  const [rest, belowRest] = findBin(lower, target - below);
  return { bits: prefix * LOWER_BINS + rest, ties: target - below - belowRest };
}

// The bin that holds the target-th element (from 1), and how many lie in the bins before it.
function findBin(bins: Float64Array, target: number): [bin: number, below: number] {
  let below = 0;
  let bin = 0;
  while (below + (bins[bin] as number) < target) below += bins[bin++] as number;
  return [bin, below];
}

async function countMagnitudes(
  kernels: Kernels,
  sources: readonly Source[],
  prefix: number,
  bins: number,
): Promise<Float64Array> {
  const totals = new Float64Array(bins);
  for (const source of sources) {
    try {
      await addMagnitudes(kernels, source, prefix, totals);
    } catch (error) {
      throw named(source.tensor, error);
    }
  }
  return totals;
}

async function addMagnitudes(kernels: Kernels, source: Source, prefix: number, totals: Float64Array): Promise<void> {
  let start = 0;
  for await (const block of source.blocks()) {
    const { floats, planes, values } = toFloats(kernels, block);
    // The bins take up to 256 KiB: the regions planes and values, of at least that size each, are free here.
    kernels.bytes().fill(0, planes, values);
    const result = kernels.run.magnitudes(floats, block.length, prefix, planes);
    if (result < 0) throw notFinite(kernels, floats, block.length, start);
    start += block.length;
    const found = new Uint32Array(kernels.bytes().buffer, planes, totals.length);
    for (let i = 0; i < found.length; i++) totals[i] = (totals[i] as number) + (found[i] as number);
  }
}

/** How many elements have just the magnitude of the threshold. */
export async function countTies(kernels: Kernels, source: Source, { bits }: Threshold): Promise<number> {
  let count = 0;
  for await (const block of source.blocks()) {
    const { floats } = toFloats(kernels, block);
    count += kernels.run.prune(floats, block.length, bits, block.length, floats);
  }
  return count;
}

/** The values pruned (the input stays as it was), and what is left of the ties. At most a chunk. */
function pruneValues(
  kernels: Kernels,
  values: Float32Array,
  { bits, ties }: Threshold,
): [pruned: Float32Array, left: Threshold] {
  const { floats } = toFloats(kernels, values);
  const used = kernels.run.prune(floats, values.length, bits, ties, floats);
  const pruned = new Float32Array(kernels.bytes().slice(floats, floats + 4 * values.length).buffer);
  return [pruned, { bits, ties: ties - used }];
}

/** The values pruned, for one pass from the first to the last: what is left of the ties goes from each call to the next. */
export function thresholdValues(kernels: Kernels, values: Values, threshold: Threshold): Values {
  let left = threshold;
  return async (start, end) => {
    const [pruned, rest] = pruneValues(kernels, await values(start, end), left);
    left = rest;
    return pruned;
  };
}
