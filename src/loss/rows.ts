import type { Value } from "../engine/engine.ts";
import { argument, DataError } from "../errors.ts";

// Rows of probabilities or logits.

/** What the numbers of an output are. "auto": probabilities where every row of the original's first batch is one, else logits. */
export type Scores = "auto" | "probabilities" | "logits";

/** The least f32 above 0: what a probability of 0 counts as, since a runtime's softmax ends there. */
const LEAST = 2 ** -149;
/** How far from 1 the sum of a row may be that was added up in f32, or was f16 before. */
const SLACK = 1e-3;

/** Whether all rows are probabilities. */
export function areProbabilities({ shape, data }: Value): boolean {
  const classes = shape.at(-1) ?? 0;
  if (classes === 0 || data.length === 0) return false;
  for (let at = 0; at < data.length; at += classes) {
    let sum = 0;
    for (let i = 0; i < classes; i++) {
      const x = data[at + i] as number;
      // So that NaN is none either.
      if (!(x >= 0 && x <= 1 + SLACK)) return false;
      sum += x;
    }
    if (Math.abs(sum - 1) > SLACK) return false;
  }
  return true;
}

/** Logarithms of the probabilities of a row, in f64: of logits by log-sum-exp, so that none overflows; of probabilities after their sum was made 1. */
export function logProbabilities(row: ArrayLike<number>, probabilities: boolean): Float64Array {
  const out = Float64Array.from(row as ArrayLike<number>);
  if (probabilities) {
    const sum = out.reduce((all, x) => all + x, 0);
    return out.map((x) => Math.log(Math.max(x / sum, LEAST)));
  }
  const most = out.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const sum = out.reduce((all, x) => all + Math.exp(x - most), 0);
  return out.map((x) => x - most - Math.log(sum));
}

/** How far a row of the compressed model is from the original's. */
export interface RowLoss {
  /** In nats. */
  readonly kl: number;
  readonly agrees: boolean;
  /** |p - q| for the class that the original takes. */
  readonly confidence: number;
  /** Logarithms of the probabilities. */
  readonly before: Float64Array;
  readonly after: Float64Array;
}

/** Rows as the models gave them. Classes are compared in these: logarithms of probabilities round small differences away. */
export function rowLoss(original: ArrayLike<number>, compressed: ArrayLike<number>, probabilities: boolean): RowLoss {
  const [before, after] = [logProbabilities(original, probabilities), logProbabilities(compressed, probabilities)];
  let kl = 0;
  for (let i = 0; i < before.length; i++) {
    const [p, q] = [before[i] as number, after[i] as number];
    // A class without probability adds nothing, though its logarithm is infinite.
    if (p !== Number.NEGATIVE_INFINITY) kl += Math.exp(p) * (p - q);
  }
  const [first, other] = [largest(original), largest(compressed)];
  const confidence = Math.abs(Math.exp(before[first] ?? Number.NaN) - Math.exp(after[first] ?? Number.NaN));
  // Rounding may leave a sum of two equal rows below zero.
  return { kl: Math.max(kl, 0), agrees: first >= 0 && first === other, confidence, before, after };
}

/** The index of the largest, of equal ones the first; -1 if one is not a number. */
export function largest(row: ArrayLike<number>): number {
  let best = -1;
  for (let i = 0; i < row.length; i++) {
    const x = row[i] as number;
    if (Number.isNaN(x)) return -1;
    if (best < 0 || x > (row[best] as number)) best = i;
  }
  return best;
}

/** How many come before one, of equal ones those with lower index; infinite if one is not a number. */
export function rankOf(row: ArrayLike<number>, index: number): number {
  const own = row[index] as number;
  let rank = 0;
  for (let i = 0; i < row.length; i++) {
    const x = row[i] as number;
    if (Number.isNaN(x)) return Number.POSITIVE_INFINITY;
    if (x > own || (x === own && i < index)) rank++;
  }
  return rank;
}

/** Whether a part of a batch has only finite numbers. */
export function isFinitePart({ data }: Value, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (!Number.isFinite(data[i] as number)) return false;
  return true;
}

/** Samples of two outputs, and the elements of each. @throws DataError where they are not alike */
export function samplesOf(original: Value, compressed: Value): { count: number; size: number } {
  if (String(original.shape) !== String(compressed.shape))
    throw new DataError(`outputs of shapes ${original.shape} and ${compressed.shape} cannot be compared`);
  const count = original.shape[0] ?? 1;
  argument(original.data.length === compressed.data.length, "data", "as many as the shape has", compressed.data.length);
  return { count, size: count === 0 ? 0 : original.data.length / count };
}
