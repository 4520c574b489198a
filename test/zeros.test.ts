import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { zeroMinima } from "../src/codec/zeros.ts";
import { loadKernels } from "../src/kernels.ts";
import { random, run, SIZES, tiers } from "./helpers.ts";
import { zeroCodes, zeroElements } from "./reference.ts";

const WIDTHS = [1, 2, 4, 8];

function few(n: number, seed: number): Int8Array {
  const next = random(seed);
  return new Int8Array(n).map(() => Math.floor(4 * next()) - 2);
}

describe("the twin", () => {
  test("counts by hand", () => {
    expect(zeroCodes(Int8Array.of(0, 1, 0, -1), 2, null)).toBe(2);
    expect(zeroCodes(Int8Array.of(1, 1, 0, -1), 2, Int8Array.of(1, -1))).toBe(3);
    expect(zeroElements(Uint8Array.of(0, 128, 0, 0, 1, 0), 2, true)).toBe(2);
    expect(zeroElements(Uint8Array.of(0, 128, 0, 0, 1, 0), 2, false)).toBe(1);
  });
});

describe.each(tiers())("on $name", (tier) => {
  test("codes are counted in rows of all lengths", () => {
    for (const n of SIZES.filter((size) => size < 70000)) {
      for (const cols of [1, 9, 33, 64, Math.max(n, 1)]) {
        const rows = Math.floor(n / cols);
        const codes = few(rows * cols, n);
        const points = few(rows, n + cols);
        expect(run(tier, "zeroCodes", codes, rows, cols, 0).status).toBe(zeroCodes(codes, cols, null));
        expect(run(tier, "zeroCodes", codes, rows, cols, points).status).toBe(zeroCodes(codes, cols, points));
      }
    }
  });

  test("elements are counted in all widths; -0 is zero, the least integer is not", () => {
    for (const n of [0, 1, 2, 15, 16, 17, 31, 33, 1025]) {
      for (const width of WIDTHS) {
        // Bytes that are nearly all 0 or 128, so that whole elements are.
        const next = random(n + width);
        const bytes = new Uint8Array(n * width).map((_, i) =>
          next() < 0.1 ? 1 : i % width === width - 1 && next() < 0.3 ? 128 : 0,
        );
        for (const float of [false, true].slice(0, width === 1 ? 1 : 2)) {
          const { status } = run(tier, "zeroElements", bytes, n, width, Number(float));
          expect(status, `${n} of ${width}, float ${float}`).toBe(zeroElements(bytes, width, float));
        }
      }
    }
  });

  test("any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.constantFrom(...WIDTHS), (bytes, width) => {
        const whole = bytes.slice(0, bytes.length - (bytes.length % width));
        const { status } = run(tier, "zeroElements", whole, whole.length / width, width, 0);
        expect(status).toBe(zeroElements(whole, width, false));
      }),
    );
  });
});

test("codes under minima: by what they stand for", async () => {
  const kernels = await loadKernels();
  const { values } = kernels.arena(0, "encode");
  // None, the code 3, all, none (infinite, NaN), a quotient that is no code, and -0 in a row cut short.
  const scales = Float32Array.of(0, 0.5, 0, Infinity, NaN, 0.25, 1, 2);
  const minima = Float32Array.of(1, -1.5, 0, 0, 0, -4, 0.5, -0);
  const count = 32 * 7 + 5;
  const codes = new Int8Array(count).map((_, i) => (i % 16) - 8);
  kernels.bytes().set(new Uint8Array(codes.buffer), values);
  const expected = codes.filter((code, i) => {
    const row = Math.floor(i / 32);
    return (code + 8) * scales[row] + minima[row] === 0;
  }).length;
  expect(expected).toBe(2 + 32 + 1);
  expect(zeroMinima(kernels, values, count, scales, minima)).toBe(expected);
});
