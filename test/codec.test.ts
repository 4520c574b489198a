import { describe, expect, test } from "vitest";
import { cutLayout } from "../src/codec/cut.ts";

import {
  DataError,
  type DType,
  decodeTensor,
  dequantize,
  encodeTensor,
  type LazyTensor,
  open,
  parseSteps,
  quantize,
  type Step,
} from "../src/index.ts";
import { dtypeWidth, elementCount, widen } from "../src/tensor.ts";
import { BOTH, DECODERS, FLOATS, floatsAs, modelOf, packed, tensorOf } from "./files.ts";
import { bytesOf, degenerate, expectSame, weights } from "./helpers.ts";
import * as reference from "./reference.ts";
import { columns, quantizedTwin, type Way, wayOf } from "./twin.ts";

const WAYS: Way[] = [8, 4].flatMap((bits) => [false, true].map((asymmetric) => ({ bits: bits as 4 | 8, asymmetric })));
const GRANULARITIES = ["tensor", "channel", "group 8", "group 32", "group 33"];
const CODES = ["auto", "huffman", "zrl 7", "raw", "zrl kernel"];
const STEPS = GRANULARITIES.flatMap((per, g) =>
  WAYS.map(({ bits, asymmetric }, w) => `int${bits} ${per}${asymmetric ? " asymmetric" : ""} > ${CODES[(g + w) % 5]}`),
);

/** Encodes on both tiers, which must agree, and gives the chunks. */
async function encoded(tensor: LazyTensor, steps: readonly Step[]): Promise<Uint8Array[]> {
  const [simd, scalar] = await Promise.all(
    BOTH.map(async (kernels) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of encodeTensor(kernels, tensor, steps)) chunks.push(chunk.bytes);
      return chunks;
    }),
  );
  expect(scalar.length).toBe(simd.length);
  scalar.forEach((bytes, i) => {
    expectSame(bytes, simd[i], `chunk ${i} on both tiers`);
  });
  return simd;
}

/** What lies in the file: codes one to a byte, scales, zero points. */
async function storedParts(tensor: LazyTensor, steps: readonly Step[]) {
  const { bytes } = await packed(modelOf([tensor]), [{ steps }]);
  const stored = await (await open(bytes, { kernels: BOTH[1] })).tensor(tensor.name, { as: "stored" });
  const { quantization } = stored;
  const n = elementCount(tensor.shape);
  const codes = quantization?.bits === 4 ? reference.unpack4(stored.bytes, n) : new Int8Array(stored.bytes.buffer);
  return { codes, scales: quantization?.scales, zeroPoints: quantization?.zeroPoints, cols: quantization?.cols };
}

async function check(dtype: DType, shape: readonly number[], bytes: Uint8Array, text: string): Promise<void> {
  const what = `${dtype} [${shape}] ${text}`;
  const tensor = tensorOf("w", dtype, shape, bytes);
  const steps = parseSteps(text);
  const way = wayOf(text);
  const expected = quantizedTwin(widen(dtype, bytesOf(bytes)), columns(shape, way.per), way);
  const chunks = await encoded(tensor, steps);
  for (const kernels of DECODERS) expectSame(decodeTensor(kernels, tensor, steps, chunks), expected.back, what);
  const stored = await storedParts(tensor, steps);
  expectSame(stored.codes, expected.codes, `${what}: codes`);
  expectSame(stored.scales ?? new Float32Array(0), expected.scales, `${what}: scales`);
  expectSame(stored.zeroPoints ?? new Int8Array(0), expected.zeroPoints, `${what}: zero points`);
  expect(stored.cols).toBe(columns(shape, way.per));
}

const SMALL = [[], [0], [1], [31], [33, 3], [2, 3, 3, 3], [5, 1], [0, 3], [3, 0], [7, 16, 3]];
// Rows that are longer than a chunk, rows that a chunk is no multiple of, and one scale per element.
const LARGE = [[3, 100_003], [2, 262_145], [1, 600_001], [300_000], [150_001, 1], [40, 9, 31, 31]];
const MANY = weights(600_001, 12);

