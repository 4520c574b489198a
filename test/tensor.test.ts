import { describe, expect, test } from "vitest";
import {
  type DType,
  dtypeWidth,
  elementCount,
  isDType,
  isFloat,
  lazyTensor,
  narrow,
  toFloat32,
  toNumbers,
  widen,
} from "../src/tensor.ts";
import { DTYPES, FLOATS } from "./files.ts";
import { bytesOf, expectSame, random } from "./helpers.ts";

interface Half {
  dtype: "F16" | "BF16";
  exponentBits: number;
  fractionBits: number;
}

const F16: Half = { dtype: "F16", exponentBits: 5, fractionBits: 10 };
const BF16: Half = { dtype: "BF16", exponentBits: 8, fractionBits: 7 };
const HALVES = [F16, BF16];
const ALL = new Uint16Array(65536).map((_, i) => i);

function fields({ exponentBits, fractionBits }: Half, bits: number) {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> fractionBits) & (2 ** exponentBits - 1);
  return { sign, exponent, fraction: bits & (2 ** fractionBits - 1) };
}

/** IEEE 754 by its definition. */
function halfValue(half: Half, bits: number): number {
  const { sign, exponent, fraction } = fields(half, bits);
  const bias = 2 ** (half.exponentBits - 1) - 1;
  const part = fraction / 2 ** half.fractionBits;
  if (exponent === 2 * bias + 1) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * part * 2 ** (1 - bias) : sign * (1 + part) * 2 ** (exponent - bias);
}

function isNaNHalf(half: Half, bits: number): boolean {
  return Number.isNaN(halfValue(half, bits));
}

/** The values of the bits 0, 1, 2, ... up to infinity, which for rounding is one step above the largest. */
function ladder(half: Half): number[] {
  const top = (2 ** half.exponentBits - 1) * 2 ** half.fractionBits;
  const values = Array.from({ length: top }, (_, bits) => halfValue(half, bits));
  return [...values, 2 * values[top - 1] - values[top - 2]];
}

/** The nearest step of the ladder by bisection; halfway, the even one. */
function nearest(steps: number[], x: number): number {
  const magnitude = Math.abs(x);
  let low = 0;
  let high = steps.length - 1;
  if (magnitude >= steps[high]) return high;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (steps[middle] <= magnitude) low = middle;
    else high = middle;
  }
  const [below, above] = [magnitude - steps[low], steps[high] - magnitude];
  if (below === above) return low % 2 === 0 ? low : high;
  return below < above ? low : high;
}

/** Every value of the format, every halfway point, and the f32 on both sides of each; and any bits at all. */
function trials(steps: number[]): Float32Array {
  const around = new Float32Array(steps.length * 2);
  steps.forEach((step, i) => {
    around.set([step, (step + (steps[i + 1] ?? step)) / 2], 2 * i);
  });
  const bits = new Uint32Array(around.buffer);
  const next = random(3);
  const any = new Uint32Array(200_000).map(() => next() * 2 ** 32);
  const all = [bits, bits.map((b) => b + 1), bits.map((b) => Math.max(b - 1, 0)), any];
  const signed = all.flatMap((part) => [part, part.map((b) => (b ^ 0x80000000) >>> 0)]);
  const joined = new Uint32Array(signed.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of signed) {
    joined.set(part, at);
    at += part.length;
  }
  return new Float32Array(joined.buffer).filter((x) => !Number.isNaN(x));
}

