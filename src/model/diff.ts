import {
  BLOCK_ELEMENTS,
  bytesOf,
  elementCount,
  type LazyTensor,
  type Model,
  type NumberArray,
  toNumbers,
} from "../tensor.ts";

/** Error between two tensors of the same name, `b` against `a`. */
export interface TensorDiff {
  readonly name: string;
  readonly elements: number;
  /** Largest |a - b|; NaN if one side has a NaN where the other has not. */
  readonly maxAbs: number;
  /** Root of the mean squared difference. */
  readonly rmse: number;
  /** 10 log10(sum a^2 / sum (a - b)^2) in dB; Infinity where nothing differs. */
  readonly snr: number;
  /** Whether dtype and bytes are equal. */
  readonly identical: boolean;
}

export interface ModelDiff {
  readonly tensors: readonly TensorDiff[];
  readonly total: TensorDiff;
  /** Names that only one side has, or whose shapes differ. */
  readonly onlyA: readonly string[];
  readonly onlyB: readonly string[];
  readonly shapes: readonly string[];
}

interface Sums {
  elements: number;
  maxAbs: number;
  error: number;
  signal: number;
  identical: boolean;
}

const PIECE_BYTES = 128 * 1024;

/** Compares two models, tensor by tensor, a piece at a time. */
export async function diffModels(
  a: Model,
  b: Model,
  options: { onProgress?: (progress: { done: number; total: number }) => void; signal?: AbortSignal } = {},
): Promise<ModelDiff> {
  const others = new Map(b.tensors.map((tensor) => [tensor.name, tensor]));
  const names = new Set(a.tensors.map((tensor) => tensor.name));
  const shared = a.tensors.filter((tensor) => others.has(tensor.name));
  const pairs = shared.filter((tensor) => sameShape(tensor, others.get(tensor.name) as LazyTensor));
  const total = newSums();
  const tensors: TensorDiff[] = [];
  for (const [i, tensor] of pairs.entries()) {
    options.signal?.throwIfAborted();
    const sums = await diffTensor(tensor, others.get(tensor.name) as LazyTensor);
    tensors.push(summary(tensor.name, sums));
    addSums(total, sums);
    options.onProgress?.({ done: i + 1, total: pairs.length });
  }
  return {
    tensors,
    total: summary("total", total),
    onlyA: a.tensors.map((tensor) => tensor.name).filter((name) => !others.has(name)),
    onlyB: b.tensors.map((tensor) => tensor.name).filter((name) => !names.has(name)),
    shapes: shared.filter((tensor) => !pairs.includes(tensor)).map((tensor) => tensor.name),
  };
}

function sameShape(a: LazyTensor, b: LazyTensor): boolean {
  return a.shape.length === b.shape.length && a.shape.every((extent, i) => extent === b.shape[i]);
}

function newSums(): Sums {
  return { elements: 0, maxAbs: 0, error: 0, signal: 0, identical: true };
}

async function diffTensor(a: LazyTensor, b: LazyTensor): Promise<Sums> {
  const sums = newSums();
  sums.identical = a.dtype === b.dtype;
  const count = elementCount(a.shape);
  const block = Math.max(bytesOf(a.dtype, BLOCK_ELEMENTS), bytesOf(b.dtype, BLOCK_ELEMENTS));
  const step = BLOCK_ELEMENTS * Math.floor(PIECE_BYTES / block);
  for (let start = 0; start < count; start += step) {
    const end = Math.min(start + step, count);
    const [x, y] = await Promise.all([a.read(start, end), b.read(start, end)]);
    sums.identical &&= sameBytes(x, y);
    addValues(sums, toNumbers(a.dtype, x), toNumbers(b.dtype, y));
  }
  return sums;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return a.length === b.length;
}

function addValues(sums: Sums, a: NumberArray, b: NumberArray): void {
  let { maxAbs, error, signal } = sums;
  for (let i = 0; i < a.length; i++) {
    const x = a[i] as number;
    const y = b[i] as number;
    // Equal infinities, and NaN on both sides, differ by nothing.
    const difference = x === y || (Number.isNaN(x) && Number.isNaN(y)) ? 0 : Math.abs(x - y);
    maxAbs = Math.max(maxAbs, difference);
    error += difference * difference;
    if (Number.isFinite(x)) signal += x * x;
  }
  Object.assign(sums, { maxAbs, error, signal, elements: sums.elements + a.length });
}

function addSums(total: Sums, part: Sums): void {
  total.elements += part.elements;
  total.maxAbs = Math.max(total.maxAbs, part.maxAbs);
  total.error += part.error;
  total.signal += part.signal;
  total.identical &&= part.identical;
}

function summary(name: string, { elements, maxAbs, error, signal, identical }: Sums): TensorDiff {
  const rmse = elements === 0 ? 0 : Math.sqrt(error / elements);
  const snr = error === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(signal / error);
  return { name, elements, maxAbs, rmse, snr, identical };
}