describe.each(STEPS)("%s", (text) => {
  test.each(SMALL.map((shape) => [shape]))("agrees with the twin on %j, in every float dtype", async (shape) => {
    const values = weights(elementCount(shape), 11);
    for (const dtype of FLOATS) await check(dtype, shape, floatsAs(dtype, values), text);
  });

  test.each(LARGE.map((shape) => [shape]))("agrees with the twin on %j", async (shape) => {
    await check("F32", shape, bytesOf(MANY.subarray(0, elementCount(shape))), text);
  });

  test("agrees with the twin on degenerate weights", async () => {
    for (const [name, values] of degenerate(99)) await check("F32", [9, 11], bytesOf(values), text).catch(named(name));
  });
});

function named(name: string) {
  return (error: Error) => {
    error.message = `${name}: ${error.message}`;
    throw error;
  };
}

describe.each(["int8 group 32 > raw", "int4 group 33 asymmetric > zrl 7", "int8 tensor > auto"])("%s", (text) => {
  test("agrees with the twin one element around the edges of chunks", async () => {
    const { chunkElements } = cutLayout({ name: "w", dtype: "F32", shape: [10 ** 7] }, parseSteps(text));
    for (const n of [chunkElements - 1, chunkElements, chunkElements + 1, 2 * chunkElements + 1]) {
      await check("F32", [n], bytesOf(weights(n, 13)), text);
    }
  });
});

test.each([-1, 0, 1])("a chunk may begin %d elements off the border of a row", async (by) => {
  const text = "int8 channel asymmetric > raw";
  const { chunkElements } = cutLayout({ name: "w", dtype: "F32", shape: [2, 520_000] }, parseSteps(text));
  const shape = [2, 2 * chunkElements - by];
  expect(cutLayout({ name: "w", dtype: "F32", shape }, parseSteps(text)).chunkElements).toBe(chunkElements);
  await check("F32", shape, bytesOf(weights(elementCount(shape), 14)), text);
});

test("a zero point halfway between two goes to the even one", async () => {
  // s = 1 in each row, so that qmin - lo / s is -127.5, -126.5 and -125.5.
  const rows = Float32Array.of(-0.5, 254.5, -1.5, 253.5, -2.5, 252.5);
  const tensor = tensorOf("w", "F32", [3, 2], rows);
  const { zeroPoints } = await storedParts(tensor, parseSteps("int8 asymmetric"));
  expect([...(zeroPoints ?? [])]).toEqual([-128, -126, -126]);
  await check("F32", [3, 2], bytesOf(rows), "int8 channel asymmetric");
});

describe("quantize and dequantize", () => {
  test.each(WAYS)("agree with the twin: $bits bits, asymmetric $asymmetric", (way) => {
    for (const [n, cols] of [
      [0, 1],
      [1, 1],
      [31, 1],
      [100, 33],
      [70_000, 1],
      [70_001, 64],
      [400_003, 32_769],
      [100_000, 32_767],
      [300_000, 300_000],
    ]) {
      const values = weights(n, n);
      const expected = quantizedTwin(values, cols, way);
      for (const kernels of BOTH) {
        const result = quantize(kernels, values, { ...way, cols });
        expectSame(result.codes, expected.codes);
        expectSame(result.scales, expected.scales);
        expectSame(result.zeroPoints ?? new Int8Array(0), expected.zeroPoints);
        expect(result.cols).toBe(cols);
        expectSame(dequantize(kernels, result), expected.back);
      }
    }
  });

  test("have one scale for all and are symmetric if nothing else is said", () => {
    const values = weights(1000, 1);
    const expected = quantizedTwin(values, 1000, { bits: 8, asymmetric: false });
    const result = quantize(BOTH[0], values, { bits: 8 });
    expect({ ...result, zeroPoints: null }).toEqual(result);
    expectSame(result.codes, expected.codes);
    expect(quantize(BOTH[0], new Float32Array(0), { bits: 8 }).scales).toHaveLength(0);
  });

  test("take parts of larger arrays and leave their input alone", () => {
    const all = weights(3000, 2);
    const before = all.slice();
    const part = all.subarray(7, 2007);
    const result = quantize(BOTH[0], part, { bits: 8, cols: 100 });
    expectSame(result.codes, quantize(BOTH[1], part.slice(), { bits: 8, cols: 100 }).codes);
    const shifted = { ...result, codes: all.length ? new Int8Array([1, ...result.codes]).subarray(1) : result.codes };
    expectSame(dequantize(BOTH[0], shifted), dequantize(BOTH[1], result));
    expectSame(all, before);
  });

  test("name a bad option", () => {
    const bad = (options: object, message: RegExp) =>
      expect(() => quantize(BOTH[0], new Float32Array(1), options as { bits: 8 })).toThrow(message);
    bad({ bits: 7 }, /"bits" expected 8 or 4, got 7/);
    bad({ bits: 8, cols: 0 }, /"cols" expected a whole number >= 1, got 0/);
    bad({ bits: 8, cols: 1.5 }, /"cols"/);
  });
});

