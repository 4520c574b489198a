import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  bytesSource,
  type DType,
  diffModels,
  type LazyTensor,
  type Model,
  memorySink,
  open,
  pack,
  parseSteps,
  readSafetensors,
  type Workers,
  writeSafetensors,
} from "../src/index.ts";
import { nodeWorkers } from "../src/node.ts";
import { elementCount, bytesOf as sizeOf, widen } from "../src/tensor.ts";
import { DECODERS, elementBytes, floatsAs, modelOf, packed, tensorOf } from "./files.ts";
import { read, VECTOR, written } from "./gguf.files.ts";
import { bytesOf, expectSame, weights } from "./helpers.ts";
import { fromHalf, joinBlocks, quantizeBlocks } from "./reference.ts";
import { FNV_START, fnv, inputs, KINDS, SIZES } from "./vectors/inputs.ts";

// From GGUF to .quern and back, and from floats to GGUF's own blocks.

const FORMATS = ["q8_0", "q4_0", "q4_1"] as const;
const FILE = new URL("./worker/source.mjs", import.meta.url);

let workers: Workers;
beforeAll(async () => {
  workers = await nodeWorkers(2, { file: FILE });
});
afterAll(() => workers.close());

function blockTensor(name: string, format: (typeof FORMATS)[number], shape: readonly number[], seed: number) {
  const blocks = quantizeBlocks(format, weights(elementCount(shape), seed));
  return tensorOf(name, format.toUpperCase() as DType, shape, joinBlocks(format, blocks));
}

/** Every type that GGUF and quern share, some of several chunks, with metadata of many types. */
function everything(): Model {
  const floats = (name: string, dtype: DType, shape: readonly number[], seed: number): LazyTensor =>
    tensorOf(name, dtype, shape, floatsAs(dtype, weights(elementCount(shape), seed)));
  const types = JSON.stringify({
    version: 3,
    types: [
      ["general.architecture", "string"],
      ["general.quantization_version", "u32"],
      ["x.scale", "f32"],
      ["x.list", "[u16]"],
      ["x.flag", "bool"],
    ],
  });
  const metadata = {
    "general.architecture": "tests \u00e9",
    "general.quantization_version": "2",
    "x.scale": "0.1",
    "x.list": "[1,2,65535]",
    "x.flag": "true",
    GGUF: types,
  };
  const large = [1100, 256];
  return modelOf(
    [
      floats("token.f32", "F32", [30, 70], 1),
      floats("norm.f32", "F32", [64], 2),
      floats("a.f16", "F16", [50, 33], 3),
      floats("a.bf16", "BF16", [7, 5, 3, 3], 4),
      ...FORMATS.flatMap((format, i) => [
        blockTensor(`large.${format}`, format, large, 5 + i),
        blockTensor(`vector.${format}`, format, [32], 8 + i),
        blockTensor(`cube.${format}`, format, [2, 3, 64], 11 + i),
      ]),
    ],
    metadata,
  );
}

