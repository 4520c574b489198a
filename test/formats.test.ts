import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cutLayout } from "../src/codec/cut.ts";
import { layoutOf } from "../src/codec/layout.ts";
import { DataError, decodeTensor, encodeTensor, type LazyTensor, open, PlanError, parseSteps } from "../src/index.ts";
import { type BlockDType, elementCount, bytesOf as sizeOf, widen } from "../src/tensor.ts";
import { BOTH, DECODERS, modelOf, packed, tensorOf } from "./files.ts";
import { bytesOf, degenerate, expectSame, randomBytes, weights } from "./helpers.ts";
import { dequantizeBlocks, fromHalf, joinBlocks, quantizeBlocks, unpack4 } from "./reference.ts";
import { formatTwin } from "./twin.formats.ts";

// Tensors under the formats of other software, and tensors that come in such a format.

const STEPS = [
  "q8_0",
  "q4_0",
  "q4_1",
  "nf4 group 64",
  "nf4 group 33",
  "nbits4 group 32",
  "nbits4 group 16 asymmetric",
  "uint8 tensor",
  "uint8 channel",
  "uint8 group 32",
  "int8 channel axis 1",
  "int8 channel axis -1 asymmetric",
  "int4 channel axis 1",
  "uint8 channel axis -1",
  "int8 group 32 axis 0",
  "int4 group 16 axis 1 asymmetric",
  "uint8 group 32 axis -1",
];

const SHAPES = [
  [1, 1],
  [7, 33],
  [64, 32],
  [5, 16, 3, 3],
  [2, 40, 7],
  [0, 3],
  [3, 0],
  [33, 1],
  [1, 300],
  [3, 4, 100],
];
const LARGE = [
  [9, 20_003],
  [140_000, 2],
  [1, 300_001],
];

async function chunksOf(tensor: LazyTensor, text: string): Promise<Uint8Array[]> {
  const [simd, scalar] = await Promise.all(
    BOTH.map(async (kernels) => {
      const chunks: Uint8Array[] = [];
      for await (const { bytes } of encodeTensor(kernels, tensor, parseSteps(text))) chunks.push(bytes);
      return chunks;
    }),
  );
  for (const [i, bytes] of simd.entries()) expectSame(scalar[i], bytes, `${text}: chunk ${i} on both tiers`);
  return simd;
}

async function check(text: string, shape: readonly number[], values: Float32Array, code = "auto"): Promise<void> {
  const what = `${text} of [${shape}]`;
  const tensor = tensorOf("w", "F32", shape, values);
  const expected = formatTwin(values, shape, text);
  const chunks = await chunksOf(tensor, `${text} > ${code}`);
  for (const kernels of DECODERS) {
    expectSame(decodeTensor(kernels, tensor, parseSteps(text), chunks), expected.back, `${what} on ${kernels.tier}`);
  }
  const { bytes } = await packed(modelOf([tensor]), [{ steps: parseSteps(`${text} > ${code}`) }]);
  for (const kernels of [BOTH[0], DECODERS[3]]) {
    const { bytes: stored, quantization, plan } = await (await open(bytes, { kernels })).tensor("w", { as: "stored" });
    const codes = quantization?.bits === 4 ? unpack4(stored, elementCount(shape)) : stored;
    expect(plan).toBe(`${text} > ${code}`);
    expectSame(codes, expected.codes, `${what}: codes`);
    expectSame(quantization?.scales ?? new Float32Array(0), expected.scales, `${what}: scales`);
    expectSame(quantization?.zeroPoints ?? new Int8Array(0), expected.zeroPoints ?? new Int8Array(0), `${what}: zeros`);
    expectSame(quantization?.minima ?? new Float32Array(0), expected.minima ?? new Float32Array(0), `${what}: minima`);
  }
}

