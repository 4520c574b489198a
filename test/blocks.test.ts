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
  STATUS,
  type Tier,
  weights,
} from "./helpers.ts";
import {
  type Blocks,
  blockScales,
  dequantizeMinimum,
  fromHalf,
  type GgufFormat,
  joinBlocks,
  quantizeAway,
  quantizeBlocks,
  range,
  roundAway,
  toHalf,
} from "./reference.ts";

const FORMATS = ["q8_0", "q4_0", "q4_1"] as const;
const KERNELS = { q8_0: "quantizeQ80", q4_0: "quantizeQ40", q4_1: "quantizeQ41" } as const;
const KINDS = { q8_0: 0, q4_0: 1, q4_1: 2 };
const SIZES = [0, 1, 2, 3, 31, 32, 33, 63, 64, 65, 300, 4095, 4096, 4097];

function runFormat(tier: Tier, format: GgufFormat, x: Float32Array): { status: number; blocks: Blocks } {
  const groups = Math.ceil(x.length / 32);
  const minima = format === "q4_1" ? [out(2 * groups)] : [];
  const result = run(tier, KERNELS[format], x, x.length, out(2 * groups), ...minima, out(x.length));
  const [scales, ...rest] = result.out.map(({ buffer }) => buffer);
  const codes = new Int8Array(rest[rest.length - 1]);
  const least = format === "q4_1" ? new Uint16Array(rest[0]) : new Uint16Array(groups);
  return { status: result.status, blocks: { scales: new Uint16Array(scales), minima: least, codes } };
}

function checkFormat(tier: Tier, format: GgufFormat, x: Float32Array, what: string): void {
  const { status, blocks } = runFormat(tier, format, x);
  let expected: Blocks;
  try {
    expected = quantizeBlocks(format, x);
  } catch {
    expect(status, what).toBe(STATUS.NOT_FINITE);
    return;
  }
  expect(status, what).toBe(x.length);
  expectSame(blocks.scales, expected.scales, `${what}: scales`);
  if (format === "q4_1") expectSame(blocks.minima, expected.minima, `${what}: minima`);
  expectSame(blocks.codes, expected.codes, `${what}: codes`);
}

describe("the twin", () => {
  test("rounds to f16 by hand", () => {
    const cases: [number, number][] = [
      [1, 0x3c00],
      [-2, 0xc000],
      [65504, 0x7bff],
      [65519, 0x7bff],
      [65520, 0x7c00],
      [2 ** -14, 0x0400],
      [2 ** -24, 1],
      [2 ** -25, 0],
      [1.5 * 2 ** -24, 2],
      [2.5 * 2 ** -24, 2],
      [1 + 2 ** -11, 0x3c00],
      [1 + 3 * 2 ** -11, 0x3c02],
      [-0, 0x8000],
    ];
    for (const [value, bits] of cases) expect(toHalf(value), `${value}`).toBe(bits);
    for (let bits = 0; bits < 0x7c00; bits++) expect(toHalf(fromHalf(bits))).toBe(bits);
  });

  test("quantizes by hand", () => {
    const x = new Float32Array(32);
    x.set([1, -1, 0.5, -0.25]);
    // Q4_0: the first of the largest is 1, so d = -1/8: 1 gives 0, -1 gives 16 cut to 15, 0.5 gives 4, -0.25 gives 10.
    const q4 = quantizeBlocks("q4_0", x);
    expect(q4.scales[0]).toBe(0xb000);
    expect([...q4.codes.subarray(0, 5)]).toEqual([-8, 7, -4, 2, 0]);
    const q8 = quantizeBlocks("q8_0", x);
    expect([...q8.codes.subarray(0, 5)]).toEqual([127, -127, 64, -32, 0]);
    // Q4_1: d = 2/15 from -1 up.
    // In f32 1/d is below 7.5, so the zero falls short of 8.
    const q41 = quantizeBlocks("q4_1", x);
    expect(q41.minima[0]).toBe(0xbc00);
    expect([...q41.codes.subarray(0, 5)]).toEqual([7, -8, 3, -2, -1]);
    expect([0.5, 1.5, -0.5, 0.49999997].map(roundAway).map((y) => y + 0)).toEqual([1, 2, -1, 0]);
  });
});