describe("a GGUF file", () => {
  test.each(["lossless", "smallest", "huffman"])("comes back byte for byte under %s, on every tier", async (plan) => {
    const source = await written(everything());
    const { bytes } = await packed(await read(source), plan);
    for (const kernels of DECODERS) {
      const file = await open(bytes, { kernels });
      for (const as of ["original", "quantized"] as const) expectSame(await written(file.model(as)), source, as);
    }
    expect((await diffModels(await read(source), (await open(bytes)).model())).total.identical).toBe(true);
  });

  test("comes back byte for byte through workers, which write the same file", async () => {
    const source = await written(everything());
    const { bytes } = await packed(await read(source), "lossless");
    const sink = memorySink();
    await pack(await read(source), "lossless", sink, { workers });
    expectSame(bytesOf(sink.bytes()), bytes);
    const file = await open(bytes, { workers });
    for (const as of ["original", "quantized"] as const) expectSame(await written(file.model(as)), source, as);
  });

  test("that C wrote comes back byte for byte", async () => {
    const { bytes } = await packed(await read(VECTOR), "lossless");
    expectSame(await written((await open(bytes)).model()), VECTOR);
  });

  test("keeps its blocks where its floats are quantized", async () => {
    const source = everything();
    const { bytes } = await packed(source, "dtype Q*=lossless; int8 channel");
    const back = await read(await written((await open(bytes)).model()));
    for (const [i, tensor] of source.tensors.entries()) {
      expect([back.tensors[i].name, back.tensors[i].dtype]).toEqual([tensor.name, tensor.dtype]);
      if (tensor.name.includes(".q")) expectSame(await elementBytes(back.tensors[i]), await elementBytes(tensor));
    }
    expect(back.metadata).toEqual(source.metadata);
  });

  test("becomes safetensors as f32, which is said where it is not asked for", async () => {
    const source = everything();
    const file = await open((await packed(source, "lossless")).bytes);
    await expect(writeSafetensors(file.model(), memorySink())).rejects.toThrow(
      'tensor "large.q8_0": safetensors has no Q8_0: write it as f32 (unpack --as f32), or as GGUF (--to gguf)',
    );
    const sink = memorySink();
    await writeSafetensors(file.model("f32"), sink);
    const { tensors } = await readSafetensors(bytesSource(sink.bytes()));
    for (const [i, tensor] of source.tensors.entries()) {
      const blocks = tensor.name.includes(".q");
      expect([tensor.name, tensors[i].dtype]).toEqual([tensors[i].name, blocks ? "F32" : tensor.dtype]);
      const original = await elementBytes(tensor);
      expectSame(await elementBytes(tensors[i]), blocks ? bytesOf(widen(tensor.dtype, original)) : original);
    }
  });
});

const HASHES = new Uint32Array(new Uint8Array(readFileSync(new URL("vectors/formats.bin", import.meta.url))).buffer);

/** The hash of vectors/gguf.c, from the blocks of a tensor. */
function hashOf(hash: number, dtype: "Q8_0" | "Q4_0" | "Q4_1", blocks: Uint8Array): number {
  const size = sizeOf(dtype, 32);
  const all = Array.from({ length: blocks.length / size }, (_, g) => blocks.subarray(g * size, (g + 1) * size));
  const codes = all.flatMap((block) => {
    if (dtype === "Q8_0") return [...block.subarray(2)];
    return Array.from({ length: 32 }, (_, j) => ((block[size - 16 + (j % 16)] >> (j < 16 ? 0 : 4)) & 15) - 8);
  });
  let result = hash;
  for (const at of dtype === "Q4_1" ? [0, 2] : [0])
    for (const block of all) result = fnv(result, block.subarray(at, at + 2));
  result = fnv(result, Uint8Array.from(codes));
  const half = (block: Uint8Array, at: number) => fromHalf(block[at] | (block[at + 1] << 8));
  const values = codes.map((code, i) => {
    const block = all[Math.floor(i / 32)];
    if (dtype === "Q8_0") return ((code << 24) >> 24) * half(block, 0);
    return dtype === "Q4_0" ? code * half(block, 0) : Math.fround((code + 8) * half(block, 0)) + half(block, 2);
  });
  return fnv(fnv(result, bytesOf(Float32Array.from(values))), blocks);
}