describe.each(STEPS)("%s", (text) => {
  test.each(SHAPES.map((shape) => [shape]))("agrees with the twin on %j", async (shape) => {
    await check(text, shape, weights(elementCount(shape), 31));
    if (text.includes("4")) await check(text, shape, weights(elementCount(shape), 32), "zrl 7");
  });

  test.each(LARGE.map((shape) => [shape]))("agrees with the twin on %j, which takes several chunks", async (shape) => {
    await check(text, shape, weights(elementCount(shape), 33), "huffman");
  });

  test("agrees with the twin on degenerate weights, or says that f16 cannot hold them", async () => {
    for (const [name, values] of degenerate(99)) {
      const huge = text.startsWith("q") && values.some((x) => Math.abs(x) > 1e6);
      const infinite = /^nbits4.*asym/.test(text) && values.some((x) => Math.abs(x) > 3e38);
      if (!huge && !infinite) await check(text, [9, 11], values);
      else if (huge) await expect(check(text, [9, 11], values), name).rejects.toThrow(/NOT_FINITE/);
    }
  });
});

test("vectors have groups and no lines", async () => {
  for (const text of [
    "q8_0",
    "nf4 group 64",
    "nbits4 group 32 asymmetric",
    "int8 group 8 axis 0",
    "int8 channel axis 0",
  ]) {
    await check(text, [1000], weights(1000, 5));
  }
});

describe("refusals", () => {
  test.each([
    ["q8_0 group 32", "not a step"],
    ["q4_0 asymmetric", "not a step"],
    ["nf4 group 7", "not a step"],
    ["nf4 asymmetric", "not a step"],
    ["nbits4 group 48", "not a step"],
    ["nbits4 group 8", "not a step"],
    ["uint8 channel asymmetric symmetric", "not a step"],
    ["uint8 symmetric", "not a step"],
    ["int8 tensor axis 1", "not a step"],
    ["int8 axis", "not a step"],
    ["int8 axis 16", "not a step"],
    ["int8 axis -17", "not a step"],
    ["int8 axis 1.5", "not a step"],
    ["q8_0 > int8", "order"],
  ])("%s: %s", (text, reason) => {
    expect(() => parseSteps(text)).toThrow(PlanError);
    expect(() => parseSteps(text)).toThrow(reason);
  });

  test("pruning codes of a format, or along an axis; smoothing before a format", () => {
    const info = { name: "w", dtype: "F32", shape: [32, 64] } as const;
    for (const text of ["nf4 > prune 0.5", "q8_0 > prune 2:4", "int8 channel axis 1 > prune 0.5"]) {
      expect(() => cutLayout(info, parseSteps(text)), text).toThrow("prune first");
    }
    expect(() => cutLayout(info, parseSteps("smooth 0.5 > q8_0"))).toThrow("smooth needs int8 or int4");
  });

  test("an axis that the tensor has not", () => {
    const info = { name: "w", dtype: "F32", shape: [3, 4] } as const;
    expect(() => cutLayout(info, parseSteps("int8 channel axis 2"))).toThrow("there is no axis 2");
    expect(() => cutLayout(info, parseSteps("int8 group 8 axis -3"))).toThrow("there is no axis -3");
  });

  test("NaN, and scales that f16 cannot hold, with the tensor's name", async () => {
    for (const text of ["q8_0", "q4_0", "q4_1", "nf4", "nbits4"]) {
      const nan = tensorOf("w", "F32", [50], weights(50, 1).fill(Number.NaN, 44, 45));
      await expect(chunksOf(nan, text)).rejects.toThrow(DataError);
      await expect(chunksOf(nan, text)).rejects.toThrow('tensor "w": element 44 is NaN');
    }
    const huge = tensorOf("w", "F32", [50], weights(50, 1).fill(1e9, 44, 45));
    for (const text of ["q8_0", "q4_0", "q4_1"]) await expect(chunksOf(huge, text)).rejects.toThrow(/f16 of q/);
    await chunksOf(huge, "nf4");
  });

  test("an f32 scale of a format that is not finite, where no block of a source has it", async () => {
    const { bytes } = await packed(modelOf([tensorOf("w", "F32", [8, 8], weights(64, 2))]), "small 0=raw; q8_0 > raw");
    const file = await open(bytes, { kernels: BOTH[0] });
    expect(file.index[0].plan).toBe("q8_0 > raw");
    const chunks = await chunksOf(tensorOf("w", "F32", [8, 8], weights(64, 2)), "q8_0 > raw");
    // The first stream is raw: a header of four bytes, then two f16.
    expect([...chunks[0].subarray(0, 4)]).toEqual([0, 4, 0, 0]);
    chunks[0].set([0, 0x7c], 4);
    const info = { name: "w", dtype: "F32", shape: [8, 8] } as const;
    for (const kernels of DECODERS) {
      expect(() => decodeTensor(kernels, info, parseSteps("q8_0 > raw"), chunks)).toThrow("finite");
    }
  });
});

