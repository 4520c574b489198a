import { describe, expect, test } from "vitest";
import { cutLayout } from "../src/codec/cut.ts";

import {
  DataError,
  type DType,
  decodeTensor,
  encodeTensor,
  type LazyTensor,
  open,
  PlanError,
  parseSteps,
} from "../src/index.ts";
import { elementCount, widen } from "../src/tensor.ts";
import { BOTH, DECODERS, DTYPES, elementBytes, FLOATS, floatsAs, modelOf, noise, packed, tensorOf } from "./files.ts";
import { bytesOf, codes, expectSame, randomBytes, weights } from "./helpers.ts";
import * as reference from "./reference.ts";

interface Chunks {
  sizes: number[];
  codes: string[];
  bytes: Uint8Array[];
}

type Encoded = Chunks & { back: Float32Array };

const done = new WeakMap<LazyTensor, Map<string, Promise<Encoded>>>();

/** What encode gives, made once for each tensor and text: the tests compare every code with every other. */
function encoded(tensor: LazyTensor, text: string): Promise<Encoded> {
  const known = done.get(tensor) ?? new Map<string, Promise<Encoded>>();
  done.set(tensor, known);
  const result = known.get(text) ?? encode(tensor, text);
  known.set(text, result);
  return result;
}

/** Encodes on both tiers, which must agree; what they decode to must be the same too. */
async function encode(tensor: LazyTensor, text: string): Promise<Encoded> {
  const steps = parseSteps(text);
  const [simd, scalar] = await Promise.all(
    BOTH.map(async (kernels) => {
      const result: Chunks = { sizes: [], codes: [], bytes: [] };
      for await (const { bytes, code } of encodeTensor(kernels, tensor, steps)) {
        result.sizes.push(bytes.length);
        result.codes.push(code);
        result.bytes.push(bytes);
      }
      return result;
    }),
  );
  expect(scalar.sizes, text).toEqual(simd.sizes);
  scalar.bytes.forEach((bytes, i) => {
    expectSame(bytes, simd.bytes[i], `${text}: chunk ${i}`);
  });
  const [back, ...others] = DECODERS.map((kernels) => decodeTensor(kernels, tensor, steps, simd.bytes));
  for (const again of others) expectSame(again, back, text);
  return { ...simd, back };
}

const GROUPINGS = ["", " kernel", " kernel 4", " 7", " 64", " 65536"];
const SINGLES = ["raw", "huffman", "pivot", "mask"];
const CODES = [...SINGLES, ...GROUPINGS.map((g) => `zrl${g}`), ...GROUPINGS.map((g) => `auto${g}`)];
const QUANTIZED = ["", "int8 > ", "int4 group 32 > ", "int8 tensor asymmetric > ", "prune 0.9 > int8 > "];

const CONTENTS: [string, LazyTensor][] = [
  ["a convolution", tensorOf("w", "F32", [16, 12, 3, 3], weights(1728, 1))],
  [
    "a pruned matrix",
    tensorOf(
      "w",
      "F32",
      [40, 50],
      Float32Array.from(codes(2000, 20, 2, 0.95), (c) => c / 128),
    ),
  ],
  ["zeros", tensorOf("w", "F32", [30, 40], new Float32Array(1200))],
  ["one value", tensorOf("w", "F32", [1, 1], Float32Array.of(-3))],
  ["nothing", tensorOf("w", "F32", [4, 0], new Float32Array(0))],
  ["a constant", tensorOf("w", "F16", [30, 40], new Uint16Array(1200).fill(0x3c00))],
  ["several chunks", tensorOf("w", "BF16", [7, 9, 70, 71], floatsAs("BF16", weights(313_110, 3)))],
];

