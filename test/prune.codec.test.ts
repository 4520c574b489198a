import { describe, expect, test } from "vitest";
import {
  DataError,
  type DType,
  decodeTensor,
  encodeTensor,
  FormatError,
  type LazyTensor,
  open,
  PlanError,
  parseSteps,
  printSteps,
  resolveSteps,
} from "../src/index.ts";
import { nodeWorkers } from "../src/node.ts";
import { elementCount, widen } from "../src/tensor.ts";
import { BOTH, DECODERS, elementBytes, FLOATS, floatsAs, modelOf, packed, partsOf, sealed, tensorOf } from "./files.ts";
import { codes, expectSame, weights } from "./helpers.ts";
import * as reference from "./reference.ts";
import { columns, quantizedTwin, wayOf } from "./twin.ts";

// Pruning of whole tensors and models, in either order with quantizing, against the twins.

/** Few different magnitudes, so that ties decide. */
const tied = (n: number) => Float32Array.from(codes(n, 2, 5), (code) => (code === 0 ? -0 : code / 4));

/** What a tensor decodes to, the same on every tier, from bytes that every tier writes. */
async function through(tensor: LazyTensor, text: string): Promise<Float32Array> {
  const asked = await resolveSteps(BOTH[0], tensor, parseSteps(text));
  const [chunks, again] = await Promise.all(
    BOTH.map(async (kernels) => {
      const steps = await resolveSteps(kernels, tensor, parseSteps(text));
      expect(printSteps(steps)).toBe(printSteps(asked));
      const bytes: Uint8Array[] = [];
      for await (const chunk of encodeTensor(kernels, tensor, steps)) bytes.push(chunk.bytes);
      return bytes;
    }),
  );
  expect(again.length).toBe(chunks.length);
  again.forEach((bytes, i) => {
    expectSame(bytes, chunks[i], text);
  });
  const [back, ...others] = DECODERS.map((kernels) => decodeTensor(kernels, tensor, asked, chunks));
  for (const other of others) expectSame(other, back, text);
  return back;
}

type Prune = (values: Float32Array, shape: readonly number[]) => Float32Array;

function pattern(keep: number, of: number, axis?: number): Prune {
  return (values, shape) => {
    const k = axis ?? Math.min(1, shape.length - 1);
    const grid = [shape.slice(0, k), shape.slice(k, k + 1), shape.slice(k + 1)].map(elementCount);
    return reference.prunePattern(values, grid as [number, number, number], keep, of);
  };
}

function channels(sparsity: number): Prune {
  return (values, [count, ...rest]) => {
    const size = elementCount(rest);
    const result = values.slice();
    for (const c of reference.leastChannels(values, count, size, sparsity)) result.fill(0, c * size, (c + 1) * size);
    return result;
  };
}

const PRUNES: [text: string, Prune][] = [
  ["prune 0.7", (values) => reference.prune(values, 0.7)],
  ["prune 2:4", pattern(2, 4)],
  ["prune 1:3", pattern(1, 3)],
  ["prune 4:8 axis 0", pattern(4, 8, 0)],
  ["prune channels 0.4", channels(0.4)],
];
const SHAPES = [
  [7, 24],
  [16, 12, 3, 3],
  [5, 40, 2],
  [300],
  [1, 33],
  [6, 0],
  [0, 6],
  [3, 30_001],
  [30_001, 3],
  [11, 4100],
  [2, 3, 14_000],
];
const QUANTIZED = ["int8", "int8 tensor asymmetric", "int4 group 8 asymmetric", "int4"];

describe.each(PRUNES)("%s", (text, prune) => {
  const whole = text.includes("channels");

  test.each(SHAPES.map((shape) => [shape]))("is what the twin does to %j: alone, first, last", async (shape) => {
    const size = elementCount(shape.slice(1));
    for (const values of [weights(elementCount(shape), 8), tied(elementCount(shape))]) {
      const tensor = tensorOf("w", "F32", shape, values);
      const pruned = prune(values, shape);
      expectSame(await through(tensor, text), pruned, `${shape}`);
      for (const quantize of QUANTIZED) {
        const way = wayOf(printSteps(parseSteps(quantize)));
        const cols = columns(shape, way.per);
        // Removed channels are left out before rows are made, so only rows within channels are what they were.
        if (!whole || way.per === "channel") {
          const first = await through(tensor, `${text} > ${quantize}`);
          expectSame(first, quantizedTwin(pruned, cols, way).back, `${text} > ${quantize}, ${shape}`);
        }
        if (whole && way.per.startsWith("group") && size % cols !== 0) continue;
        const last = await through(tensor, `${quantize} > ${text}`);
        expectSame(last, prune(quantizedTwin(values, cols, way).back, shape), `${quantize} > ${text}, ${shape}`);
      }
    }
  });
});

