import { argument } from "../errors.ts";
import { CHUNK_BYTES, type Kernels } from "../kernels.ts";
import type { SmoothStep } from "../plan.ts";
import { elementCount, type LazyTensor } from "../tensor.ts";
import { power } from "./power.ts";
import { notFinite, toFloats } from "./quantize.ts";
import { factorCount, type InputAxis, inputAxis } from "./smooth.ts";
import { BLOCK, named, sourceValues, type Values } from "./values.ts";

// Smoothing, the half that encodes: the factors, and multiplying by them.

/** What is known of the activations that meet the input channels of a tensor. */
export interface Smoothing {
  /** Largest magnitude per input channel; default: 1 for all. */
  readonly activations?: Float32Array | undefined;
  /** Index into the alphas per input channel; default: 0 for all. */
  readonly groups?: Uint8Array | Uint16Array | undefined;
}

/** Below this a maximum counts as this (mit-han-lab/smoothquant). */
const LEAST = 1e-5;

/**
 * The factors of input channels: s = max|a|^alpha / max|w|^(1 - alpha), as f32, with alpha that of the channel's group; 1 where that is null.
 * @param weights - largest magnitude per input channel
 * @throws RangeError if activations or groups are not one per channel, or name no alpha
 */
export function smoothFactors(
  weights: Float32Array,
  { alphas, powers }: Pick<SmoothStep, "alphas" | "powers">,
  { activations, groups }: Smoothing = {},
): Float32Array {
  const n = weights.length;
  for (const [name, list] of Object.entries({ activations, groups }))
    argument(list === undefined || list.length === n, name, `${n} entries, one per input channel`, list?.length);
  return weights.map((w, i) => {
    const a = activations?.[i] ?? 1;
    argument(a >= 0 && Number.isFinite(a), "activations", "finite magnitudes", a);
    const alpha = alphas[groups?.[i] ?? 0];
    argument(alpha !== undefined, "groups", `below ${alphas.length}, the count of alphas`, groups?.[i]);
    if (alpha === null) return 1;
    const factor = power(Math.max(a, LEAST), alpha) / power(Math.max(w, LEAST), 1 - alpha);
    return powers ? nearestPower(factor) : factor;
  });
}

// The power of two of least ratio to x, which lies far inside the range of f32.
function nearestPower(x: number): number {
  let p = 1;
  while (p * Math.SQRT2 < x) p *= 2;
  while (p > x * Math.SQRT2) p /= 2;
  return p;
}

/** The factors of a tensor. Reads it once. @throws DataError on NaN or infinity, RangeError as smoothFactors */
export async function tensorFactors(
  kernels: Kernels,
  tensor: LazyTensor,
  step: SmoothStep,
  smoothing: Smoothing | undefined,
): Promise<Float32Array> {
  try {
    const axis = inputAxis(tensor.shape, step.axis);
    const maxima = await inputMaxima(kernels, sourceValues(tensor), axis, elementCount(tensor.shape));
    return smoothFactors(maxima, step, smoothing);
  } catch (error) {
    throw named(tensor, error);
  }
}

/** Largest magnitude per input channel. @throws DataError on NaN or infinity */
export async function inputMaxima(
  kernels: Kernels,
  values: Values,
  axis: InputAxis,
  elements: number,
): Promise<Float32Array> {
  const maxima = new Float32Array(axis.channels);
  for (let at = 0; at < elements; ) {
    const [outer, count, width] = partAt(axis, at, elements);
    const size = outer * count * width;
    const channel = Math.floor(at / axis.inner) % axis.channels;
    const { floats, planes } = toFloats(kernels, await values(at, at + size));
    const part = maxima.subarray(channel, channel + count);
    kernels.bytes().set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), planes);
    if (kernels.run.columnMax(floats, outer, count, width, planes) < 0) throw notFinite(kernels, floats, size, at);
    part.set(new Float32Array(kernels.bytes().slice(planes, planes + 4 * count).buffer));
    at += size;
  }
  return maxima;
}

/** What is done at a time from element `at` on: as many whole turns through the channels as fit a block, else whole channels, else a part of one. */
export function partAt(
  { channels, inner }: InputAxis,
  at: number,
  elements: number,
): [outer: number, count: number, width: number] {
  const turn = channels * inner;
  if (turn <= BLOCK) return [Math.floor(Math.min(BLOCK, elements - at) / turn), channels, inner];
  if (inner <= BLOCK) return [1, Math.min(Math.floor(BLOCK / inner), channels - (at % turn) / inner), inner];
  return [1, 1, Math.min(inner - (at % inner), BLOCK)];
}

/** The factors of the channels that elements [start, start + count) need, in the order of a chunk. */
export function chunkFactors(factors: Float32Array, axis: InputAxis, start: number, count: number): Float32Array {
  const first = Math.floor(start / axis.inner);
  return new Float32Array(factorCount(axis, start, count)).map(
    (_, i) => factors[(first + i) % axis.channels] as number,
  );
}

/** The values times the factors of their channels, each an f32 product. */
export function smoothedValues(kernels: Kernels, values: Values, factors: Float32Array, axis: InputAxis): Values {
  return async (start, end) => {
    const out = await values(start, end);
    const result = new Float32Array(out.length);
    // A block needs as many factors at most as it has elements, and they have to fit a region of the arena.
    for (let at = 0; at < out.length; at += CHUNK_BYTES / 4) {
      const block = out.subarray(at, at + CHUNK_BYTES / 4);
      const own = chunkFactors(factors, axis, start + at, block.length);
      const { floats, planes } = toFloats(kernels, block);
      kernels.bytes().set(new Uint8Array(own.buffer), planes);
      kernels.run.smooth(floats, block.length, (start + at) % axis.inner, own.length, axis.inner, planes);
      result.set(new Float32Array(kernels.bytes().buffer, floats, block.length), at);
    }
    return result;
  };
}