describe.each(CONTENTS)("%s", (name, tensor) => {
  test.each(QUANTIZED)("decodes to the same under every code: %j", async (quantized) => {
    const raw = await encoded(tensor, `${quantized}raw`);
    for (const code of CODES) expectSame((await encoded(tensor, quantized + code)).back, raw.back, quantized + code);
  });

  // It decides by cost: see auto.test.ts, for zrl as well. Here are all streams of a chunk.
  test.each(QUANTIZED)("auto takes hardly more bytes than the smallest single code: %j", async (quantized) => {
    const streams = quantized.includes("asymmetric") ? 3 : quantized.includes("int") ? 2 : 4;
    for (const grouping of GROUPINGS) {
      const auto = await encoded(tensor, `${quantized}auto${grouping}`);
      for (const other of SINGLES.filter((code) => sameCut(tensor, quantized, `auto${grouping}`, code))) {
        const single = await encoded(tensor, quantized + other);
        const larger = auto.sizes.filter((size, i) => size > 1.01 * single.sizes[i] + 8 * streams);
        expect(larger, `${name}: ${quantized}auto${grouping} against ${other}, ${single.sizes}`).toEqual([]);
      }
    }
  });

  test.each(QUANTIZED)("no code takes more than raw: %j", async (quantized) => {
    for (const code of CODES.filter((c) => sameCut(tensor, quantized, c, "raw"))) {
      const raw = await encoded(tensor, `${quantized}raw`);
      const larger = (await encoded(tensor, quantized + code)).sizes.filter((size, i) => size > raw.sizes[i]);
      expect(larger, quantized + code).toEqual([]);
    }
  });
});

/** Chunks are cut at the groups of zrl, so sizes of single chunks can only be compared where the cuts agree. */
function sameCut(tensor: LazyTensor, quantized: string, a: string, b: string): boolean {
  const [x, y] = [a, b].map((code) => cutLayout(tensor, parseSteps(quantized + code)).chunkElements);
  return x === y || elementCount(tensor.shape) <= Math.min(x, y);
}

test("every comparison above but those over several chunks takes place", () => {
  const [, tensor] = CONTENTS[0];
  expect(CODES.every((code) => sameCut(tensor, "int8 > ", "auto", code))).toBe(true);
});

describe("codes do what they are for", () => {
  test("constant holds equal bytes, and says so where they are not", async () => {
    const zeros = tensorOf("w", "U8", [3000], new Uint8Array(3000).fill(9));
    const { sizes, codes: used } = await encoded(zeros, "constant");
    expect([sizes, used]).toEqual([[5], ["constant"]]);
    const floats = tensorOf("w", "F32", [500], new Float32Array(500).fill(Math.PI));
    expect((await encoded(floats, "constant")).sizes).toEqual([4 + 4 * 5]);
    const other = tensorOf("odd.one", "U8", [3000], new Uint8Array(3000).fill(9, 1));
    await expect(encoded(other, "constant")).rejects.toThrow(DataError);
    await expect(encoded(other, "constant")).rejects.toThrow(/odd\.one.*constant/);
  });

  test("each wins where it should", async () => {
    const won = async (data: ArrayBufferView, dtype: DType, text: string) =>
      (await encoded(tensorOf("w", dtype, [data.byteLength / (dtype === "F32" ? 4 : 1)], data), text)).codes;
    const sparse = Float32Array.from(codes(4000, 30, 1, 0.95), (c) => c / 64);
    const tenth = Float32Array.from(codes(60_000, 30, 1, 0.9), (c) => c / 64);
    expect(await won(sparse, "F32", "int8 tensor > auto")).toEqual(["zrl"]);
    expect(await won(tenth, "F32", "int8 tensor > auto")).toEqual(["mask"]);
    expect(await won(weights(4000, 1), "F32", "int8 tensor > auto")).toEqual(["pivot"]);
    expect(await won(bytesOf(codes(4000, 30, 2)), "I8", "lossless")).toEqual(["pivot"]);
    expect(await won(randomBytes(4000, 3), "U8", "lossless")).toEqual(["raw"]);
    expect(await won(new Float32Array(4000), "F32", "int8 tensor > auto")).toEqual(["constant"]);
    expect(await won(weights(4000, 1), "F32", "lossless")).toEqual(["planes"]);
    expect(await won(Uint8Array.of(200, 3, 77, 141), "U8", "lossless")).toEqual(["raw"]);
  });

  test("lossless keeps every bit of every dtype", async () => {
    for (const dtype of DTYPES) {
      for (const n of [0, 1, 2, 17, 5000, 70_001]) {
        for (const code of ["raw", "lossless", "huffman", "pivot", "mask", "zrl 64"]) {
          const tensor = noise("w", dtype, [n], n);
          const { bytes } = await packed(modelOf([tensor]), code);
          const [back] = (await open(bytes, { kernels: BOTH[1] })).model().tensors;
          expectSame(await elementBytes(back), await elementBytes(tensor), `${dtype} ${n} ${code}`);
        }
      }
    }
  });
});

