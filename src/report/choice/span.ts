import { scaleLinear, scaleLog } from "d3-scale";
import { isTold } from "../figures.ts";

/** A side of a drawing. */
export interface Span {
  /** Between the ends of the side, wherever the number is. */
  at(value: number): number;
  /** Whether the number lies between the ends. */
  holds(value: number): boolean;
  readonly ticks: readonly number[];
}

/** What is so many times as large is shown by logarithms. */
const WIDE = 4;
const LEAST = 1e-12;
const TICKS = 5;

/** Holds the numbers above 0 that are given, with some room. @param side - its ends in the drawing */
export function spanOf(values: Iterable<number | null | undefined>, side: readonly [number, number]): Span {
  let [low, high] = [Number.POSITIVE_INFINITY, 0];
  for (const value of values) {
    if (!isTold(value) || value <= 0) continue;
    [low, high] = [Math.min(low, value), Math.max(high, value)];
  }
  if (high === 0) [low, high] = [1, 2];
  low = Math.max(low, high * LEAST, Number.MIN_VALUE / Number.EPSILON);
  high = Math.max(low, high);
  if (high < WIDE * low) {
    const room = high > low ? 0.1 * (high - low) : 0.2 * high;
    const ends = [low - room, high + room] as const;
    const scale = scaleLinear(ends, side).clamp(true);
    return { at: (value) => scale(value), holds: within(...ends), ticks: scale.ticks(4) };
  }
  const ends: [number, number] = [low / (high / low) ** 0.05, high * (high / low) ** 0.05];
  const scale = scaleLog(ends, side).clamp(true);
  return { at: (value) => (value > 0 ? scale(value) : side[0]), holds: within(...ends), ticks: roundWithin(...ends) };
}

function within(low: number, high: number): Span["holds"] {
  return (value) => value >= low && value <= high;
}

function roundWithin(low: number, high: number): number[] {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const powers = Array.from({ length: last - first + 1 }, (_, i) => Number(`1e${first + i}`));
  const between = within(low, high);
  const fine = powers.flatMap((x) => [x, 2 * x, 5 * x]).filter(between);
  if (fine.length <= TICKS) return fine;
  const coarse = powers.flatMap((x) => [x, 3 * x]).filter(between);
  if (coarse.length <= TICKS) return coarse;
  const tens = powers.filter(between);
  const each = Math.ceil(tens.length / TICKS);
  return tens.filter((_, i) => i % each === 0);
}
