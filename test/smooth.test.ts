import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { power } from "../src/codec/power.ts";
import { smoothFactors } from "../src/index.ts";
import {
  decodeTiers,
  degenerate,
  expectSame,
  f32,
  has,
  inout,
  NOT_FINITE,
  run,
  STATUS,
  tiers,
  weights,
} from "./helpers.ts";
import { columnMax, smooth, smoothFactor, unsmooth } from "./reference.ts";

/** [outer, channels, inner] around the lanes. */
const GRIDS: [number, number, number][] = [
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
  [40, 64, 1],
];

const size = ([outer, channels, inner]: readonly number[]) => outer * channels * inner;
const positive = (n: number, seed: number) => weights(n, seed).map((x) => Math.abs(x) + 1e-3);

describe("the twin", () => {
  test("finds maxima, multiplies and divides by hand", () => {
    const x = Float32Array.of(1, -5, 2, 4, -3, 0);
    expect([...columnMax(x, [2, 3, 1], Float32Array.of(0, 0, 2.5))]).toEqual([4, 5, 2.5]);
    expect([...columnMax(x, [1, 3, 2], new Float32Array(3))]).toEqual([5, 4, 3]);
    expect([...smooth(x, Float32Array.of(1, 2), 1)]).toEqual([1, -10, 2, 8, -3, 0]);
    expect([...smooth(x, Float32Array.of(1, 2), 2, 1)]).toEqual([1, -10, 4, 4, -3, 0]);
    expect([...unsmooth(x, Float32Array.of(1, 2), 2, 3)]).toEqual([0.5, -5, 2, 2, -1.5, 0]);
  });
});

describe.each(tiers())("columnMax on $name", (tier) => {
  test("agrees with its twin", () => {
    for (const grid of GRIDS) {
      for (const [name, x] of [["weights", weights(size(grid), 3)] as const, ...degenerate(size(grid))]) {
        const before = positive(grid[1], 4).map((value, i) => (i % 3 === 0 ? value : 0));
        const result = run(tier, "columnMax", x, ...grid, inout(before));
        expect(result.status, name).toBe(x.length);
        expectSame(f32(result.out[0]), columnMax(x, grid, before), `${name} ${grid}`);
      }
    }
  });

  test.each(NOT_FINITE)("refuses %f, wherever it is", (bad) => {
    for (const grid of [
      [2, 9, 1],
      [2, 3, 7],
    ] as [number, number, number][]) {
      for (let at = 0; at < size(grid); at++) {
        const x = weights(size(grid), 12).fill(bad, at, at + 1);
        expect(run(tier, "columnMax", x, ...grid, inout(new Float32Array(grid[1]))).status).toBe(STATUS.NOT_FINITE);
      }
    }
  });
});

describe.each(decodeTiers())("smooth and unsmooth on $name", (tier) => {
  function check(x: Float32Array, factors: Float32Array, inner: number, start: number, what: string): void {
    for (const [kernel, twin] of [
      ["smooth", smooth],
      ["unsmooth", unsmooth],
    ] as const) {
      if (!has(tier, kernel)) continue;
      const result = run(tier, kernel, inout(x), x.length, start, factors.length, inner, factors);
      expect(result.status, what).toBe(x.length);
      expectSame(f32(result.out[0]), twin(x, factors, inner, start), `${kernel}: ${what}`);
    }
  }

  test("agree with their twins from any start", () => {
    for (const grid of GRIDS.filter(([, channels]) => channels > 0)) {
      const [, channels, inner] = grid;
      const cycle = channels * inner;
      for (const start of new Set([0, 1 % cycle, cycle >> 1, cycle - 1])) {
        for (const [name, x] of [["weights", weights(size(grid), 3)] as const, ...degenerate(size(grid))])
          check(x, positive(channels, 9), inner, start, `${name} ${grid} from ${start}`);
      }
    }
  });

  test("agree with their twins on any floats", () => {
    const value = fc.float({ noNaN: true, noDefaultInfinity: true });
    const factor = fc.float({ min: Math.fround(1e-30), max: Math.fround(1e30), noNaN: true });
    fc.assert(
      fc.property(
        fc.array(value, { maxLength: 80, size: "max" }),
        fc.array(factor, { minLength: 1, maxLength: 9 }),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(),
        (x, factors, inner, at) => {
          check(
            Float32Array.from(x),
            Float32Array.from(factors),
            inner,
            at % (factors.length * inner),
            `${inner} ${at}`,
          );
        },
      ),
    );
  });
});

test("a power of two takes nothing from a weight, and another factor at most an ulp or so", () => {
  const x = weights(4000, 1);
  const powers = Float32Array.from({ length: 40 }, (_, i) => 2 ** (i - 20));
  expectSame(unsmooth(smooth(x, powers, 1), powers, 1), x);
  const back = unsmooth(smooth(x, positive(40, 2), 1), positive(40, 2), 1);
  back.forEach((value, i) => void expect(Math.abs(value - x[i])).toBeLessThanOrEqual(2 ** -23 * Math.abs(x[i])));
});

describe("smoothFactors", () => {
  const w = positive(60, 5);
  const activations = positive(60, 6).map((a) => 40 * a);
  const groups = Uint8Array.from({ length: 60 }, (_, i) => (i % 7 === 0 ? 1 : 0));

  test("are those of SmoothQuant, with an alpha per group", () => {
    const alphas = [0.5, 0.85];
    const found = smoothFactors(w, { alphas, powers: false }, { activations, groups });
    found.forEach((s, i) => {
      const expected = smoothFactor(activations[i], w[i], alphas[groups[i]]);
      expect(Math.abs(s - expected)).toBeLessThanOrEqual(2 ** -24 * expected * 1.001);
    });
    expect([...smoothFactors(Float32Array.of(4, 0), { alphas: [0.5], powers: false })]).toEqual([
      0.5,
      Math.fround(1 / Math.sqrt(1e-5)),
    ]);
    expect([...smoothFactors(Float32Array.of(4, 9), { alphas: [1], powers: false })]).toEqual([1, 1]);
  });

  test("as powers of two are the nearest", () => {
    const exact = smoothFactors(w, { alphas: [0.3], powers: false }, { activations });
    smoothFactors(w, { alphas: [0.3], powers: true }, { activations }).forEach((s, i) => {
      expect(Math.log2(s)).toBe(Math.round(Math.log2(exact[i])));
    });
  });

  test("need one activation and group per channel, and an alpha for each group", () => {
    const step = { alphas: [0.5], powers: false };
    expect(() => smoothFactors(w, step, { activations: new Float32Array(59) })).toThrow(/activations.*60 entries/);
    expect(() => smoothFactors(w, step, { groups: new Uint8Array(61) })).toThrow(/groups.*60 entries/);
    expect(() => smoothFactors(w, step, { groups })).toThrow(/groups.*below 1/);
    expect(() => smoothFactors(w, step, { activations: activations.map(() => Number.NaN) })).toThrow(/activations/);
  });
});

test("powers are as good as f64 lets them be", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 1e-5, max: 3.4e38, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (x, y) => {
        expect(Math.abs(power(x, y) / x ** y - 1)).toBeLessThan(2e-14);
      },
    ),
    { numRuns: 2000 },
  );
  expect([power(4, 0.5), power(7, 0), power(1, 0.3)]).toEqual([2, 1, 1]);
});
