import { describe, expect, test } from "vitest";
import { smoothFactors } from "../src/index.ts";
import { expectSame, f32, out, run, STATUS, tiers, weights } from "./helpers.ts";

const positive = (n: number, seed: number) => weights(n, seed).map((x) => Math.abs(x) + 1e-3);

// The slow twin is the smoothFactors of plans, whose powers have the same steps: test/smooth.test.ts holds it against Math.pow.
describe.each(tiers())("smoothFactors on $name", (tier) => {
  function factors(a: Float32Array, w: Float32Array, groups: Uint8Array, alphas: number[], powers: boolean) {
    const result = run(
      tier,
      "smoothFactors",
      a,
      w,
      groups,
      Float64Array.from(alphas),
      a.length,
      powers ? 1 : 0,
      out(4 * a.length),
    );
    expect(result.status).toBe(a.length);
    return f32(result.out[0]);
  }

  test("are those of plans, bit for bit", () => {
    for (const n of [0, 1, 2, 31, 33, 400]) {
      for (const alphas of [[0.5], [0, 1], [0.3, 0.85, 0.6]]) {
        const groups = Uint8Array.from({ length: n }, (_, i) => i % alphas.length);
        for (const powers of [false, true]) {
          const activations = positive(n, n).map((a, i) => a * 10 ** ((i % 9) - 4));
          const w = positive(n, n + 1).map((x, i) => (i % 11 === 3 ? 0 : x));
          const twin = smoothFactors(w, { alphas, powers }, { activations, groups });
          expectSame(factors(activations, w, groups, alphas, powers), twin, `${n} ${alphas} ${powers}`);
        }
      }
    }
  });

  test("a group without a coefficient stays as it is", () => {
    const groups = Uint8Array.of(0, 1, 0);
    const found = factors(Float32Array.of(4, 9, 1e30), Float32Array.of(1, 1, 0), groups, [-1, 0.5], false);
    expect([...found]).toEqual([1, 3, 1]);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("maxima of %f are refused", (bad) => {
    for (const [a, w] of [
      [bad, 1],
      [1, bad],
    ]) {
      const args = [
        Float32Array.of(1, a),
        Float32Array.of(1, w),
        new Uint8Array(2),
        Float64Array.of(0.5),
        2,
        0,
      ] as const;
      expect(run(tier, "smoothFactors", ...args, out(8)).status).toBe(STATUS.NOT_FINITE);
    }
  });
});
