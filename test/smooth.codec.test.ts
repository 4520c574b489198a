import { describe, expect, test } from "vitest";
import {
  DataError,
  decodeTensor,
  encodeTensor,
  FormatError,
  type LazyTensor,
  open,
  parseSteps,
  resolveSteps,
  type Smoothing,
  smoothFactors,
} from "../src/index.ts";
import { nodeWorkers } from "../src/node.ts";
import { elementCount, widen } from "../src/tensor.ts";
import { BOTH, DECODERS, elementBytes, FLOATS, floatsAs, modelOf, packed, partsOf, sealed, tensorOf } from "./files.ts";
import { bytesOf, expectSame, weights } from "./helpers.ts";
import * as reference from "./reference.ts";
import { columns, quantizedTwin, wayOf } from "./twin.ts";

// Smoothing of whole tensors, from the plan to the file and back, against the twins.

function factorsOf(values: Float32Array, shape: readonly number[], plan: string, smoothing?: Smoothing): Float32Array {
  const [step] = parseSteps(plan);
  if (step.op !== "smooth") throw new Error(plan);
  const axis = ((step.axis ?? 1) + shape.length) % shape.length;
  const grid = [elementCount(shape.slice(0, axis)), shape[axis], elementCount(shape.slice(axis + 1))] as const;
  const maxima = reference.columnMax(values, grid, new Float32Array(shape[axis]));
  return smoothFactors(maxima, step, smoothing);
}

async function through(tensor: LazyTensor, text: string): Promise<Float32Array> {
  const steps = await resolveSteps(BOTH[0], tensor, parseSteps(text));
  const [chunks, again] = await Promise.all(
    BOTH.map(async (kernels) => {
      const bytes: Uint8Array[] = [];
      for await (const chunk of encodeTensor(kernels, tensor, parseSteps(text))) bytes.push(chunk.bytes);
      return bytes;
    }),
  );
  expect(again.length).toBe(chunks.length);
  again.forEach((bytes, i) => void expectSame(bytes, chunks[i], text));
  const [back, ...others] = DECODERS.map((kernels) => decodeTensor(kernels, tensor, steps, chunks));
  for (const other of others) expectSame(other, back, text);
  return back;
}

/** Columns whose sizes differ, as activations make them worth smoothing. */
function uneven(shape: readonly number[], seed: number): Float32Array {
  const inner = elementCount(shape.slice(2));
  return weights(elementCount(shape), seed).map((x, i) => x * (1 + ((Math.floor(i / inner) % shape[1]) % 17)));
}

/** Linear layers, convolutions, rows and channels longer than a chunk, more inputs than a chunk has elements, nothing. */
const SHAPES = [
  [7, 24],
  [16, 12, 3, 3],
  [5, 40, 2],
  [1, 1],
  [3, 0],
  [0, 3],
  [9, 40_000],
  [2, 300_001],
  [2, 3, 150_000],
  [600, 700],
];
const PLANS = ["smooth 0.5 > int8", "smooth 0.8 pow2 > int8 tensor asymmetric", "smooth 0.5 > int4 group 32 > huffman"];

describe.each(PLANS)("%s", (plan) => {
  test.each(SHAPES.map((shape) => [shape]))(
    "on %j multiplies, quantizes, and divides by the same factors",
    async (shape) => {
      const values = uneven(shape, 3);
      const inner = elementCount(shape.slice(2));
      const factors = factorsOf(values, shape, plan);
      const way = wayOf(plan.includes("int8 ") || plan.includes("group") ? plan : `${plan} channel`);
      const { back } = quantizedTwin(reference.smooth(values, factors, inner), columns(shape, way.per), way);
      expectSame(await through(tensorOf("w", "F32", shape, values), plan), reference.unsmooth(back, factors, inner));
    },
  );
});

test.each([
  ["smooth 0.5 > prune 0.6 > int8 channel", (x: Float32Array) => reference.prune(x, 0.6), (x: Float32Array) => x],
  ["smooth 0.5 > int8 channel > prune 0.6", (x: Float32Array) => x, (x: Float32Array) => reference.prune(x, 0.6)],
  [
    "smooth 0.5 > prune 2:4 > int8 channel",
    (x: Float32Array) => reference.prunePattern(x, [30, 50, 1], 2, 4),
    (x: Float32Array) => x,
  ],
])("%s prunes what is smoothed", async (plan, before, after) => {
  const values = uneven([30, 50], 4);
  const factors = factorsOf(values, [30, 50], plan);
  const { back } = quantizedTwin(before(reference.smooth(values, factors, 1)), 50, { bits: 8, asymmetric: false });
  const { bytes } = await packed(modelOf([tensorOf("w", "F32", [30, 50], values)]), plan);
  const { data } = await (await open(bytes)).tensor("w");
  expectSame(data, reference.unsmooth(after(back), factors, 1));
});