describe.each(FORMATS.map((format, i) => [format, i] as const))("floats under %s", (format, number) => {
  const dtype = format.toUpperCase() as "Q8_0" | "Q4_0" | "Q4_1";

  test("become the blocks that the C program makes", async () => {
    for (const [s, n] of SIZES.entries()) {
      if (n % 32 > 0) continue;
      let hash = FNV_START;
      for (let kind = 0; kind < KINDS; kind++) {
        const source = modelOf([tensorOf("w", "F32", [n], inputs(n, kind))]);
        const { bytes } = await packed(source, [{ steps: parseSteps(format) }]);
        const [tensor] = (await read(await written((await open(bytes)).model("quantized")))).tensors;
        expect([tensor.dtype, tensor.shape]).toEqual([dtype, [n]]);
        hash = hashOf(hash, dtype, await elementBytes(tensor));
      }
      expect(hash, `${n} elements`).toBe(HASHES[SIZES.length * number + s]);
    }
  });

  test.each([[[1100, 256]], [[2, 3, 64]], [[0, 32]], [[4, 65_536]]])(
    "of %j become those of the twin, on every tier and on workers",
    async (shape) => {
      const values = weights(elementCount(shape), 40);
      const expected = joinBlocks(format, quantizeBlocks(format, values));
      for (const code of ["auto", "huffman", "zrl 7"]) {
        const plan = `small 0=raw; ${format} > ${code}`;
        const { bytes } = await packed(modelOf([tensorOf("w", "F32", shape, values)]), plan);
        for (const how of [...DECODERS.map((kernels) => ({ kernels })), { workers }]) {
          const file = await open(bytes, how);
          const [tensor] = file.model("quantized").tensors;
          expect([tensor.dtype, tensor.shape]).toEqual([dtype, shape]);
          expectSame(await elementBytes(tensor), expected, code);
          expect(file.model("original").tensors[0].dtype).toBe("F32");
          expectSame(widen(dtype, expected), (await file.tensor("w")).data);
        }
      }
      // So a file of blocks, packed again, has the same chunks.
      const [own] = [tensorOf("w", dtype, shape, expected)];
      const fromFloats = await open((await packed(modelOf([tensorOf("w", "F32", shape, values)]), `${format}`)).bytes);
      const fromBlocks = await open((await packed(modelOf([own]), "lossless")).bytes);
      if (elementCount(shape) >= 1024) {
        expect(fromFloats.totals.decoded).toBe(fromBlocks.totals.decoded);
        expect(fromFloats.totals.chunks).toBe(fromBlocks.totals.chunks);
      }
    },
  );

  test("stay floats where rows are no whole blocks, or channels were removed", async () => {
    const cases: [shape: number[], plan: string][] = [
      [[4, 48], format],
      [[8, 4, 3, 3], format],
      [[], format],
      [[100], format],
      [[8, 64], `prune channels 1 > ${format}`],
      [[8, 64], "nf4"],
      [[8, 64], "int8"],
    ];
    for (const [shape, plan] of cases) {
      const values = weights(elementCount(shape), 41);
      const f16 = tensorOf("w", "F16", shape, floatsAs("F16", values));
      const file = await open((await packed(modelOf([f16]), `small 0=raw; ${plan}`)).bytes);
      const [tensor] = file.model("quantized").tensors;
      expect(tensor.dtype, `${plan} of ${shape}`).toBe("F16");
      expectSame(await elementBytes(tensor), await elementBytes(file.model("original").tensors[0]));
    }
  });

  test("after pruning are blocks as well", async () => {
    const values = weights(2048, 42);
    const { bytes } = await packed(modelOf([tensorOf("w", "F32", [32, 64], values)]), `prune 2:4 > ${format}`);
    const file = await open(bytes);
    const [tensor] = file.model("quantized").tensors;
    expect(tensor.dtype).toBe(dtype);
    expectSame(widen(dtype, await elementBytes(tensor)), (await file.tensor("w")).data);
  });
});

test("blocks that were quantized otherwise are the blocks of that format", async () => {
  const source = blockTensor("w", "q8_0", [40, 64], 43);
  const file = await open((await packed(modelOf([source]), "q4_0")).bytes);
  expect(file.model("original").tensors[0].dtype).toBe("F32");
  const [tensor] = file.model("quantized").tensors;
  expect(tensor.dtype).toBe("Q4_0");
  const values = widen("Q8_0", await elementBytes(source));
  expectSame(await elementBytes(tensor), joinBlocks("q4_0", quantizeBlocks("q4_0", values)));
});
