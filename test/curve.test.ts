import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { curveOf, type Point, spend } from "../src/codec/curve.ts";
import { sumBins } from "../src/codec/levels.ts";
import { weights } from "./helpers.ts";
import { countBins } from "./reference.ts";

function binsOf(x: Float32Array) {
  const inverse = Math.fround(32767 / x.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
  return sumBins(Float64Array.from(countBins(x, inverse, new Uint32Array(65536))), inverse);
}

const total = (points: readonly Point[], field: "bits" | "error") => points.reduce((sum, p) => sum + p[field], 0);

describe("the curve of a tensor", () => {
  test("falls in error and rises in bits from the coarsest step on, but for the coarsest few", () => {
    const curve = curveOf(binsOf(weights(20000, 2)), 0, 1, 640000, 0);
    const usual = curve.filter(({ bits }) => bits > 20000);
    expect(usual.length).toBeGreaterThan(60);
    usual.slice(1).forEach((point, i) => {
      expect(point.error).toBeLessThan(usual[i].error);
      expect(point.bits).toBeGreaterThan(usual[i].bits);
    });
  });

  test("counts an error as often as the tensor's weight says", () => {
    const bins = binsOf(weights(3000, 2));
    const [one, two] = [1, 2].map((weight) => curveOf(bins, undefined, weight, 96000, 0));
    one.forEach((point, i) => void expect(two[i]).toEqual({ ...point, error: 2 * point.error }));
  });

  test("of zeros is a point", () => {
    expect(curveOf(sumBins(new Float64Array(65536), 0), undefined, 1, 99, 0)).toEqual([{ step: 1, error: 0, bits: 0 }]);
  });
});

describe("bits are spent", () => {
  const wide = weights(20000, 3).map((x) => 10 * x);
  const curves = [weights(20000, 2), wide].map((x) => curveOf(binsOf(x), undefined, 1, 32 * 20000, 0));

  test.each([1, 2, 3.5, 6])("within %d bits a weight, with less error than evenly", (bits) => {
    const points = spend(curves, 40000 * bits);
    expect(total(points, "bits")).toBeLessThanOrEqual(40000 * bits);
    expect(total(points, "bits")).toBeGreaterThan(40000 * (bits - 0.15));
    const even = curves.map((curve) => curve.findLast((point) => point.bits <= 20000 * bits) as Point);
    expect(total(points, "error")).toBeLessThan(0.8 * total(even, "error"));
  });

  test("where they count more", () => {
    const [a, b] = [1, 1000].map((weight) => curveOf(binsOf(weights(20000, 2)), undefined, weight, 32 * 20000, 0));
    const [first, second] = spend([a, b], 40000 * 3);
    expect(second.bits).toBeGreaterThan(first.bits + 20000 * 3);
  });

  test("all, if there are enough, and none, if there are none", () => {
    expect(total(spend(curves, 1e9), "bits")).toBeGreaterThan(40000 * 10);
    expect(total(spend(curves, 0), "bits")).toBe(0);
    expect(spend([], 100)).toEqual([]);
  });

  test("so that no single change within the budget is better by much", () => {
    const point = fc.record({ step: fc.constant(1), error: fc.nat(1000), bits: fc.nat(1000) });
    const any = fc.array(fc.array(point, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(any, fc.nat(3000), (random, bits) => {
        const sorted = random.map((curve) => [{ step: 1, error: 1001, bits: 0 }, ...curve]);
        const points = spend(sorted, bits);
        expect(total(points, "bits")).toBeLessThanOrEqual(bits);
        // Each point is the best of its curve for its bits or fewer.
        points.forEach((chosen, i) => {
          const better = sorted[i].filter((p) => p.bits <= chosen.bits && p.error < chosen.error);
          expect(better).toEqual([]);
        });
      }),
    );
  });
});