describe("prune S global", () => {
  const parts = [
    weights(3000, 1),
    tied(2500).map((x) => x / 50),
    weights(40_000, 3).map((x) => 3 * x),
    tied(600).map((x) => x / 50),
  ];
  const model = modelOf(parts.map((values, i) => tensorOf(`w${i}`, "F32", [10, values.length / 10], values)));
  const all = Float32Array.from(parts.flatMap((values) => [...values]));

  test.each([0, 0.001, 0.3, 0.8, 0.99, 1])("%d: one threshold over all tensors of the rule", async (sparsity) => {
    const expected = reference.prune(all, sparsity);
    const { bytes, report } = await packed(model, `small 0=raw; prune ${sparsity} global > auto`);
    const file = await open(bytes);
    let at = 0;
    for await (const { data, name } of file.stream()) {
      expectSame(data, expected.subarray(at, at + data.length), name);
      at += data.length;
    }
    expect(file.index.map(({ plan }) => plan)).toEqual(parts.map(() => `prune ${sparsity} global > auto`));
    const zeros = report.tensors.reduce((sum, tensor) => sum + Math.round(tensor.sparsity * tensor.elements), 0);
    expect(zeros).toBe(expected.filter((x) => x === 0).length);
    expect(zeros).toBeGreaterThanOrEqual(Math.round(sparsity * all.length));
  });

  test("counts what codes stand for where it comes last", async () => {
    const way = { bits: 8, asymmetric: true } as const;
    const back = parts.flatMap((values) => [...quantizedTwin(values, values.length / 10, way).back]);
    const expected = reference.prune(Float32Array.from(back), 0.6);
    const { bytes } = await packed(model, "small 0=raw; int8 asymmetric > prune 0.6 global");
    let at = 0;
    for await (const { data, name } of (await open(bytes)).stream()) {
      expectSame(data, expected.subarray(at, at + data.length), name);
      at += data.length;
    }
  });

  test("keeps to its rule, and encodes alone as if the tensor were all there is", async () => {
    const { bytes } = await packed(model, "w1=prune 0.5 global; small 0=raw; prune 0.8 global");
    const file = await open(bytes);
    expectSame((await file.tensor("w1")).data, reference.prune(parts[1], 0.5));
    const others = Float32Array.from(parts.flatMap((values, i) => (i === 1 ? [] : [...values])));
    expectSame((await file.tensor("w0")).data, reference.prune(others, 0.8).subarray(0, 3000));
    expectSame(await through(model.tensors[0], "prune 0.5 global"), reference.prune(parts[0], 0.5));
  });

  test("names the tensor with a NaN", async () => {
    const bad = tensorOf("bad.one", "F32", [2, 3], Float32Array.of(1, 2, 3, Number.NaN, 5, 6));
    const mixed = modelOf([model.tensors[0], bad]);
    for (const text of ["prune 0.5 global", "prune 2:4", "prune channels 0.5", "int8 > prune 0.5"]) {
      await expect(packed(mixed, `small 0=raw; ${text}`), text).rejects.toThrow(DataError);
      await expect(packed(mixed, `small 0=raw; ${text}`), text).rejects.toThrow(/"bad\.one".* 3 is NaN/);
    }
  });
});

