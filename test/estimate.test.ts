import { existsSync, readdirSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { commonTask } from "../src/container/common.ts";
import { tensorCost } from "../src/container/cost.ts";
import { costTable, type EstimateOptions, type FileEstimate } from "../src/container/estimate.ts";
import { parseHeader, parsePrelude } from "../src/container/format.ts";
import { commonHeader, commonPrelude } from "../src/container/header.ts";
import { restLength } from "../src/container/prelude.ts";
import type { Section } from "../src/container/sections.ts";
import {
  DataError,
  type Model,
  modelGraph,
  open,
  PlanError,
  parseSteps,
  readModel,
  type Smoothing,
} from "../src/index.ts";
import { coreKernels } from "../src/kernels/core.ts";
import type { Kernels } from "../src/kernels.ts";
import { fileSource } from "../src/node.ts";
import { elementCount } from "../src/tensor.ts";
import { DECODERS, floatsAs, modelOf, noise, packed, SCALAR, SIMD, tensorOf } from "./files.ts";
import { weights } from "./helpers.ts";

// Sizes that are reckoned without packing are those of the packed file, to the byte.

/** What the file of these options says of itself, in the words of an estimate. */
async function measured(model: Model, plan: string, options: EstimateOptions = {}): Promise<FileEstimate> {
  const { bytes, report } = await packed(model, plan, options);
  const { totals, index } = await open(bytes, { window: options.window });
  const { rareHeader, isRare } = await rarity(bytes);
  const file = await open(bytes, { kernels: SIMD });
  const chunks = [];
  for (let i = 0; i < totals.chunks; i++) {
    const streams = await file.explain(i);
    const owner = index.find(({ firstChunk, chunks: count }) => firstChunk <= i && i < firstChunk + count);
    const codes = streams.at(-1)?.part === "codes";
    chunks.push({
      stored: await file.check(i),
      decoded: streams.reduce((sum, { decoded }) => sum + decoded, 0),
      steps: streams.reduce((sum, { steps }) => sum + steps, 0),
      smooth: streams[0]?.part === "factors",
      form: codes ? expect.stringMatching(/^int(4|8|16)$/) : owner?.dtype.toLowerCase(),
      elements: expect.any(Number),
      rare: isRare(i),
    });
  }
  return {
    fileBytes: bytes.length,
    headerBytes: report.headerBytes,
    rareHeader,
    chunks,
    tensors: index.map(({ name, plan, elements, firstChunk, chunks, storedBytes }) => ({
      name,
      steps: parseSteps(plan),
      elements,
      firstChunk,
      chunks,
      stored: storedBytes,
    })),
    elements: index.reduce((sum, { elements }) => sum + elements, 0),
    peak: totals.peak,
  };
}

/** What of a file the common readers leave to others. */
async function rarity(bytes: Uint8Array) {
  const core = (await coreKernels()) as Kernels;
  const [head, prelude] = [bytes.subarray(0, 88), await commonPrelude(bytes.subarray(0, 88), bytes.length)];
  const known = prelude ?? parsePrelude(head, bytes.length);
  const rest = bytes.subarray(88, 88 + restLength(known));
  const common = prelude && (await commonHeader(prelude, head, rest));
  const header = common ?? parseHeader(SIMD, known, head, rest);
  const isRare = (index: number): boolean => {
    const { layout, firstChunk } = header.sections.findLast(
      (section) => section.firstChunk <= index && section.layout.chunks > 0,
    ) as Section;
    const chunk = header.chunk(index);
    const part = bytes.subarray(chunk.offset, chunk.offset + chunk.bytes);
    const span = { layout, first: index - firstChunk, chunks: [chunk], bytes: part, cached: false };
    return commonTask(core, { kind: "floats", span, into: null, copied: 0 }) === null;
  };
  return { rareHeader: common === null, isRare };
}

async function expectExact(model: Model, plan: string, options: EstimateOptions = {}): Promise<FileEstimate> {
  const estimate = await costTable(SIMD, model).estimate(plan, options);
  expect(estimate).toEqual(await measured(model, plan, options));
  // As plain data it may be kept.
  expect(JSON.parse(JSON.stringify(estimate))).toEqual(estimate);
  return estimate;
}

const MODEL = modelOf(
  [
    tensorOf("conv.weight", "F32", [32, 16, 3, 3], weights(4608, 1)),
    tensorOf("conv.bias", "F32", [32], weights(32, 2)),
    tensorOf("fc.weight", "F32", [300, 1100], weights(330_000, 3)),
    tensorOf("fc.bias", "F32", [300], weights(300, 4)),
    tensorOf("none", "F32", [0, 7], weights(0, 5)),
    tensorOf("scalar", "F32", [], weights(1, 6)),
    noise("ids", "I64", [50], 7),
    tensorOf("half", "F16", [64, 40], floatsAs("F16", weights(2560, 8))),
    tensorOf("head.weight", "F32", [10, 300], weights(3000, 9)),
    tensorOf("head.bias", "F32", [10], weights(10, 10)),
  ],
  { made: "by a test", näme: "\u{1f9e0}" },
);

const PLANS = [
  "raw",
  "lossless",
  "int8 channel > auto",
  "int4 group 32 asymmetric > smallest",
  "*.bias=raw; head*=lossless; small 100=lossless; int8 tensor > huffman",
  "conv*=prune channels 0.3 > int8 > auto; prune 0.7 > int8 channel > zrl kernel",
  "prune 0.8 global > int8 channel > auto",
  "fc*=prune 0.5 global > int8 > auto; prune 0.5 global > int8 > auto",
  "prune 2:4 > int8 channel > mask",
  "int8 snr 30dB > auto",
  "int8 rmse 0.001 > auto",
  "conv.weight=smooth 0.5 > int8 channel > auto; fc.weight=smooth 0.25 pow2 > int4 group 32 > auto; lossless",
  "q8_0 > auto",
  "nf4 > auto",
  // Nothing is left to prune, so it may share a chunk.
  "*.bias=prune channels 0.001; conv*=prune channels 0.001; lossless",
];

describe("an estimate is exact", () => {
  test.each(PLANS)("under %s", async (plan) => {
    const { chunks, fileBytes } = await expectExact(MODEL, plan);
    expect(chunks.length).toBeGreaterThan(2);
    expect(fileBytes).toBeGreaterThan(1000);
  });

  test("with stages, a graph, activations and what smoothing goes by", async () => {
    const activations = weights(1100, 11).map((x) => 1 + Math.abs(x));
    const smoothing = new Map<string, Smoothing>([["fc.weight", { activations }]]);
    const plan = "fc.weight=smooth 0.5 > int8 channel > auto; int8 channel > auto";
    const plain = await expectExact(MODEL, plan);
    const smooth = await expectExact(MODEL, plan, { smoothing });
    expect(smooth.fileBytes).not.toBe(plain.fileBytes);
    const stages = [
      { name: "end", tensors: ["head*"] },
      { name: "start", tensors: ["conv*", "ids"] },
    ];
    const graph = new Uint8Array(3001).fill(7);
    const scale = Math.fround(0.01);
    const unit = { unit: "fc", factors: "fc.weight", scale, zeroPoint: 3, least: -128, most: 127 };
    const all = await expectExact(MODEL, plan, { smoothing, stages, graph, activations: [unit], window: 1e6 });
    expect(all.headerBytes).toBeGreaterThan(smooth.headerBytes + graph.length);
    expect(all.tensors[0]?.name).toBe("head.weight");
    expect(all.peak).toBeGreaterThan(smooth.peak + 400_000);
  });

  test("of a model without tensors, and of blocks", async () => {
    await expectExact(modelOf([]), "int8 channel > auto");
    const { bytes } = await packed(MODEL, "*.weight=q4_0 > auto; lossless");
    const blocks = (await open(bytes)).model("quantized");
    expect(blocks.tensors.map(({ dtype }) => dtype)).toContain("F16");
    await expectExact(blocks, "lossless");
    await expectExact(blocks, "int8 channel > auto");
  });

  test("on kernels without SIMD", async () => {
    const plan = "prune 0.8 > int8 channel > auto";
    const [simd, scalar] = await Promise.all([SIMD, SCALAR].map((kernels) => costTable(kernels, MODEL).estimate(plan)));
    expect(scalar).toEqual(simd);
  });

  test("for all models and plans", async () => {
    const dtype = fc.constantFrom("F32" as const, "F16" as const);
    const extents = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 4 });
    const shape = extents.filter((shape) => elementCount(shape) <= 40_000);
    const tensor = fc.record({ dtype, shape, seed: fc.integer({ min: 1, max: 1000 }), bias: fc.boolean() });
    const rule = fc.constantFrom(
      ...["raw", "lossless", "smallest", "int8 > auto", "int8 channel > huffman", "int4 group 16 > pivot"],
      ...[
        "prune 0.6 > int8 > auto",
        "prune 0.6 global > int8 > smallest",
        "int8 bits 5 > auto",
        "uint8 group 8 > auto",
      ],
    );
    const plan = fc.tuple(rule, rule, fc.integer({ min: 1, max: 2000 }), rule);
    await fc.assert(
      fc.asyncProperty(fc.array(tensor, { maxLength: 8 }), plan, async (tensors, [first, biases, small, last]) => {
        const made = tensors.map(({ dtype, shape, seed, bias }, i) => {
          const name = `${"layer.".repeat(i % 3)}${i}.${bias ? "bias" : "weight"}`;
          return tensorOf(name, dtype, shape, floatsAs(dtype, weights(elementCount(shape), seed)));
        });
        const text = `?.weight=${first}; *.bias=${biases}; small ${small}=lossless; ${last}`;
        await expectExact(modelOf(made), text).catch((error) => {
          // What pack refuses is refused alike.
          if (!(error instanceof DataError || error instanceof PlanError)) throw error;
          return expect(packed(modelOf(made), text)).rejects.toThrow(error.message);
        });
      }),
      { numRuns: 40 },
    );
  });
});