describe.each(decodeTiers())("blocks on $name", (tier) => {
  if (has(tier, "quantizeQ80")) {
    test.each(SIZES)("agree with their twin on %i weights", (n) => {
      for (const format of FORMATS) checkFormat(tier, format, weights(n, n), `${format}, ${n}`);
    });

    test("agree with their twin on degenerate weights", () => {
      for (const n of [1, 7, 32, 45, 128]) {
        for (const [name, x] of degenerate(n))
          for (const format of FORMATS) checkFormat(tier, format, x, `${format}, ${name}, ${n}`);
      }
    });

    test("agree with their twin on any floats", () => {
      const float = fc.oneof(
        fc.float({ noNaN: true, noDefaultInfinity: true }),
        fc.float({ noNaN: true, min: -4, max: 4 }),
        fc.constantFrom(0, -0, 1, -1, 0.5, -0.5, 2 ** -149, -(2 ** -149), 2 ** -126),
        fc.integer({ min: -300, max: 300 }).map((k) => k / 64),
      );
      fc.assert(
        fc.property(fc.array(float, { minLength: 1, maxLength: 70, size: "max" }), (x) => {
          for (const format of FORMATS) checkFormat(tier, format, Float32Array.from(x), format);
        }),
        { numRuns: 400 },
      );
    });

    test.each(NOT_FINITE)("refuse %f in any place", (bad) => {
      for (let at = 0; at < 70; at++) {
        const x = weights(70, 3).fill(bad, at, at + 1);
        for (const format of FORMATS) expect(runFormat(tier, format, x).status).toBe(STATUS.NOT_FINITE);
      }
    });

    test("MatMulNBits: agree with their twin", () => {
      for (const [rows, cols] of [
        [1, 1],
        [3, 17],
        [5, 32],
        [2, 100],
        [128, 32],
      ]) {
        for (const [name, x] of [...degenerate(rows * cols), ["weights", weights(rows * cols, 9)] as const]) {
          for (const asymmetric of [false, true]) {
            const { scales, zeroPoints } = blockScales(range(x, rows, cols), asymmetric);
            if (!scales.every(Number.isFinite)) continue;
            const zeros = asymmetric ? zeroPoints : undefined;
            const result = run(tier, "quantizeAway", x, rows, cols, scales, zeros ?? 0, out(rows * cols));
            expect(result.status).toBe(rows * cols);
            const expected = quantizeAway(x, rows, cols, scales, zeros);
            expectSame(result.out[0], expected, `${name}, ${rows} x ${cols}, ${asymmetric}`);
          }
        }
      }
    });

    test("come apart as the twin puts them together", () => {
      for (const format of FORMATS) {
        for (const blocks of [0, 1, 2, 7]) {
          const parts = quantizeBlocks(format, weights(32 * blocks, 8));
          const joined = joinBlocks(format, parts);
          const codeBytes = format === "q8_0" ? 32 * blocks : 16 * blocks;
          const outputs = [out(2 * blocks), format === "q4_1" ? out(2 * blocks) : 0, out(codeBytes)];
          const result = run(tier, "splitBlocks", joined, blocks, KINDS[format], ...outputs);
          expect(result.status).toBe(joined.length);
          expectSame(result.out[0], parts.scales);
          if (format === "q4_1") expectSame(result.out[1], parts.minima);
          expectSame(result.out[result.out.length - 1], streamed(format, parts.codes));
        }
      }
    });
  }

  test("are put together", () => {
    for (const format of FORMATS) {
      for (const blocks of [0, 1, 2, 7]) {
        const parts = quantizeBlocks(format, weights(32 * blocks, 8));
        const joined = joinBlocks(format, parts);
        const minima = format === "q4_1" ? parts.minima : 0;
        const codes = streamed(format, parts.codes);
        const result = run(tier, "joinBlocks", parts.scales, minima, codes, blocks, KINDS[format], out(joined.length));
        expect(result.status).toBe(joined.length);
        expectSame(result.out[0], joined, format);
      }
    }
  });

  test("every f16 is widened, NaN with their bits", () => {
    const all = Uint16Array.from({ length: 65536 + 3 }, (_, i) => i);
    const {
      out: [bytes],
    } = run(tier, "halves", all, all.length, out(4 * all.length));
    const values = f32(bytes);
    const bits = new Uint32Array(bytes.buffer);
    for (let i = 0; i < all.length; i++) {
      const expected = fromHalf(all[i]);
      if (Number.isNaN(expected)) expect(bits[i]).toBe((((i & 0x8000) << 16) | 0x7f800000 | ((i & 1023) << 13)) >>> 0);
      else expect(Object.is(values[i], expected), `${i}`).toBe(true);
    }
  });

  test("minima are added to products", () => {
    for (const [rows, cols] of [
      [1, 1],
      [4, 7],
      [3, 32],
      [1, 8],
      [2, 33],
    ]) {
      const codes = new Int8Array(rows * cols).map((_, i) => (i % 16) - 8);
      const halves = (seed: number) => weights(rows, seed).map((x) => fromHalf(toHalf(x)));
      const [scales, minima] = [halves(1), halves(2)];
      const result = run(tier, "dequantizeMinimum", codes, rows, cols, scales, minima, out(4 * rows * cols));
      expect(result.status).toBe(rows * cols);
      expectSame(f32(result.out[0]), dequantizeMinimum(codes, rows, cols, scales, minima), `${rows} x ${cols}`);
    }
  });
});

/** Codes as streams have them: bytes, or pairs of nibbles. */
function streamed(format: GgufFormat, codes: Int8Array): Uint8Array {
  if (format === "q8_0") return new Uint8Array(codes.slice().buffer);
  return new Uint8Array(codes.length / 2).map((_, i) => (codes[2 * i] & 15) | ((codes[2 * i + 1] & 15) << 4));
}