describe.each(HALVES)("$dtype", (half) => {
  const wide = widen(half.dtype, bytesOf(ALL));

  test("widens all 65536 patterns to their value", () => {
    const wrong = ALL.filter((bits) => !Object.is(wide[bits], halfValue(half, bits)));
    expect([...wrong]).toEqual([]);
  });

  test("widens a NaN with its sign and payload", () => {
    const bits = new Uint32Array(wide.buffer);
    const wrong = ALL.filter((b) => {
      const { sign, fraction } = fields(half, b);
      const expected = (sign < 0 ? 0x80000000 : 0) + 0x7f800000 + fraction * 2 ** (23 - half.fractionBits);
      return isNaNHalf(half, b) && bits[b] !== expected;
    });
    expect([...wrong]).toEqual([]);
  });

  test("narrows back to the same pattern", () => {
    const back = new Uint16Array(bytesOf(narrow(half.dtype, wide)).buffer);
    const quiet = (b: number) => (half.dtype === "BF16" && isNaNHalf(half, b) ? b | 0x40 : b);
    // BF16 makes a NaN quiet, as processors do; all else is kept.
    expect([...ALL.filter((b) => back[b] !== b && back[b] !== quiet(b))]).toEqual([]);
  });

  test("rounds to the nearest, halves to even, over every halfway point", () => {
    const steps = ladder(half);
    const values = trials(steps);
    const bits = new Uint16Array(bytesOf(narrow(half.dtype, values)).buffer);
    const sign = (x: number) => (x < 0 || Object.is(x, -0) ? 0x8000 : 0);
    const wrong = values.filter((x, i) => bits[i] !== nearest(steps, x) + sign(x));
    expect([...wrong].slice(0, 5)).toEqual([]);
  });

  test("keeps the sign of zero and of what rounds to it", () => {
    const bits = new Uint16Array(bytesOf(narrow(half.dtype, Float32Array.of(0, -0, 1e-45, -1e-45))).buffer);
    expect([...bits]).toEqual([0, 0x8000, 0, 0x8000]);
  });

  test("takes what is too large to infinity, and NaN to NaN", () => {
    const limit = ladder(half).at(-1) ?? 0;
    const bits = new Uint32Array([0x7f800001, 0xff800001, 0x7fffffff, 0xffc00000]);
    const large = half.dtype === "F16" ? [65520, limit, 1e38] : [3.4e38];
    const narrowed = new Uint16Array(bytesOf(narrow(half.dtype, new Float32Array(bits.buffer))).buffer);
    expect([...narrowed].map((b) => isNaNHalf(half, b))).toEqual([true, true, true, true]);
    expect([...narrowed].map((b) => b >> 15)).toEqual([0, 1, 0, 1]);
    const infinite = new Uint16Array(bytesOf(narrow(half.dtype, Float32Array.from(large))).buffer);
    expect([...infinite].map((b) => halfValue(half, b))).toEqual(large.map(() => Number.POSITIVE_INFINITY));
  });
});

test("by hand: halves that everyone knows", () => {
  const known = Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x3555, 0x7c00);
  const values = [1, -2, 65504, 2 ** -24, 2 ** -14, 0.333251953125, Number.POSITIVE_INFINITY];
  expect([...widen("F16", bytesOf(known))]).toEqual(values);
  expectSame(narrow("F16", Float32Array.from(values)), known);
  const brain = Uint16Array.of(0x3f80, 0xc000, 0x4049, 0x0001);
  expect([...widen("BF16", bytesOf(brain))]).toEqual([1, -2, 3.140625, 2 ** -133]);
});

test("F64 is rounded to f32, and back exactly", () => {
  const values = [1 / 3, 1e300, -1e-300, 1 + 2 ** -24, 1 + 3 * 2 ** -24, Number.NaN, -0];
  const wide = widen("F64", bytesOf(Float64Array.from(values)));
  expect([...wide]).toEqual(values.map(Math.fround));
  expectSame(narrow("F64", wide), Float64Array.from(values, Math.fround));
});

test("F32 keeps its bits both ways", () => {
  const bits = Uint32Array.of(0x7f800001, 0xffc12345, 0x80000000, 1);
  expectSame(widen("F32", bytesOf(bits)), bits);
  expectSame(narrow("F32", new Float32Array(bits.buffer)), bits);
});

test("integers have no place in widen and narrow", () => {
  for (const dtype of DTYPES.filter((d) => !isFloat(d))) {
    expect(() => widen(dtype, new Uint8Array(8))).toThrow(RangeError);
    expect(() => narrow(dtype, new Float32Array(8))).toThrow(/"dtype" expected a floating-point dtype/);
  }
});

