import { roundEven } from "./quantize.ts";
import type { Grid } from "./smooth.ts";

export interface Coding {
  readonly scale: number;
  readonly zero: number;
  readonly least: number;
  readonly most: number;
}

/** x / factor / scale, each quotient rounded to f32, then to a whole number in the range of codes. */
function codeOf(x: number, factor: number, { scale, zero, least, most }: Coding): number {
  const quotient = Math.fround(Math.fround(x / factor) / scale);
  const level = roundEven(Math.min(Math.max(quotient, -(2 ** 20)), 2 ** 20));
  return Math.min(Math.max(level + zero, least), most);
}

const channelOf = ([, channels, inner]: Grid, i: number): number => Math.floor(i / inner) % channels;

/** Codes of f32 [outer, channels, inner], divided by the factors of their channels. */
export function activationCodes(x: Float32Array, grid: Grid, factors: Float32Array, coding: Coding): Int8Array {
  return Int8Array.from(x, (value, i) => codeOf(value, factors[channelOf(grid, i)], coding));
}

/** The sum of squared differences that the codes leave, where the values are multiplied by the factors again: in four partial sums by place in the row. */
export function activationError(x: Float32Array, grid: Grid, factors: Float32Array, coding: Coding): number {
  const [, channels, inner] = grid;
  const sums = [0, 0, 0, 0];
  x.forEach((value, i) => {
    const factor = factors[channelOf(grid, i)];
    const back = Math.fround((codeOf(value, factor, coding) - coding.zero) * coding.scale);
    sums[(i % (inner === 1 ? channels : inner)) & 3] += Math.fround(value - Math.fround(factor * back)) ** 2;
  });
  return sums[0] + sums[1] + (sums[2] + sums[3]);
}
