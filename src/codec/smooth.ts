import { demand } from "../errors.ts";
import { type Kernels, PIECE } from "../kernels.ts";
import { elementCount } from "../tensor.ts";
import type { Place } from "./stream.ts";

// Smoothing, the half that decodes: which factors a chunk has, and dividing by them.

/** The input axis of a tensor, with so many elements behind each of its indices. */
export interface InputAxis {
  readonly channels: number;
  readonly inner: number;
}

/** @param axis - negative: from the end. Default: dimension 1 */
export function inputAxis(shape: readonly number[], axis = 1): InputAxis {
  const dimension = axis < 0 ? axis + shape.length : axis;
  return { channels: shape[dimension] as number, inner: elementCount(shape.slice(dimension + 1)) };
}

/** Factors that elements [start, start + count) need: those of the channels from the first element's on, each once. */
export function factorCount({ channels, inner }: InputAxis, start: number, count: number): number {
  if (count === 0) return 0;
  return Math.min(Math.floor((start + count - 1) / inner) - Math.floor(start / inner) + 1, channels);
}

/** Throws a FormatError unless the n factors at `factors` are positive and finite. */
export function checkFactors(kernels: Kernels, factors: number, n: number, place: Place): void {
  const view = kernels.view();
  for (let i = 0; i < n; i++) {
    const factor = view.getFloat32(factors + 4 * i, true);
    const valid = factor > 0 && factor < Number.POSITIVE_INFINITY;
    if (!valid) demand(false, "factor", place.offset, `${place.field}, factors`, "above 0 and finite", factor);
  }
}

/** Divides the elements of a chunk, whose first is element `start` of its tensor, by the n factors at `factors`. */
export function unsmooth(
  kernels: Kernels,
  { inner }: InputAxis,
  start: number,
  factors: number,
  n: number,
  into: Float32Array,
): void {
  const { floats } = kernels.arena(0, "decode");
  for (let at = 0; at < into.length; at += PIECE) {
    const piece = into.subarray(at, at + PIECE);
    kernels.bytes().set(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength), floats);
    kernels.run.unsmooth(floats, piece.length, ((start % inner) + at) % (n * inner), n, inner, factors);
    piece.set(new Float32Array(kernels.bytes().buffer, floats, piece.length));
  }
}
