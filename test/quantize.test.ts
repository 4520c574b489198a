import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeTiers,
  degenerate,
  expectSame,
  f32,
  has,
  NOT_FINITE,
  out,
  run,
  SIZES,
  STATUS,
  type Tier,
  weights,
} from "./helpers.ts";
import { dequantize, quantize, range, roundEven, type ScaleOptions, type Scales, scales } from "./reference.ts";

const WAYS: ScaleOptions[] = [
  { bits: 8, asymmetric: false },
  { bits: 8, asymmetric: true },
  { bits: 4, asymmetric: false },
  { bits: 4, asymmetric: true },
];

type Shape = [rows: number, cols: number];

/** Per tensor, per element, and groups that are no multiple of a lane. */
function shapes(n: number): Shape[] {
  return [
    [1, n],
    [n, 1],
    [Math.ceil(n / 33), 33],
    [Math.ceil(n / 64), 64],
  ];
}

function bounds({ bits, asymmetric }: ScaleOptions): [qmin: number, qmax: number] {
  const half = 2 ** (bits - 1);
  return [asymmetric ? -half : 1 - half, half - 1];
}

function runQuantize(tier: Tier, x: Float32Array, [rows, cols]: Shape, by: Scales, way: ScaleOptions): Int8Array {
  const size = rows * cols;
  const zeroPoints = by.zeroPoints ?? 0;
  const result = run(tier, "quantize", x, rows, cols, by.scales, zeroPoints, ...bounds(way), out(size));
  expect(result.status).toBe(size);
  return new Int8Array(result.out[0].buffer);
}

function runDequantize(tier: Tier, codes: Int8Array, [rows, cols]: Shape, by: Scales): Float32Array {
  const size = rows * cols;
  const result = run(tier, "dequantize", codes, rows, cols, by.scales, by.zeroPoints ?? 0, out(4 * size));
  expect(result.status).toBe(size);
  return f32(result.out[0]);
}

function check(tier: Tier, x: Float32Array, rows: number, cols: number, what: string): void {
  const pairs = range(x, rows, cols);
  const result = run(tier, "range", x, rows, cols, out(8 * rows));
  expect(result.status, what).toBe(rows);
  expectSame(f32(result.out[0]), pairs, `${what}: range`);
  for (const way of WAYS) {
    const by = scales(pairs, way);
    const label = `${what}, ${rows} x ${cols}, ${JSON.stringify(way)}`;
    const expected = quantize(x, rows, cols, by.scales, by.zeroPoints, ...bounds(way));
    if (has(tier, "quantize")) expectSame(runQuantize(tier, x, [rows, cols], by, way), expected, `${label}: quantize`);
    const back = dequantize(expected, rows, cols, by.scales, by.zeroPoints);
    expectSame(runDequantize(tier, expected, [rows, cols], by), back, `${label}: dequantize`);
  }
}

describe("the twin", () => {
  test("takes 0 into the range and knows no negative zero", () => {
    const pairs = range(Float32Array.of(1, 2, -3, -4, -0, -0), 3, 2);
    expectSame(pairs, Float32Array.of(0, 2, -4, 0, 0, 0));
  });

  test("rounds halves to even", () => {
    expect([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 2.4, -2.6].map(roundEven)).toEqual([0, 2, 2, 0, -2, -2, 2, -3]);
  });

  test("has the scales of the specification", () => {
    const pairs = Float32Array.of(-1, 3, 0, 0, -254, 0);
    expectSame(scales(pairs, WAYS[0]).scales, Float32Array.of(3 / 127, 1, 2));
    expectSame(scales(pairs, WAYS[2]).scales, Float32Array.of(3 / 7, 1, 254 / 7));
    // s = 4 / 255 puts lo = -1 at -128 + 63.75, s = 254 / 255 puts hi = 0 at 127.
    expectSame(scales(pairs, WAYS[1]).scales, Float32Array.of(4 / 255, 1, 254 / 255));
    expect([...(scales(pairs, WAYS[1]).zeroPoints ?? [])]).toEqual([-64, 0, 127]);
    expect([...(scales(pairs, WAYS[3]).zeroPoints ?? [])]).toEqual([-4, 0, 7]);
  });

  test("uses scale 1 below the smallest normal float", () => {
    const a = Float32Array.of(0, 126 * 2 ** -126, 0, 127 * 2 ** -126);
    expectSame(scales(a, WAYS[0]).scales, Float32Array.of(1, 2 ** -126));
  });

  test("quantizes by hand", () => {
    const x = Float32Array.of(-4, 0, 1, 3, 8, 9);
    expect([...quantize(x, 2, 3, Float32Array.of(2, 0.5), Int8Array.of(1, -10), -8, 7)]).toEqual([-1, 1, 1, -4, 6, 7]);
    expect([...dequantize(Int8Array.of(-1, 1, 5), 1, 3, Float32Array.of(2), Int8Array.of(1))]).toEqual([-4, 0, 8]);
  });

  test("is wrong by at most half a step, and one where the zero point was rounded", () => {
    for (const way of WAYS) {
      const x = weights(4096, 21);
      const by = scales(range(x, 64, 64), way);
      const codes = quantize(x, 64, 64, by.scales, by.zeroPoints, ...bounds(way));
      const back = dequantize(codes, 64, 64, by.scales, by.zeroPoints);
      const errors = x.map((value, i) => Math.abs(value - back[i]) / by.scales[i >> 6]);
      expect(Math.max(...errors)).toBeLessThanOrEqual((way.asymmetric ? 1 : 0.5) + 1e-4);
    }
  });
});