describe("the size of every grouping", () => {
  const tensor = tensorOf(
    "w",
    "F32",
    [24, 16, 3, 3],
    Float32Array.from(codes(3456, 9, 4, 0.8), (c) => c / 32),
  );

  test("is in the report, agrees with the file, and groupings differ", async () => {
    const sizes = new Set<number>();
    const raw = await packed(modelOf([tensor]), "int8 > raw");
    const expected = (await open(raw.bytes)).tensor("w");
    for (const grouping of GROUPINGS) {
      const { bytes, report } = await packed(modelOf([tensor]), `int8 > zrl${grouping}`);
      const file = await open(bytes);
      const [entry] = report.tensors;
      expect(entry.codes).toEqual({ zrl: 1 });
      expect(entry.storedBytes).toBe(file.index[0].storedBytes);
      expect(report.headerBytes + entry.storedBytes).toBe(bytes.length);
      expect(report.fileBytes).toBe(bytes.length);
      expect(entry.storedBytes).toBeLessThan(raw.report.tensors[0].storedBytes);
      expectSame((await file.tensor("w")).data, (await expected).data);
      sizes.add(entry.storedBytes);
    }
    expect(sizes.size).toBeGreaterThan(3);
  });
});

describe("prune", () => {
  const SPARSITIES = [0, 0.1, 0.25, 1 / 3, 0.5, 0.999, 1];

  /** Few different magnitudes, so that ties decide. */
  const tied = (n: number) => Float32Array.from(codes(n, 2, 5), (code) => (code === 0 ? -0 : code / 4));

  test.each(SPARSITIES)("%d: zeroes exactly the twin's elements, in every float dtype", async (sparsity) => {
    for (const values of [weights(3000, 8), tied(3000), weights(1, 1), weights(0, 1)]) {
      for (const dtype of FLOATS.filter((d) => d !== "F64")) {
        const bytes = floatsAs(dtype, values);
        const tensor = tensorOf("w", dtype, [values.length], bytes);
        const expected = reference.prune(widen(dtype, bytes), sparsity);
        const { back } = await encoded(tensor, `prune ${sparsity} > auto`);
        expectSame(back, expected, `${dtype} ${values.length}`);
        const zeros = back.filter((x) => x === 0).length;
        expect(zeros).toBeGreaterThanOrEqual(Math.round(sparsity * values.length));
      }
    }
  });

  test.each([0.3, 0.9])("%d: then quantizes what is left, over chunks and ties", async (sparsity) => {
    for (const values of [tied(600_001), weights(600_001, 9)]) {
      const tensor = tensorOf("w", "F32", [1, 600_001], values);
      const pruned = tensorOf("w", "F32", [1, 600_001], reference.prune(values, sparsity));
      for (const text of ["int8 > zrl", "int4 group 32 > auto", "int8 tensor asymmetric > huffman", "int8 > mask"]) {
        const direct = await encoded(pruned, text);
        const both = await encoded(tensor, `prune ${sparsity} > ${text}`);
        expect(both.sizes).toEqual(direct.sizes);
        expectSame(both.back, direct.back, text);
      }
    }
  });

  test("an F64 is pruned on the way to codes only", async () => {
    const tensor = tensorOf("wide", "F64", [900], Float64Array.from(weights(900, 4)));
    await expect(encoded(tensor, "prune 0.5")).rejects.toThrow(PlanError);
    await expect(encoded(tensor, "prune 0.5")).rejects.toThrow(/"wide" is F64/);
    const { back } = await encoded(tensor, "prune 0.5 > int8");
    const single = tensorOf("w", "F32", [900], reference.prune(weights(900, 4), 0.5));
    expectSame(back, (await encoded(single, "int8")).back);
  });
});

describe("decodeTensor", () => {
  const tensor = tensorOf("w", "F32", [20, 30], weights(600, 1));
  const steps = parseSteps("int8 > huffman");

  test("refuses a wrong count of chunks, and chunks cut short or too long", async () => {
    const { bytes } = await encoded(tensor, "int8 > huffman");
    const [chunk] = bytes;
    for (const chunks of [[], [chunk, chunk], [chunk.subarray(0, -1)], [bytesOf(new Uint8Array([...chunk, 0]))]]) {
      for (const kernels of DECODERS) {
        expect(() => decodeTensor(kernels, tensor, steps, chunks)).toThrow(
          expect.objectContaining({ name: "FormatError" }),
        );
      }
    }
    expect(() => decodeTensor(BOTH[0], tensor, steps, [new Uint8Array(10_000_000)])).toThrow(/at most/);
  });
});