describe("a table of costs", () => {
  test("encodes what it has not seen, and nothing twice", async () => {
    const table = costTable(SIMD, MODEL);
    const plans = ["int8 channel > auto", "int4 group 32 > auto", "prune 0.5 global > int8 > auto"];
    for (const plan of plans) {
      const { chunks } = await table.estimate(plan);
      expect(chunks.length).toBeGreaterThan(0);
    }
    const { encoded } = table;
    expect(encoded).toBeGreaterThan(10);
    // Steps of both plans, put together in a new way.
    const mixed = "fc.weight=int4 group 32 > auto; small 1024=lossless; int8 channel > auto";
    const estimate = await table.estimate(mixed);
    for (const plan of plans) await table.estimate(plan);
    expect(table.encoded).toBe(encoded);
    expect(estimate.fileBytes).toBe((await packed(MODEL, mixed)).bytes.length);
    // The threshold of fewer tensors is another one.
    await table.estimate("fc.weight=prune 0.5 global > int8 > auto; int8 channel > auto");
    expect(table.encoded).toBe(encoded + 2);
  });

  test("has tensors by themselves, which files then have", async () => {
    const table = costTable(SIMD, MODEL);
    const steps = parseSteps("int4 group 32 > auto");
    const cost = await table.tensor("fc.weight", steps);
    expect(cost).toEqual(await tensorCost(SIMD, MODEL.tensors[2], steps));
    const bias = await table.tensor("fc.bias", parseSteps("lossless"));
    expect(bias.chunks).toHaveLength(1);
    expect(await table.tensor("none", steps)).toMatchObject({ bytes: 0, chunks: [] });
    const { encoded } = table;
    const { chunks, tensors } = await table.estimate("fc.weight=int4 group 32 > auto; raw");
    const { firstChunk, chunks: count } = tensors[2];
    expect(chunks.slice(firstChunk, firstChunk + count)).toEqual(cost.chunks);
    expect(table.encoded).toBe(encoded + chunks.length - count);
    await expect(table.tensor("gone", steps)).rejects.toThrow('"name" expected a tensor of the model, got "gone"');
    await expect(table.tensor("ids", steps)).rejects.toThrow(PlanError);
  });

  test("knows what smoothing went by", async () => {
    const table = costTable(SIMD, MODEL);
    const plan = "fc.weight=smooth 0.5 > int8 channel > auto; lossless";
    const smoothing = new Map<string, Smoothing>([
      ["fc.weight", { activations: weights(1100, 3).map((x) => 1 + Math.abs(x)) }],
    ]);
    for (const options of [{}, { smoothing }, {}, { smoothing }]) {
      const { fileBytes } = await table.estimate(plan, options);
      expect(fileBytes).toBe((await packed(MODEL, plan, options)).bytes.length);
    }
  });

  test("refuses what pack refuses", async () => {
    const table = costTable(SIMD, MODEL);
    await expect(table.estimate("ids=int8; lossless")).rejects.toThrow(PlanError);
    await expect(table.estimate("int8 > auto", { graph: new Uint8Array(100_000_001) })).rejects.toThrow(RangeError);
    const twice = modelOf([...MODEL.tensors, ...MODEL.tensors.slice(0, 1)]);
    await expect(costTable(SIMD, twice).estimate("raw")).rejects.toThrow("unique names");
    expect(() => costTable(DECODERS[2], MODEL)).toThrow(RangeError);
    const stop = new AbortController();
    const stopped = table.estimate("int8 > auto", { signal: stop.signal, onProgress: () => stop.abort("enough") });
    await expect(stopped).rejects.toBe("enough");
    // What was begun is done again.
    expect((await table.estimate("int8 > auto")).fileBytes).toBe((await packed(MODEL, "int8 > auto")).bytes.length);
  });

  test("tells how far it is", async () => {
    const told: number[] = [];
    let last = 0;
    const onProgress = ({ done, total }: { done: number; total: number }) => {
      told.push(done);
      last = total;
    };
    await costTable(SIMD, MODEL).estimate("int8 > auto", { onProgress });
    expect(told).toEqual([...told].sort((a, b) => a - b));
    expect(told.at(-1)).toBe(last);
  });
});