describe("in a file", () => {
  const shape = [20, 30, 3];
  const values = uneven(shape, 5);
  const smoothing: Smoothing = {
    activations: weights(30, 6).map((x) => Math.abs(x) * 30),
    groups: Uint8Array.from({ length: 30 }, (_, i) => (i % 5 === 0 ? 1 : 0)),
  };
  const plan = "smooth 0.5,0.75 > int8 > raw";
  const how = { smoothing: new Map([["w", smoothing]]) };

  test.each(FLOATS)("%s: activations, groups and alphas of a group; every form", async (dtype) => {
    const tensor = tensorOf("w", dtype, shape, floatsAs(dtype, values));
    const source = widen(dtype, await elementBytes(tensor));
    const factors = factorsOf(source, shape, plan, smoothing);
    const expected = quantizedTwin(reference.smooth(source, factors, 3), 90, { bits: 8, asymmetric: false });
    const { bytes } = await packed(modelOf([tensor]), plan, how);
    for (const kernels of DECODERS) {
      const file = await open(bytes, { kernels });
      expect(file.index[0].plan).toBe("smooth 0.5,0.75 > int8 channel > raw");
      const data = reference.unsmooth(expected.back, factors, 3);
      expectSame((await file.tensor("w")).data, data);
      const stored = await file.tensor("w", { as: "stored" });
      expectSame(stored.smooth ?? new Float32Array(0), factors);
      expectSame(stored.bytes, expected.codes);
      expectSame(stored.quantization?.scales ?? new Float32Array(0), expected.scales);
      const [lazy] = file.model().tensors;
      expectSame(await elementBytes(lazy), floatsAs(dtype, data));
      await file.check(0);
    }
    const [factorPart, ...others] = await (await open(bytes, { kernels: BOTH[0] })).explain(0);
    expect([factorPart.part, factorPart.decoded]).toEqual(["factors", 120]);
    expect(others.map(({ part }) => part)).toEqual(["scales", "codes"]);
  });

  test("of several chunks, by workers, with removed channels and cyclic runs of factors", async () => {
    const large = tensorOf("w", "F32", [700, 900], uneven([700, 900], 8));
    const wide = tensorOf("wide", "F32", [4, 200_000], uneven([4, 200_000], 9));
    const file = async (text: string, options = {}) => (await packed(modelOf([large, wide]), text, options)).bytes;
    const workers = await nodeWorkers(2, { file: new URL("./worker/source.mjs", import.meta.url) });
    try {
      for (const text of ["smooth 0.5 > int8", "smooth 0.5 pow2 > int8 > prune channels 0.3"]) {
        const bytes = await file(text);
        expectSame(await file(text, { workers }), bytes);
        const [alone, helped] = [await open(bytes), await open(bytes, { workers })];
        expect(alone.totals.chunks).toBeGreaterThan(4);
        for (const name of ["w", "wide"]) {
          expectSame((await helped.tensor(name)).data, (await alone.tensor(name)).data);
          const [a, b] = [await alone.tensor(name, { as: "stored" }), await helped.tensor(name, { as: "stored" })];
          const source = await elementBytes(name === "w" ? large : wide);
          expectSame(a.smooth ?? new Float32Array(0), factorsOf(widen("F32", source), a.shape, text));
          expectSame(b.smooth ?? new Float32Array(0), a.smooth ?? new Float32Array(0));
          expectSame(b.bytes, a.bytes);
        }
      }
    } finally {
      await workers.close();
    }
  });

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, -0])("a factor of %f is refused", async (bad) => {
    const { bytes } = await packed(modelOf([tensorOf("w", "F32", shape, values)]), plan, how);
    const parts = partsOf(bytes);
    const [{ code, bytes: chunk }] = parts.chunks;
    const raw = Float32Array.from({ length: 30 }, (_, i) => (i === 17 ? bad : 1));
    const size = chunk[1] | (chunk[2] << 8) | (chunk[3] << 16);
    const forged = bytesOf(Uint8Array.from([0, 120, 0, 0, ...bytesOf(raw), ...chunk.subarray(4 + size)]));
    const file = await open(sealed({ ...parts, chunks: [{ code, bytes: forged }] }));
    for (const call of [file.tensor("w"), file.tensor("w", { as: "stored" }), file.check(0)]) {
      await expect(call).rejects.toThrow(FormatError);
    }
    await expect(file.tensor("w")).rejects.toThrow(/factors.*above 0/);
  });

  test("factors cut short, or one too many, are refused", async () => {
    const { bytes } = await packed(modelOf([tensorOf("w", "F32", shape, values)]), plan, how);
    const parts = partsOf(bytes);
    const [{ code, bytes: chunk }] = parts.chunks;
    const rest = chunk.subarray(4 + (chunk[1] | (chunk[2] << 8) | (chunk[3] << 16)));
    for (const n of [0, 29, 31]) {
      const forged = bytesOf(Uint8Array.from([0, 4 * n, 0, 0, ...bytesOf(new Float32Array(n).fill(1)), ...rest]));
      const file = await open(sealed({ ...parts, chunks: [{ code, bytes: forged }] }));
      await expect(file.tensor("w")).rejects.toThrow(FormatError);
    }
  });

  test("a NaN is refused with its name and place; smoothing must fit the tensor", async () => {
    const bad = tensorOf("bad", "F32", [3, 4], weights(12, 1).fill(Number.NaN, 7, 8));
    await expect(packed(modelOf([bad]), "small 0=raw; smooth 0.5 > int8")).rejects.toThrow(DataError);
    await expect(packed(modelOf([bad]), "small 0=raw; smooth 0.5 > int8")).rejects.toThrow(/"bad".* 7 is NaN/);
    const good = tensorOf("w", "F32", [3, 4], weights(12, 1));
    await expect(packed(modelOf([good]), `small 0=raw; ${plan}`, how)).rejects.toThrow(/4 entries/);
  });
});