const EXTREMES: [DType, ArrayBufferView, number[]][] = [
  ["I8", Int8Array.of(-128, 127, 0), [-128, 127, 0]],
  ["U8", Uint8Array.of(0, 255, 1), [0, 255, 1]],
  ["BOOL", Uint8Array.of(0, 1), [0, 1]],
  ["I16", Int16Array.of(-32768, 32767), [-32768, 32767]],
  ["I32", Int32Array.of(-(2 ** 31), 2 ** 31 - 1, 2 ** 24 + 1), [-(2 ** 31), 2 ** 31 - 1, 2 ** 24 + 1]],
  ["I64", BigInt64Array.of(-(2n ** 63n), 2n ** 53n, -1n), [-(2 ** 63), 2 ** 53, -1]],
  ["F16", Uint16Array.of(0x3c00), [1]],
  ["F32", Float32Array.of(0.1), [Math.fround(0.1)]],
  ["F64", Float64Array.of(0.1, -0), [0.1, -0]],
];

describe.each(EXTREMES)("%s", (dtype, data, values) => {
  test("becomes f64 exactly, and f32 rounded", () => {
    expect([...toNumbers(dtype, bytesOf(data))]).toEqual(values);
    expect([...toFloat32(dtype, bytesOf(data))]).toEqual(values.map(Math.fround));
  });

  test("may lie at any address, in any kind of byte array", () => {
    const bytes = bytesOf(data);
    for (const larger of [new Uint8Array(bytes.length + 16), Buffer.alloc(bytes.length + 16)]) {
      for (let at = 1; at < 8; at++) {
        larger.fill(0xee).set(bytes, at);
        const part = larger.subarray(at, at + bytes.length);
        expect([...toNumbers(dtype, part)]).toEqual(values);
        expect([...toFloat32(dtype, part)]).toEqual(values.map(Math.fround));
      }
    }
  });
});

test("an I64 is rounded to f32 once, not by way of f64", () => {
  // Just above the middle of two f32; as f64 it would be the middle, and then go to the even one.
  const value = 2n ** 60n + 2n ** 36n + 1n;
  expect(toFloat32("I64", bytesOf(BigInt64Array.of(value, -value)))).toEqual(
    Float32Array.of(2 ** 60 + 2 ** 37, -(2 ** 60) - 2 ** 37),
  );
});

describe("elementCount", () => {
  test("multiplies, with 1 for a scalar and 0 for an empty tensor", () => {
    expect([[], [7], [2, 3, 4], [0], [5, 0, 2]].map(elementCount)).toEqual([1, 7, 24, 0, 0]);
    expect(elementCount([2 ** 53 - 1])).toBe(2 ** 53 - 1);
    expect(elementCount([2 ** 26, 2 ** 26, 1])).toBe(2 ** 52);
  });

  test.each([[[2 ** 53]], [[2 ** 27, 2 ** 26]], [[0, 2 ** 53 - 1, 2]], [[2 ** 52, 2 ** 52, 0]]])(
    "refuses %j, more than can be counted",
    (shape) => {
      expect(() => elementCount(shape)).toThrow(RangeError);
    },
  );

  test.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("refuses an extent of %d", (extent) => {
    expect(() => elementCount([2, extent])).toThrow(/"shape" expected .* got/);
  });

  test("prints no shape that is good: with many dimensions that would take quadratic time", () => {
    const shape = [1, 2, 3];
    shape.join = () => {
      throw new Error("printed");
    };
    expect(elementCount(shape)).toBe(6);
  });
});

test("dtypes have their names and widths, and nothing else is one", () => {
  expect(DTYPES.map(dtypeWidth)).toEqual([8, 4, 2, 2, 8, 4, 2, 1, 1, 1]);
  expect(DTYPES.every(isDType)).toBe(true);
  expect(DTYPES.filter(isFloat)).toEqual(FLOATS);
  expect(["f32", "F8_E4M3", "toString", "__proto__", "", 3, null, undefined].some(isDType)).toBe(false);
});

test("a lazy tensor reads ranges of elements, whatever the kind of byte array", async () => {
  for (const bytes of [Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7), Buffer.from([0, 1, 2, 3, 4, 5, 6, 7])]) {
    const tensor = lazyTensor({ name: "x", dtype: "I16", shape: [4], bytes });
    expect([...(await tensor.read(1, 3))]).toEqual([2, 3, 4, 5]);
    expect([...(await tensor.read(4, 4))]).toEqual([]);
  }
});
