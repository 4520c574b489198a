import { nonNegative } from "./nnls.ts";
import { errorOf, type Latency } from "./pool.ts";
import { type Smooth, smooth } from "./smooth.ts";
import { type Work, workOf } from "./work.ts";

// Times of units of one kind: a sum of what is counted, which cannot shrink when more is done, times what neighbours tell.

export interface Regressor {
  /** Milliseconds, and the standard deviation of its logarithm. */
  at(work: Work): { readonly ms: number; readonly deviation: number };
  /** Rows that it is made from. */
  readonly rows: number;
}

/** Shorter times are those of the clock. */
const LEAST = 1e-5;

/** A relative error of a median, at which a row's square counts half. With 0.03, folds of TensorFlow.js were 7.8 % off in place of 6.6; those of ONNX Runtime did not change by more than 0.1. */
const DOUBTFUL = 0.3;

/** @param rows - of one kind; at least one */
export function regressor(rows: readonly Latency[]): Regressor {
  const works = rows.map(workOf);
  // What is less than it varies by may be that much, too.
  const times = rows.map(({ median, spread }) => Math.max(median, spread, LEAST));
  const names = [...new Set(works.flatMap(({ counts }) => Object.keys(counts)))].filter((name) =>
    works.some(({ counts }) => (counts[name] ?? 0) > 0),
  );
  // Scaled, so that all columns are of one size; each row counts by its relative error, and less where that is not known well.
  const sizes = names.map((name) => Math.max(...works.map(({ counts }) => counts[name] ?? 0)));
  const columns = ({ counts }: Work): number[] => names.map((name, i) => (counts[name] ?? 0) / (sizes[i] as number));
  const errors = rows.map((row, i) => errorOf(row, times[i]));
  const weights = errors.map((error) => 1 / Math.hypot(1, error / DOUBTFUL));
  const matrix = works.map((work, i) => columns(work).map((x) => ((weights[i] as number) * x) / (times[i] as number)));
  const factors = nonNegative(matrix, weights);
  const bare = (work: Work): number =>
    Math.max(
      LEAST,
      columns(work).reduce((total, x, i) => total + x * (factors[i] as number), 0),
    );
  // Squares of relative errors are least a little below the middle.
  const middle = Math.exp(
    works.reduce((total, work, i) => total + Math.log((times[i] as number) / bare(work)) / works.length, 0),
  );
  const sum = (work: Work): number => middle * bare(work);
  const left = works.map((work, i) => Math.log((times[i] as number) / sum(work)));
  const around: Smooth = smooth(
    works.map(({ place }) => place),
    left,
    errors,
  );
  return {
    rows: rows.length,
    at(work) {
      const { mean, deviation } = around.at(work.place);
      return { ms: sum(work) * Math.exp(mean), deviation };
    },
  };
}