describe("along other dimensions", () => {
  test.each([
    ["smooth 0.6 axis 0 > int8 tensor", [24, 7]],
    ["smooth 0.6 axis 0 > int8 tensor", [70_000, 3]],
    ["smooth 0.6 axis 0 > int8 tensor", [3, 70_000]],
    ["smooth 0.5 axis 2 pow2 > int8 tensor", [3, 3, 12, 16]],
    ["smooth 0.5 axis -2 > int8 tensor asymmetric", [3, 3, 12, 16]],
    ["smooth 0.5 axis -1 > int8 tensor", [5, 33]],
    ["smooth 0.5 axis 1 > int8 tensor", [5, 33]],
  ] as [string, number[]][])("%s on %j", async (plan, shape) => {
    const axis = Number(/axis (-?\d)/.exec(plan)?.[1]);
    const inner = elementCount(shape.slice(((axis + shape.length) % shape.length) + 1));
    const values = uneven(shape, 6);
    const factors = factorsOf(values, shape, plan);
    const { back } = quantizedTwin(reference.smooth(values, factors, inner), values.length, wayOf(plan));
    expectSame(await through(tensorOf("w", "F32", shape, values), plan), reference.unsmooth(back, factors, inner));
  });

  test("with scales of the outputs", async () => {
    const [inputs, outputs] = [24, 10];
    const values = uneven([inputs, outputs], 4);
    const text = "smooth 0.5 axis 0 > int8 channel axis 1";
    const factors = factorsOf(values, [inputs, outputs], text);
    const smoothed = reference.smooth(values, factors, outputs);
    const back = await through(tensorOf("w", "F32", [inputs, outputs], values), text);
    const lone = await through(tensorOf("w", "F32", [inputs, outputs], smoothed), "int8 channel axis 1");
    expectSame(back, reference.unsmooth(lone, factors, outputs));
  });

  test("a group may be left as it is", async () => {
    const shape = [4, 6];
    const values = uneven(shape, 8);
    const groups = Uint8Array.of(0, 1, 0, 0, 1, 0);
    const plan = "smooth -,0.5 > int8 channel > auto";
    const file = await open(
      (
        await packed(modelOf([tensorOf("w", "F32", shape, values)]), `small 0=raw; ${plan}`, {
          smoothing: new Map([["w", { groups }]]),
        })
      ).bytes,
    );
    const { smooth } = await file.tensor("w", { as: "stored" });
    expect([...(smooth ?? [])].map((factor, i) => (groups[i] === 0 ? factor === 1 : factor !== 1))).toEqual(
      Array(6).fill(true),
    );
    expect(file.index[0].plan).toBe(plan);
  });

  test("what has no such dimension, or loses it, is refused", async () => {
    const tensor = tensorOf("w", "F32", [4, 6], weights(24, 1));
    for (const [plan, problem] of [
      ["smooth 0.5 axis 2 > int8", /no input axis 2/],
      ["smooth 0.5 axis -3 > int8", /no input axis -3/],
      ["smooth 0.5 axis 0 > prune channels 0.5 > int8", /channels that prune would remove/],
    ] as const)
      await expect(
        resolveSteps(BOTH[0], tensor, parseSteps(plan)).then((steps) => encodeTensor(BOTH[0], tensor, steps).next()),
      ).rejects.toThrow(problem);
    for (const plan of [
      "smooth 0.5 axis > int8",
      "smooth 0.5 axis 1.5 > int8",
      "smooth - 0.5 > int8",
      "smooth -- > int8",
    ])
      expect(() => parseSteps(plan)).toThrow(/is not a step/);
  });
});
