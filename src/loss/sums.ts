import { argument } from "../errors.ts";
import { random } from "../random.ts";

/** A figure over samples, and the interval that holds it with 95 %. null: it cannot be told, or it is infinite, as the SNR of what did not change. */
export interface Figure {
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

export interface BootstrapOptions {
  /** Default: 1 */
  readonly seed?: number | undefined;
  /** Default: 1000 */
  readonly resamples?: number | undefined;
}

/** Columns of numbers with a row for each sample; figures are functions of the columns' sums. */
export interface SampleSums {
  /** Rows. */
  readonly samples: number;
  add(row: readonly number[]): void;
  figures<Name extends string>(formulas: Record<Name, (sums: Float64Array) => number>): Record<Name, Figure>;
}

const RESAMPLES = 1000;
/** Beyond as many samples, rows share a place: memory and time have a limit. */
const PLACES = 2048;

/**
 * Sums with intervals by the bootstrap: as many samples as there are, drawn with replacement, again and again, and of the figures so found the 2.5th and
 * the 97.5th percentile (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). Resamples in which a figure is 0 / 0 are left out
 * of it. Rows beyond 2048 are added to one of the places before them, which the seed draws, and places are what is resampled.
 */
export function sampleSums(columns: number, { seed = 1, resamples = RESAMPLES }: BootstrapOptions = {}): SampleSums {
  argument(Number.isInteger(resamples) && resamples >= 1, "resamples", "a whole number above 0", resamples);
  const rows: Float64Array[] = [];
  const place = random(seed);
  let samples = 0;
  return {
    get samples() {
      return samples;
    },
    add(row) {
      argument(row.length === columns, "row", `${columns} numbers`, row.length);
      if (samples++ < PLACES) rows.push(Float64Array.from(row));
      else addTo(rows[Math.floor(place() * PLACES)] as Float64Array, row);
    },
    figures(formulas) {
      const whole = new Float64Array(columns);
      for (const row of rows) addTo(whole, row);
      const drawn = rows.length === 0 ? [] : resampled(rows, columns, resamples, random(seed + 1));
      const entries = Object.entries<(sums: Float64Array) => number>(formulas);
      const figures = entries.map(([name, formula]) => [name, figureOf(formula(whole), drawn.map(formula))]);
      return Object.fromEntries(figures) as ReturnType<SampleSums["figures"]> as never;
    },
  };
}

function addTo(sums: Float64Array, row: ArrayLike<number>): void {
  for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) + (row[i] as number);
}

function resampled(rows: readonly Float64Array[], columns: number, count: number, next: () => number): Float64Array[] {
  return Array.from({ length: count }, () => {
    const sums = new Float64Array(columns);
    for (let i = 0; i < rows.length; i++) addTo(sums, rows[Math.floor(next() * rows.length)] as Float64Array);
    return sums;
  });
}

function figureOf(value: number, drawn: readonly number[]): Figure {
  const sorted = Float64Array.from(drawn.filter((x) => !Number.isNaN(x))).sort();
  const last = sorted.length - 1;
  const told = (x: number | undefined): number | null => (x !== undefined && Number.isFinite(x) ? x : null);
  if (Number.isNaN(value)) return { value: null, low: null, high: null };
  return {
    value: told(value),
    low: told(sorted[Math.floor(0.025 * last)]),
    high: told(sorted[Math.ceil(0.975 * last)]),
  };
}
