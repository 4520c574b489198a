import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { degenerate, expectSame, out, run, tiers, weights } from "./helpers.ts";
import { activationCodes, activationError, type Coding, type Grid } from "./reference.ts";

/** [outer, channels, inner] around the lanes. */
const GRIDS: Grid[] = [
  [0, 3, 1],
  [2, 0, 1],
  [1, 1, 1],
  [3, 2, 1],
  [2, 31, 1],
  [5, 33, 1],
  [2, 3, 9],
  [3, 5, 4],
  [1, 7, 31],
  [2, 2, 33],
];

const CODINGS: Coding[] = [
  { scale: Math.fround(0.013), zero: 0, least: -127, most: 127 },
  { scale: Math.fround(0.02), zero: -31, least: -128, most: 127 },
  { scale: 2 ** -126, zero: 5, least: -8, most: 7 },
  { scale: 1, zero: -128, least: -128, most: 127 },
];

const size = ([outer, channels, inner]: Grid) => outer * channels * inner;
const positive = (n: number, seed: number) => weights(n, seed).map((x) => Math.abs(x) + 1e-3);

test("the twin codes by hand", () => {
  const coding = { scale: 0.5, zero: 1, least: -4, most: 3 };
  const x = Float32Array.of(1, -1, 0.5, 3, 100, -0.25);
  expect([...activationCodes(x, [3, 2, 1], Float32Array.of(1, 2), coding)]).toEqual([3, 0, 2, 3, 3, 1]);
  // What is left: 0, 0, 0, 3 - 2 * 1, 100 - 1, -0.25 - 0.
  expect(activationError(x, [3, 2, 1], Float32Array.of(1, 2), coding)).toBe(1 + 99 ** 2 + 0.0625);
});

describe.each(tiers())("activationCodes and activationError on $name", (tier) => {
  function check(x: Float32Array, grid: Grid, factors: Float32Array, coding: Coding, what: string): void {
    const { scale, zero, least, most } = coding;
    const args = [x, ...grid, factors, scale, zero, least, most] as const;
    const codes = run(tier, "activationCodes", ...args, out(x.length));
    expect(codes.status, what).toBe(x.length);
    expectSame(new Int8Array(codes.out[0].buffer), activationCodes(x, grid, factors, coding), what);
    const error = run(tier, "activationError", ...args, out(40));
    expect(error.status, what).toBe(x.length);
    expect(new Float64Array(error.out[0].buffer, 0, 1)[0], what).toBe(activationError(x, grid, factors, coding));
  }

  test("agree with their twins", () => {
    for (const grid of GRIDS) {
      for (const coding of CODINGS) {
        for (const [name, x] of [["weights", weights(size(grid), 3)] as const, ...degenerate(size(grid))])
          check(x, grid, positive(grid[1], 9), coding, `${name} ${grid} ${coding.scale}`);
      }
    }
  });

  test("agree with their twins on any floats", () => {
    const value = fc.float({ noNaN: true, noDefaultInfinity: true });
    const factor = fc.float({ min: Math.fround(1e-30), max: Math.fround(1e30), noNaN: true });
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 60, size: "max" }),
        fc.array(factor, { minLength: 1, maxLength: 9 }),
        fc.integer({ min: 1, max: 9 }),
        fc.constantFrom(...CODINGS),
        (values, factors, inner, coding) => {
          const grid: Grid = [2, factors.length, inner];
          const x = Float32Array.from({ length: size(grid) }, (_, i) => values[i % values.length]);
          check(x, grid, Float32Array.from(factors), coding, `${grid}`);
        },
      ),
    );
  });
});
