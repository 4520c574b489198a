import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { channelMaxima, channelsOf, divided, multiplied } from "../src/activations/channels.ts";
import { activationCodes, codesFor, codingError } from "../src/activations/ranges.ts";
import { loadKernels } from "../src/index.ts";
import { expectSame, weights } from "./helpers.ts";
import { activationError, activationCodes as codesTwin, columnMax, smooth, unsmooth } from "./reference.ts";

const kernels = await loadKernels();
const ones = (n: number): Float32Array => new Float32Array(n).fill(1);

describe("elements by channel", () => {
  test("lie where the axis says", () => {
    expect(channelsOf([2, 3, 4, 5], 1)).toEqual({ outer: 2, channels: 3, inner: 20 });
    expect(channelsOf([2, 3, 4, 5], -1)).toEqual({ outer: 24, channels: 5, inner: 1 });
    expect(() => channelsOf([2, 3], 2)).toThrow(/axis/);
  });

  // The last are larger than what is done at a time, in one dimension or another.
  test.each([
    [2, 3, 4],
    [5, 33, 1],
    [1, 1, 1],
    [0, 3, 2],
    [3, 70000, 1],
    [70000, 3, 1],
    [2, 2, 70000],
    [1, 300, 333],
    [2, 131072, 1],
  ] as const)(
    "maxima, products and quotients of %i x %i x %i are those of the twins",
    async (outer, channels, inner) => {
      const at = { outer, channels, inner };
      const x = weights(outer * channels * inner, 4);
      const factors = weights(channels, 5).map((f) => Math.abs(f) + 0.01);
      const maxima = columnMax(x, [outer, channels, inner], new Float32Array(channels));
      expectSame(await channelMaxima(kernels, x, at), maxima, "maxima");
      expectSame(await multiplied(kernels, x, at, factors), smooth(x, factors, inner), "products");
      expectSame(divided(kernels, x, at, factors), unsmooth(x, factors, inner), "quotients");
      const codes = { scale: Math.fround(0.01), zeroPoint: 3, least: -128, most: 127 };
      const coding = { scale: codes.scale, zero: 3, least: -128, most: 127 };
      const grid = [outer, channels, inner] as const;
      const twin = activationError(x, grid, factors, coding);
      expectSame(activationCodes(kernels, x, at, factors, codes), codesTwin(x, grid, factors, coding), "codes");
      expect(codingError(kernels, x, at, factors, codes)).toBeCloseTo(twin, 6 - Math.ceil(Math.log10(twin + 1)));
    },
  );
});

describe("codes of activations", () => {
  const at = { outer: 1, channels: 1, inner: 1000 };
  const x = weights(1000, 8).map((v) => 3 * v + 1);

  test("by the largest magnitudes: every value has a code, 0 has one of its own", () => {
    for (const bits of [2, 4, 8]) {
      for (const symmetric of [false, true]) {
        const { scale, zeroPoint, least, most } = codesFor(kernels, x, at, ones(1), { bits, symmetric, method: "max" });
        expect(most - least).toBe(2 ** bits - (symmetric ? 2 : 1));
        if (symmetric) expect(zeroPoint).toBe(0);
        for (const value of x) {
          expect(value / scale + zeroPoint).toBeGreaterThan(least - 1.01);
          expect(value / scale + zeroPoint).toBeLessThan(most + 1.01);
        }
      }
    }
  });

  test("by percentiles: an outlier has no say", () => {
    const wild = x.map((value, i) => (i === 5 ? 1e6 : value));
    const range = ({ scale, least, most }: { scale: number; least: number; most: number }) => scale * (most - least);
    const calm = codesFor(kernels, wild, at, ones(1), { method: "percentile", percentile: 99 });
    expect(range(calm)).toBeLessThan(100);
    expect(range(codesFor(kernels, wild, at, ones(1), { method: "max" }))).toBeGreaterThan(1e6);
  });

  test("of least error have no more than those of the largest magnitudes", () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ min: -50, max: 50, noNaN: true }), { minLength: 1, maxLength: 120 }),
        fc.integer({ min: 2, max: 8 }),
        (values, bits) => {
          const data = Float32Array.from(values);
          const place = { outer: 1, channels: 1, inner: data.length };
          const error = (method: "max" | "mse") =>
            codingError(kernels, data, place, ones(1), codesFor(kernels, data, place, ones(1), { bits, method }));
          expect(error("mse")).toBeLessThanOrEqual(error("max"));
        },
      ),
    );
    const peaked = Float32Array.from({ length: 1000 }, (_, i) => (i === 3 ? 3 : Math.sin(i)));
    const error = (method: "max" | "mse") =>
      codingError(kernels, peaked, at, ones(1), codesFor(kernels, peaked, at, ones(1), { bits: 4, method }));
    expect(error("mse")).toBeLessThan(0.9 * error("max"));
  });

  test("nothing and zeros have codes too; NaN and infinity have none", () => {
    for (const method of ["max", "percentile", "mse"] as const) {
      for (const data of [new Float32Array(0), new Float32Array(7)]) {
        const place = { outer: 1, channels: 1, inner: data.length };
        expect(codesFor(kernels, data, place, ones(1), { method })).toMatchObject({ scale: 1 });
      }
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        const data = Float32Array.of(1, bad);
        expect(() => codesFor(kernels, data, { outer: 1, channels: 1, inner: 2 }, ones(1), { method })).toThrow(
          /activation is/,
        );
      }
    }
    expect(() => codesFor(kernels, x, at, ones(1), { bits: 9 })).toThrow(/bits.*2..8/);
    expect(() => codesFor(kernels, x, at, ones(1), { method: "percentile", percentile: 3 })).toThrow(/percentile/);
  });
});
