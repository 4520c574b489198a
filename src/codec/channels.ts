import type { Kernels } from "../kernels.ts";
import type { Ranges } from "../plan.ts";
import { elementCount } from "../tensor.ts";
import { notFinite, toFloats } from "./quantize.ts";
import { BLOCK, type Values } from "./values.ts";

// Which channels weigh least.

/**
 * The channels to remove: round(sparsity * channels), but never all, of least L2 norm; of equal ones the earlier.
 * @param shape - its first dimension are the channels
 * @throws DataError on NaN or infinity
 */
export async function leastChannels(
  kernels: Kernels,
  values: Values,
  shape: readonly number[],
  sparsity: number,
): Promise<Ranges> {
  const norms = await squaredNorms(kernels, values, shape);
  const count = Math.min(Math.round(sparsity * norms.length), norms.length - 1);
  const order = Uint32Array.from(norms.keys());
  order.sort((a, b) => (norms[a] as number) - (norms[b] as number) || a - b);
  const ranges: [number, number][] = [];
  for (const channel of order.subarray(0, Math.max(count, 0)).sort()) {
    const before = ranges[ranges.length - 1];
    if (before?.[1] === channel - 1) before[1] = channel;
    else ranges.push([channel, channel]);
  }
  return ranges;
}

// A channel is cut at every BLOCK elements of its own, and the sums of the pieces are added in order: the cuts, like the order in
// the kernel, are the same everywhere.
async function squaredNorms(kernels: Kernels, values: Values, shape: readonly number[]): Promise<Float64Array> {
  const [channels = 1, ...rest] = shape;
  const size = elementCount(rest);
  const norms = new Float64Array(channels);
  if (size === 0) return norms;
  const together = Math.max(1, Math.floor(BLOCK / size));
  for (let channel = 0; channel < channels; channel += together) {
    const rows = Math.min(together, channels - channel);
    for (let at = 0; at < size; at += BLOCK) {
      const cols = Math.min(BLOCK, size - at);
      const start = channel * size + at;
      const { floats, planes } = toFloats(kernels, await values(start, start + rows * cols));
      if (kernels.run.squares(floats, rows, cols, planes) < 0) throw notFinite(kernels, floats, rows * cols, start);
      const sums = new Float64Array(kernels.bytes().slice(planes, planes + 8 * rows).buffer);
      for (let i = 0; i < rows; i++) norms[channel + i] = (norms[channel + i] as number) + (sums[i] as number);
    }
  }
  return norms;
}
