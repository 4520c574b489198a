import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeTiers, degenerate, expectSame, f32, has, out, run, SIZES, type Tier, weights } from "./helpers.ts";
import { dequantizeNormal, NF4_LEVELS, NF4_THRESHOLDS, quantizeNormal } from "./reference.ts";

function magnitudes(x: Float32Array, rows: number, cols: number): Float32Array {
  return new Float32Array(rows).map((_, row) =>
    x.subarray(row * cols, (row + 1) * cols).reduce((most, value) => Math.max(most, Math.abs(value)), 0),
  );
}

function check(tier: Tier, x: Float32Array, rows: number, cols: number, what: string): void {
  const scales = magnitudes(x, rows, cols);
  const expected = quantizeNormal(x, rows, cols, scales);
  if (has(tier, "quantizeNormal")) {
    const result = run(tier, "quantizeNormal", x, rows, cols, scales, out(rows * cols));
    expect(result.status).toBe(rows * cols);
    expectSame(result.out[0], expected, `${what}: codes`);
  }
  const back = run(tier, "dequantizeNormal", expected, rows, cols, scales, out(4 * rows * cols));
  expect(back.status).toBe(rows * cols);
  expectSame(f32(back.out[0]), dequantizeNormal(expected, rows, cols, scales), `${what}: back`);
}

describe("the twin", () => {
  test("has the midpoints of its levels as thresholds", () => {
    const middles = NF4_LEVELS.slice(1).map((level, i) => Math.fround((level + NF4_LEVELS[i]) / 2));
    expect(NF4_THRESHOLDS).toEqual(middles);
  });

  test("finds every level again", () => {
    const x = Float32Array.from(NF4_LEVELS);
    const codes = quantizeNormal(x, 1, 16, Float32Array.of(1));
    expect([...codes]).toEqual(Array.from(x, (_, i) => i - 8));
    expectSame(dequantizeNormal(codes, 1, 16, Float32Array.of(1)), x);
  });
});

describe.each(decodeTiers())("nf4 on $name", (tier) => {
  test.each(SIZES)("agrees with its twin on %i weights", (n) => {
    check(tier, weights(Math.ceil(n / 64) * 64, n), Math.ceil(n / 64), 64, `${n} in rows of 64`);
    if (n < 2000) check(tier, weights(n, n), 1, n, `${n} in one row`);
    if (n < 2000) check(tier, weights(n, n), n, 1, `${n} rows`);
  });

  test("agrees with its twin on degenerate weights", () => {
    for (const n of [1, 7, 33, 128]) for (const [name, x] of degenerate(n)) check(tier, x, 1, n, `${name}, ${n}`);
  });

  test("agrees with its twin around every threshold and at every end of a cell", () => {
    const places = [...NF4_THRESHOLDS, ...Array.from({ length: 33 }, (_, k) => k / 16 - 1)];
    const x = places.flatMap((place) => {
      const bits = new Int32Array(Float32Array.of(place).buffer)[0];
      return [-2, -1, 0, 1, 2].map((step) => new Float32Array(Int32Array.of(bits + step).buffer)[0]);
    });
    const row = Float32Array.from([...x.filter((value) => Math.abs(value) <= 1), 1]);
    check(tier, row, 1, row.length, "thresholds");
    check(
      tier,
      row.map((value) => value * 0.37),
      1,
      row.length,
      "scaled",
    );
  });

  test("agrees with its twin on any floats", () => {
    const float = fc.float({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(fc.array(float, { minLength: 1, maxLength: 80, size: "max" }), (x) => {
        check(tier, Float32Array.from(x), 1, x.length, "floats");
      }),
    );
  });
});