test("a tensor alone costs its chunks and their entries in the header", async () => {
  const [tensor] = MODEL.tensors.slice(2);
  const steps = parseSteps("prune channels 0.25 > int8 channel > auto");
  const cost = await tensorCost(SIMD, tensor, steps);
  const { chunks, headerBytes } = await measured(modelOf([tensor]), "prune channels 0.25 > int8 channel > auto");
  expect(cost).toMatchObject({ name: "fc.weight", chunks });
  expect(cost.chunks.length).toBeGreaterThan(0);
  expect(cost.chunks.reduce((sum, { elements }) => sum + elements, 0)).toBe(0.75 * 330_000);
  expect(cost.stored).toBe(chunks.reduce((sum, { stored }) => sum + stored, 0));
  expect(cost.decoding).toBe(chunks.reduce((sum, { steps }) => sum + steps, 0));
  expect(cost.bytes).toBe(cost.stored + 32 * chunks.length);
  expect(cost.bytes).toBeLessThan(cost.stored + headerBytes);
});

// Real weights, where there are any: shared/data lies beside the repository of those who build it, and in no package.

const FOLDER = new URL("../../shared/data/models/", import.meta.url);
const FILES = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => /\.(safetensors|onnx)$/.test(name)) : [];
if (FILES.length === 0) test.skip(`no models in ${FOLDER.pathname}: no real size was reckoned`, () => {});

test.each(FILES)("the estimate of %s is exact, with its graph", async (name) => {
  const source = await fileSource(new URL(name, FOLDER).pathname);
  const model = await readModel(source);
  const graph = await modelGraph(source);
  const table = costTable(SIMD, model);
  for (const plan of ["lossless", "int8 channel > auto", "prune 0.8 global > int4 group 32 > smallest"]) {
    const { fileBytes, headerBytes } = await table.estimate(plan, { graph });
    const { report } = await packed(model, plan, { graph });
    expect({ plan, fileBytes, headerBytes }).toEqual({
      plan,
      fileBytes: report.fileBytes,
      headerBytes: report.headerBytes,
    });
  }
  await source.close();
});
