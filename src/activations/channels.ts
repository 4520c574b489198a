import { inputMaxima, smoothedValues } from "../codec/factors.ts";
import { unsmooth } from "../codec/smooth.ts";
import type { Values } from "../codec/values.ts";
import { argument } from "../errors.ts";
import type { Kernels } from "../kernels.ts";
import { elementCount } from "../tensor.ts";

// Elements by channel: weights by the dimension of their inputs, activations by the one that meets it.

/** Where the channels lie: f32 [outer, channels, inner]. */
export interface Channels {
  readonly outer: number;
  readonly channels: number;
  readonly inner: number;
}

/** @param axis - dimension of the channels; negative: from the end */
export function channelsOf(shape: readonly number[], axis: number): Channels {
  const dimension = axis < 0 ? axis + shape.length : axis;
  argument(dimension >= 0 && dimension < shape.length, "axis", `a dimension of ${shape.join(" x ")}`, axis);
  return {
    outer: elementCount(shape.slice(0, dimension)),
    channels: shape[dimension] as number,
    inner: elementCount(shape.slice(dimension + 1)),
  };
}

const valuesOf =
  (data: Float32Array): Values =>
  async (start, end) =>
    data.subarray(start, end);

/** Largest magnitude of each channel. @throws DataError on NaN or infinity */
export function channelMaxima(kernels: Kernels, data: Float32Array, at: Channels): Promise<Float32Array> {
  return inputMaxima(kernels, valuesOf(data), at, data.length);
}

/** The elements times the factors of their channels. */
export async function multiplied(
  kernels: Kernels,
  data: Float32Array,
  at: Channels,
  factors: Float32Array,
): Promise<Float32Array> {
  return smoothedValues(kernels, valuesOf(data), factors, at)(0, data.length);
}

/** The elements by the factors of their channels. */
export function divided(kernels: Kernels, data: Float32Array, at: Channels, factors: Float32Array): Float32Array {
  const out = data.slice();
  const { planes } = kernels.arena(4 * factors.length, "encode");
  kernels.bytes().set(new Uint8Array(factors.buffer, factors.byteOffset, factors.byteLength), planes);
  unsmooth(kernels, at, 0, planes, factors.length, out);
  return out;
}
