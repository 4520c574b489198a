import { scaleLog } from "d3-scale";

// Places of numbers in drawings, whatever the numbers are.

/** What logarithms are taken of, at least and at most. */
const [LEAST, MOST] = [1e-300, 1e300];

export interface LogScale {
  /** 0 at the low end, 1 at the high one; numbers outside are at the ends. */
  at(value: number): number;
  /** A few round numbers between the ends. */
  readonly ticks: readonly number[];
}

/**
 * A scale that holds the numbers above 0 among the given.
 * @param decades - below the largest number that are shown, at most
 * @param round - whether it begins and ends at powers of ten
 */
export function logScale(values: Iterable<number>, decades: number, round: boolean): LogScale {
  let [low, high] = [Number.POSITIVE_INFINITY, 0];
  for (const value of values) {
    if (!(value > 0) || value === Number.POSITIVE_INFINITY) continue;
    const x = Math.min(Math.max(value, LEAST), MOST);
    [low, high] = [Math.min(low, x), Math.max(high, x)];
  }
  if (high === 0) [low, high] = [0.1, 1];
  low = Math.max(low, high / 10 ** decades, LEAST);
  const power = (x: number, to: (log: number) => number): number => 10 ** to(Math.log10(x));
  // The least number is seen, too, and a single one has room.
  const from = round ? power(low * 0.999, Math.floor) : low * 0.6;
  const to = round ? power(high * 0.999, Math.ceil) : high;
  const scale = scaleLog([from, to], [0, 1]).clamp(true);
  return { at: (value) => (value > 0 ? scale(Math.min(value, MOST)) : 0), ticks: ticksWithin(from, to) };
}

function ticksWithin(low: number, high: number): number[] {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const powers = Array.from({ length: last - first + 1 }, (_, i) => Number(`1e${first + i}`));
  const within = (x: number): boolean => x >= low * 0.999 && x <= high * 1.001;
  const found = powers.filter(within);
  if (found.length < 2) return powers.flatMap((x) => [x, 2 * x, 5 * x]).filter(within);
  const each = Math.ceil(found.length / 5);
  return found.filter((_, i) => (found.length - 1 - i) % each === 0);
}

/** A share of a drawing's width, as attributes have it; of what is none, 0. */
export function across(share: number, digits = 2): string {
  return `${Number((100 * Math.min(Math.max(share || 0, 0), 1)).toFixed(digits))}%`;
}

/** A number in few characters. */
export function few(x: number): string {
  return Number.isFinite(x) ? `${Number(x.toPrecision(3))}` : "–";
}