const FILE = new URL("./worker/source.mjs", import.meta.url);

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe("removed channels", () => {
  const shape = [9, 5, 3];
  const values = weights(135, 4);
  const removed = reference.leastChannels(values, 9, 15, 0.4);
  const kept = Array.from({ length: 9 }, (_, i) => i).filter((i) => !removed.includes(i));
  const list = printSteps(parseSteps(`prune channels ${removed.join(",")} > raw`)).replace(" > raw", "");

  /** Kept channels at their places, zeros between them. */
  function spread(data: Float32Array): Float32Array {
    const all = new Float32Array(135);
    kept.forEach((channel, i) => {
      all.set(data.subarray(15 * i, 15 * i + 15), 15 * channel);
    });
    return all;
  }

  function keptOnly(dtype: DType): LazyTensor {
    const rows = kept.flatMap((i) => [...values.subarray(15 * i, 15 * i + 15)]);
    return tensorOf("w", dtype, [kept.length, 5, 3], floatsAs(dtype, Float32Array.from(rows)));
  }

  test.each(FLOATS)("cost nothing and come back as zeros: %s", async (dtype) => {
    const tensor = tensorOf("w", dtype, shape, floatsAs(dtype, values));
    for (const code of ["raw", "int8 > raw", "int4 group 8 > auto"]) {
      const { bytes, report } = await packed(modelOf([tensor]), `small 0=raw; prune channels 0.4 > ${code}`);
      const alone = await packed(modelOf([keptOnly(dtype)]), `small 0=raw; ${code}`);
      const [file, direct] = [await open(bytes), await open(alone.bytes)];
      const [entry] = file.index;
      expect([entry.plan, entry.shape, entry.elements]).toEqual([`${list} > ${direct.index[0].plan}`, shape, 135]);
      expect(entry.storedBytes).toBe(direct.index[0].storedBytes);
      const share = (4 * 15 + alone.report.tensors[0].sparsity * 75) / 135;
      expect(report.tensors[0].sparsity).toBeCloseTo(share, 12);
      const { data } = await direct.tensor("w");
      const expected = spread(data);
      expectSame((await file.tensor("w")).data, expected);
      const into = new Float32Array(135).fill(7);
      expect((await file.tensor("w", { into })).data).toBe(into);
      expectSame(into, expected);
      const stored = await file.tensor("w", { as: "stored" });
      const { bytes: codes, quantization } = await direct.tensor("w", { as: "stored" });
      expect([...(stored.channels ?? [])]).toEqual(kept);
      expect(stored).toEqual({ ...stored, shape, bytes: codes, quantization });
      for (const as of ["original", "f32"] as const) {
        const [lazy] = file.model(as).tensors;
        const [whole] = direct.model(as).tensors;
        const elements = spread(widen(whole.dtype, await elementBytes(whole)));
        expectSame(widen(lazy.dtype, await elementBytes(lazy)), elements, as);
        for (const [start, end] of [
          [0, 1],
          [14, 46],
          [29, 30],
          [30, 135],
          [134, 135],
          [7, 7],
        ])
          expectSame(widen(lazy.dtype, await lazy.read(start, end)), elements.subarray(start, end), `${start}, ${end}`);
      }
    }
  });

  test("come through streams and workers, over several chunks", async () => {
    const large = tensorOf("large", "F32", [300, 2000], weights(600_000, 5));
    const small = tensorOf("small", "F32", shape, values);
    const { bytes, report } = await packed(modelOf([large, small]), "small 0=raw; prune channels 0.33");
    expect(report.tensors[0].plan.length).toBeGreaterThan(200);
    const expected = channels(0.33)(weights(600_000, 5), [300, 2000]);
    const workers = await nodeWorkers(2, { file: FILE });
    try {
      for (const options of [{}, { workers }]) {
        const file = await open(bytes, options);
        const [first, second] = await collect(file.stream());
        expectSame(first.data, expected);
        expectSame(second.data, channels(0.33)(values, shape));
        expectSame((await file.tensor("large", { into: new Float32Array(600_000).fill(3) })).data, expected);
        for (let i = 0; i < file.totals.chunks; i++) await file.check(i);
      }
      const again = await packed(modelOf([large, small]), "small 0=raw; prune channels 0.33", { workers });
      expectSame(again.bytes, bytes);
    } finally {
      await workers.close();
    }
  });

  test("none, where the share is too small for one", async () => {
    const { bytes } = await packed(modelOf([tensorOf("w", "F32", shape, values)]), "small 0=raw; prune channels 0.05");
    const file = await open(bytes);
    expect(file.index[0].plan).toBe("lossless");
    expectSame((await file.tensor("w")).data, values);
  });

  test("are asked for by index as well, and refused as a share by what needs to know", async () => {
    const tensor = tensorOf("w", "F32", shape, values);
    const { bytes } = await packed(modelOf([tensor]), "small 0=raw; prune channels 0,2-3");
    const { data } = await (await open(bytes)).tensor("w");
    expectSame(
      data,
      values.map((x, i) => ([0, 2, 3].includes(Math.floor(i / 15)) ? 0 : x)),
    );
    const steps = parseSteps("prune channels 0.4");
    expect(() => decodeTensor(BOTH[0], tensor, steps, [])).toThrow(PlanError);
    expect(() => decodeTensor(BOTH[0], tensor, steps, [])).toThrow("resolveSteps");
  });

  test.each([
    ["prune channels 0.4 > raw", "resolveSteps"],
    ["prune channels 9 > raw", "9 cannot be removed"],
    ["prune channels 0-8 > raw", "keep one"],
    ["prune channels 3,2 > raw", "is not a step"],
    ["prune channels 1,2 > raw", "another spelling"],
    ["prune channels 03 > raw", "another spelling"],
    ["prune channels 0-999999999999999 > raw", "cannot be removed"],
    ["int8 group 8 > prune channels 1 > raw", "cross its channels"],
    ["int8 channel > prune 2:4 axis 3 > raw", "no dimension"],
  ])("a file that says %j is refused", async (plan, why) => {
    const { bytes } = await packed(
      modelOf([tensorOf("w", "F32", shape, values)]),
      "small 0=raw; prune channels 1,5 > raw",
    );
    const parts = partsOf(bytes);
    const json = parts.json.trimEnd().replace('["F32","prune channels 1,5 > raw"', `["F32","${plan}"`);
    const forged = sealed({ ...parts, json: json.padEnd(Math.ceil(json.length / 8) * 8) });
    await expect(open(forged)).rejects.toThrow(FormatError);
    await expect(open(forged)).rejects.toThrow(why);
  });

  test("other counts of channels do not fit the chunks", async () => {
    const { bytes } = await packed(
      modelOf([tensorOf("w", "F32", shape, values)]),
      "small 0=raw; prune channels 1,5 > raw",
    );
    const parts = partsOf(bytes);
    for (const list of ["1", "1,5-6"]) {
      const json = parts.json
        .trimEnd()
        .replace('["F32","prune channels 1,5 > raw"', `["F32","prune channels ${list} > raw"`);
      expect(json).not.toBe(parts.json.trimEnd());
      await expect(open(sealed({ ...parts, json: json.padEnd(Math.ceil(json.length / 8) * 8) }))).rejects.toThrow(
        FormatError,
      );
    }
  });
});