const DTYPES = ["Q8_0", "Q4_0", "Q4_1"] as const;

/** Any bytes are blocks: scales of NaN and infinities among them. */
function blockTensor(dtype: BlockDType, shape: readonly number[], bytes: Uint8Array): LazyTensor {
  return tensorOf("w", dtype, shape, bytes);
}

/** What the blocks stand for, with one NaN. */
function meaning(dtype: BlockDType, bytes: Uint8Array): Float32Array {
  const size = sizeOf(dtype, 32);
  const out = new Float32Array((bytes.length / size) * 32);
  for (let g = 0; g < bytes.length / size; g++) {
    const block = bytes.subarray(g * size, (g + 1) * size);
    const half = (at: number) => fromHalf(block[at] | (block[at + 1] << 8));
    for (let j = 0; j < 32; j++) {
      const nibble = (block[size - 16 + (j % 16)] >> (j < 16 ? 0 : 4)) & 15;
      const x =
        dtype === "Q8_0"
          ? half(0) * ((block[2 + j] << 24) >> 24)
          : dtype === "Q4_0"
            ? half(0) * (nibble - 8)
            : Math.fround(half(0) * nibble) + half(2);
      out[32 * g + j] = x;
    }
  }
  const bits = new Uint32Array(out.buffer);
  out.forEach((x, i) => {
    if (Number.isNaN(x)) bits[i] = 0x7fc00000;
  });
  return out;
}