describe.each(decodeTiers())("quantize on $name", (tier) => {
  test.each(SIZES)("agrees with its twin on %i weights", (n) => {
    const size = n < 2000 ? shapes(n) : shapes(n).slice(n % 2 === 0 ? 3 : 0);
    for (const [rows, cols] of size) check(tier, weights(rows * cols, n), rows, cols, "weights");
  });

  test("agrees with its twin on degenerate weights", () => {
    for (const n of [1, 7, 33, 130]) {
      for (const [name, x] of degenerate(n)) check(tier, x, 1, n, name);
      for (const [name, x] of degenerate(3 * n)) check(tier, x, 3, n, name);
    }
  });

  test("agrees with its twin on any floats", () => {
    const float = fc.float({ noNaN: true, noDefaultInfinity: true });
    const values = fc.array(float, { minLength: 1, maxLength: 120, size: "max" });
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 40 }), (x, cols) => {
        const rows = Math.ceil(x.length / cols);
        check(
          tier,
          Float32Array.from({ length: rows * cols }, (_, i) => x[i % x.length]),
          rows,
          cols,
          "floats",
        );
      }),
    );
  });

  if (has(tier, "quantize"))
    test("rounds halves to even, and clips what is outside", () => {
      const x = Float32Array.of(0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 126.5, 127.5, -127.5, -128.5, 300, -300, -0);
      const by = { scales: Float32Array.of(1) };
      const codes = runQuantize(tier, x, [1, x.length], by, { bits: 8, asymmetric: true });
      expect([...codes]).toEqual([0, 2, 2, 0, -2, -2, 126, 127, -128, -128, 127, -128, 0]);
    });

  if (has(tier, "quantize"))
    test("divides by the scale: a product with its inverse would round elsewhere", () => {
      for (const scale of [3, 0.1, 7e-5, 0.0123456]) {
        const s = Math.fround(scale);
        const half = Float32Array.from({ length: 256 }, (_, i) => (i - 127.5) * s);
        const bits = new Int32Array(half.buffer);
        const near = [-1, 0, 1].flatMap((step) => [...new Float32Array(bits.map((b) => b + step).buffer)]);
        const x = Float32Array.from(near);
        const by = { scales: Float32Array.of(s) };
        const expected = quantize(x, 1, x.length, by.scales, undefined, -127, 127);
        expectSame(runQuantize(tier, x, [1, x.length], by, WAYS[0]), expected, `scale ${s}`);
      }
    });

  if (has(tier, "quantize"))
    test("clips quotients beyond every integer, whatever the zero point", () => {
      const x = Float32Array.of(3e38, -3e38, 3e9, -3e9, 2 ** 31, -(2 ** 31), 1e19, -1e19);
      for (const zero of [-128, -1, 0, 1, 127]) {
        for (const scale of [1, 2 ** -126, 1e-20]) {
          const by = { scales: Float32Array.of(scale), zeroPoints: Int8Array.of(zero) };
          expect([...runQuantize(tier, x, [1, 8], by, WAYS[1])]).toEqual([127, -128, 127, -128, 127, -128, 127, -128]);
        }
      }
    });

  test("dequantizes every code with every zero point", () => {
    const codes = new Int8Array(65536).map((_, i) => i);
    const zeroPoints = new Int8Array(256).map((_, i) => i);
    for (const scale of [0.0078125, 0.1, 1e-40, 3e38]) {
      const by = { scales: new Float32Array(256).fill(scale), zeroPoints };
      const expected = dequantize(codes, 256, 256, by.scales, zeroPoints);
      expectSame(runDequantize(tier, codes, [256, 256], by), expected, `scale ${scale}`);
    }
  });

  test.each(NOT_FINITE)("finds %f in any place of a range", (bad) => {
    for (const [rows, cols] of [
      [1, 1],
      [1, 37],
      [5, 7],
      [37, 1],
    ]) {
      for (let at = 0; at < rows * cols; at++) {
        const x = weights(rows * cols, 3).fill(bad, at, at + 1);
        expect(run(tier, "range", x, rows, cols, out(8 * rows)).status).toBe(STATUS.NOT_FINITE);
      }
    }
  });
});