describe("what cannot be quantized or pruned", () => {
  const BAD = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const PLACES: [shape: number[], index: number][] = [
    [[40, 30], 0],
    [[40, 30], 1199],
    [[2, 200_000], 399_998],
    [[1, 600_001], 350_000],
    [[300_000, 2], 500_001],
  ];

  test.each(["int8", "int4 tensor", "int8 group 32", "prune 0.5 > int8", "prune 0.5"])(
    "%s says which tensor and which element",
    async (text) => {
      for (const [i, [shape, index]] of PLACES.entries()) {
        const values = weights(elementCount(shape), 3).fill(BAD[i % 3], index, index + 1);
        const message = await failure(tensorOf("conv.w", "F32", shape, values), text);
        expect(message).toContain('"conv.w"');
        expect(message).toContain(`${BAD[i % 3]}`);
        expect(message).toMatch(new RegExp(`\\b${index}\\b`));
      }
    },
  );

  test("quantize says which element", () => {
    for (const index of [0, 40_000, 99_999]) {
      const values = weights(100_000, 3).fill(Number.NaN, index, index + 1);
      expect(() => quantize(BOTH[0], values, { bits: 8, cols: 999 })).toThrow(new RegExp(`\\b${index} is NaN`));
    }
  });

  test("an F64 that has no f32", async () => {
    const values = Float64Array.of(1, 2, -1e300, 4);
    expect(await failure(tensorOf("w", "F64", [4], values), "int8")).toMatch(/"w".*\b2\b/);
  });
});

async function failure(tensor: LazyTensor, text: string): Promise<string> {
  for (const kernels of BOTH) {
    const whole = (async () => {
      for await (const _ of encodeTensor(kernels, tensor, parseSteps(text)));
    })();
    await expect(whole).rejects.toThrow(DataError);
    if (kernels === BOTH[1]) return whole.then(String, (error: Error) => error.message);
  }
  return "";
}

describe("the source of a tensor", () => {
  const views = (dtype: DType, bytes: Uint8Array): LazyTensor => ({
    name: "w",
    dtype,
    shape: [bytes.length / dtypeWidth(dtype)],
    read: async (start, end) => bytes.subarray(start * dtypeWidth(dtype), end * dtypeWidth(dtype)),
  });

  test("is left as it was, even where it gives views of its own bytes", async () => {
    for (const text of ["prune 0.5", "prune 0.5 > int8", "int4", "lossless"]) {
      const bytes = bytesOf(weights(300, 5));
      const before = bytes.slice();
      await encoded(views("F32", bytes), parseSteps(text));
      expectSame(bytes, before, text);
    }
  });

  test("may give bytes at any address and of any kind", async () => {
    for (const text of ["prune 0.5 > int8", "int4 > zrl", "lossless"]) {
      for (const dtype of FLOATS) {
        const bytes = floatsAs(dtype, weights(300, 5));
        const expected = await encoded(tensorOf("w", dtype, [300], bytes), parseSteps(text));
        for (const larger of [new Uint8Array(bytes.length + 3), Buffer.alloc(bytes.length + 3)]) {
          larger.set(bytes, 3);
          const actual = await encoded(views(dtype, larger.subarray(3)), parseSteps(text));
          actual.forEach((chunk, i) => {
            expectSame(chunk, expected[i], `${dtype} ${text}`);
          });
        }
      }
    }
  });

  test.each(["lossless", "int8", "prune 0.5"])("that gives too little or too much is found out: %s", async (text) => {
    for (const bytes of [396, 0, 404, 4000]) {
      const tensor: LazyTensor = { name: "w", dtype: "F32", shape: [100], read: async () => new Uint8Array(bytes) };
      const whole = (async () => {
        for await (const _ of encodeTensor(BOTH[0], tensor, parseSteps(text)));
      })();
      await expect(whole, `${bytes} bytes`).rejects.toThrow(/w/);
    }
  });
});