describe.each(DTYPES)("a tensor of %s", (dtype) => {
  const shapes = [[32], [3, 64], [0, 32], [2, 3, 32], [4, 65_536], [1100, 256]];

  test.each(shapes.map((shape) => [shape]))("of %j comes back as it was, and as f32", async (shape) => {
    const bytes = randomBytes(sizeOf(dtype, elementCount(shape)), 5);
    const tensor = blockTensor(dtype, shape, bytes);
    for (const plan of ["lossless", "huffman", dtype.toLowerCase()]) {
      const { bytes: file, report } = await packed(modelOf([tensor]), plan);
      expect(report.sourceBytes).toBe(bytes.length);
      for (const kernels of DECODERS) {
        const opened = await open(file, { kernels });
        const [back] = opened.model("original").tensors;
        expect([back.dtype, back.shape]).toEqual([dtype, shape]);
        expectSame(await back.read(0, elementCount(shape)), bytes, `${plan} on ${kernels.tier}`);
        expectSame((await opened.tensor("w")).data, meaning(dtype, bytes), `${plan} as f32 on ${kernels.tier}`);
        const [floats] = opened.model("f32").tensors;
        expect(floats.dtype).toBe("F32");
        expectSame(await floats.read(0, elementCount(shape)), bytesOf(meaning(dtype, bytes)));
      }
    }
  });

  test("is read by ranges of whole blocks", async () => {
    const bytes = randomBytes(sizeOf(dtype, 600_000 - (600_000 % 32)), 6);
    const tensor = blockTensor(dtype, [bytes.length / sizeOf(dtype, 32), 32], bytes);
    const { bytes: file } = await packed(modelOf([tensor]), "lossless");
    const [back] = (await open(file, { kernels: BOTH[0] })).model("original").tensors;
    const part = await back.read(262_080, 262_272);
    expectSame(part, bytes.subarray(sizeOf(dtype, 262_080), sizeOf(dtype, 262_272)));
  });

  test("holds exactly the codes and scales of its blocks", async () => {
    const format = dtype.toLowerCase() as "q8_0";
    const values = weights(640, 8);
    const blocks = quantizeBlocks(format, values);
    const source = blockTensor(dtype, [20, 32], joinBlocks(format, blocks));
    const fromBlocks = await packed(modelOf([source]), "small 0=raw; lossless");
    const stored = await (await open(fromBlocks.bytes)).tensor("w", { as: "stored" });
    const codes = dtype === "Q8_0" ? stored.bytes : unpack4(stored.bytes, 640);
    expectSame(codes, blocks.codes);
    expectSame(stored.quantization?.scales ?? new Float32Array(0), Float32Array.from(blocks.scales, fromHalf));
    if (dtype === "Q4_1") {
      expectSame(stored.quantization?.minima ?? new Float32Array(0), Float32Array.from(blocks.minima, fromHalf));
    }
    // f32 under the format's plan gives the same chunk.
    const [chunk] = await chunksOf(tensorOf("w", "F32", [20, 32], values), `${format} > auto`);
    const [other] = await chunksOf(source, "lossless");
    expectSame(chunk, other);
    expectSame(meaning(dtype, joinBlocks(format, blocks)), dequantizeBlocks(format, blocks));
  });

  test("is dequantized before another format quantizes it", async () => {
    const format = dtype.toLowerCase() as "q8_0";
    const bytes = joinBlocks(format, quantizeBlocks(format, weights(2048, 9)));
    const source = blockTensor(dtype, [32, 64], bytes);
    for (const text of ["int8 channel", "nf4 group 64", "int8 group 33"]) {
      const expected = formatTwin(widen(dtype, bytes), [32, 64], text);
      const file = await open((await packed(modelOf([source]), text)).bytes);
      expectSame((await file.tensor("w")).data, expected.back, text);
      expect(file.index[0]).toMatchObject({ dtype, plan: `${text} > auto` });
      // There are no blocks to come back to.
      expect(file.model("original").tensors[0].dtype).toBe("F32");
    }
    await expect(packed(modelOf([source]), "prune 0.5 > int8")).resolves.toBeDefined();
    await expect(packed(modelOf([source]), "prune 0.5 > huffman")).rejects.toThrow("prune needs int8");
  });

  test("has whole blocks in every row", async () => {
    const info = { name: "w", dtype, shape: [2, 48] } as const;
    expect(() => cutLayout(info, parseSteps("lossless"))).toThrow("its last dimension is 48, not a multiple of 32");
    const whole = { name: "w", dtype, shape: [2, 64] } as const;
    expect(() => layoutOf(whole, parseSteps("lossless"), 48)).toThrow("chunks of 48 elements cut blocks");
  });

  test("any blocks come back", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 9 }), fc.integer(), async (blocks, seed) => {
        const bytes = randomBytes(sizeOf(dtype, 32 * blocks), seed);
        const info = { name: "w", dtype, shape: [32 * blocks] } as const;
        const chunks = await chunksOf(blockTensor(dtype, [32 * blocks], bytes), "lossless");
        expectSame(widen(dtype, bytes), meaning(dtype, bytes));
        for (const kernels of DECODERS) {
          expectSame(decodeTensor(kernels, info, parseSteps("lossless"), chunks), meaning(dtype, bytes));
        }
      }),
    );
  });
});
