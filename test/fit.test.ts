import { describe, expect, test } from "vitest";
import { bytesSource, DataError, FormatError, type Model, modelGraph, open } from "../src/index.ts";
import { createSession, type ProgressInfo, progressCallback } from "../src/onnx.ts";
import type { LoadProgress } from "../src/read.ts";
import { widen } from "../src/tensor.ts";
import { quernIO } from "../src/tfjs.ts";
import { floatsAs, modelOf, noise, packed, SIMD, tensorOf } from "./files.ts";
import { bytesOf, expectSame, weights } from "./helpers.ts";
import { everyByteChanged } from "./hostile.ts";
import { lengthField, modelFile, outside, RAW, tensor } from "./onnx.files.ts";

// What TensorFlow.js and ONNX Runtime are given. That they take it, test/ecosystem tells.

const GRAPH = { modelTopology: { class_name: "Sequential" } };
const NODES = { modelTopology: { node: [] } };

async function fileOf(model: Model, plan = "lossless", graph?: Uint8Array): Promise<Uint8Array> {
  return (await packed(model, plan, { graph })).bytes;
}

async function streamed(stream: ReadableStream<ArrayBuffer>): Promise<ArrayBuffer[]> {
  const buffers: ArrayBuffer[] = [];
  for (const reader = stream.getReader(); ; ) {
    const { value, done } = await reader.read();
    if (done) return buffers;
    buffers.push(value);
  }
}

describe("quernIO", () => {
  const values = weights(600, 1);
  const dtypes = ["F32", "F16", "BF16", "F64"] as const;
  const floats = dtypes.map((dtype) => tensorOf(dtype, dtype, [30, 20], floatsAs(dtype, values)));
  const others = (["I32", "U8", "BOOL"] as const).map((dtype) => noise(dtype, dtype, [4, 3]));
  const MODEL = modelOf([floats[0], others[0], others[1], ...floats.slice(1), others[2], noise("none", "F32", [0, 2])]);

  test.each([true, false])("gives floats as float32, all else as it is; streamed: %s", async (stream) => {
    const file = await fileOf(MODEL);
    const handler = quernIO(file, { graph: stream ? NODES : GRAPH, kernels: SIMD });
    const { weightSpecs, weightData, getWeightStream } = await handler.load();
    expect(weightSpecs.map(({ name, dtype, shape, quantization }) => [name, dtype, shape, quantization])).toEqual([
      ["F32", "float32", [30, 20], undefined],
      ["I32", "int32", [4, 3], undefined],
      ["U8", "int32", [4, 3], { dtype: "uint8", scale: 1, min: 0 }],
      ["F16", "float32", [30, 20], undefined],
      ["BF16", "float32", [30, 20], undefined],
      ["F64", "float32", [30, 20], undefined],
      ["BOOL", "bool", [4, 3], undefined],
      ["none", "float32", [0, 2], undefined],
    ]);
    const buffers = getWeightStream ? await streamed(getWeightStream()) : (weightData as ArrayBuffer[]);
    for (const [i, { name, dtype, shape, read }] of MODEL.tensors.entries()) {
      const own = await read(0, shape[0] * shape[1]);
      const expected = dtypes.includes(dtype as "F32") ? bytesOf(widen(dtype, own)) : own;
      expectSame(new Uint8Array(buffers[i]), expected, name);
    }
  });

  test("refuses dtypes that TensorFlow.js does not have, and graphs that are none", async () => {
    for (const dtype of ["I64", "I16", "I8"] as const) {
      const file = await fileOf(modelOf([noise("w", dtype, [3])]));
      await expect(quernIO(file, { graph: GRAPH }).load(), dtype).rejects.toThrow(
        /"w" is .* TensorFlow.js does not have/,
      );
    }
    const file = await fileOf(MODEL);
    for (const graph of ["[]", "{", "{} {}"].map((text) => new TextEncoder().encode(text))) {
      await expect(quernIO(file, { graph }).load()).rejects.toSatisfy(
        (error) => error instanceof FormatError || error instanceof DataError,
      );
    }
    for (const graph of [{}, { modelTopology: 7 }]) {
      await expect(quernIO(file, { graph }).load()).rejects.toThrow(/no modelTopology/);
    }
  });

  test("reads nothing before it loads, and can load again", async () => {
    const file = await fileOf(MODEL);
    let reads = 0;
    const slice = async (start: number, end: number) => {
      reads++;
      return file.subarray(start, end);
    };
    const handler = quernIO({ byteLength: file.length, slice }, { graph: GRAPH });
    expect(reads).toBe(0);
    const [once, again] = [await handler.load(), await handler.load()];
    expect(again).toEqual(once);
  });

  test("a whole model.json says which tensors are wanted", async () => {
    const file = await fileOf(MODEL);
    const weights = [
      { name: "BOOL", shape: [4, 3], dtype: "bool" },
      { name: "F16", shape: [30, 20], dtype: "float32", group: "optimizer" },
    ];
    const graph = { ...GRAPH, weightsManifest: [{ paths: ["x"], weights }] };
    const { weightSpecs, weightData } = await quernIO(file, { graph }).load();
    // In the order of the file.
    expect(weightSpecs.map(({ name, group }) => [name, group])).toEqual([
      ["F16", "optimizer"],
      ["BOOL", undefined],
    ]);
    expect(weightData?.map(({ byteLength }) => byteLength)).toEqual([2400, 12]);
  });
});

describe("createSession", () => {
  type Made = { graph: Uint8Array; options: { externalData: { path: string; data: Uint8Array }[]; other?: number } };
  const ort = {
    InferenceSession: { create: async (graph: Uint8Array, options: object) => ({ graph, options }) as Made },
  };
  const values = weights(40 * 16, 1);
  const onnxTypes = { F32: 1, F16: 10, BF16: 16, F64: 11, I64: 7, I8: 3, U8: 2, BOOL: 9 } as const;
  const INT8 = "small 0=lossless; int8 channel > auto";
  type Word = keyof typeof onnxTypes;

  /** The one external file of a model of one tensor. */
  async function dataOf(dtype: Word, bytes: Uint8Array, plan: string): Promise<Uint8Array> {
    const model = modelOf([tensorOf("w", dtype, [40, 16], bytes)]);
    const place = outside("w", [40, 16], { location: "weights.bin" });
    // Its type is the second field of what `outside` makes, behind two extents.
    place[5] = onnxTypes[dtype];
    const file = await fileOf(model, plan, modelFile({ initializers: [place] }));
    const { options } = await createSession(ort, file, { kernels: SIMD, session: { other: 3 } });
    expect(options.other).toBe(3);
    expect(options.externalData.map(({ path }) => path)).toEqual(["weights.bin"]);
    return options.externalData[0].data;
  }

  test("decodes every type losslessly to its own bytes, through removed channels too", async () => {
    for (const dtype of Object.keys(onnxTypes) as Word[]) {
      const bytes = await noise("w", dtype, [40, 16]).read(0, 640);
      const isFloat = ["F32", "F16", "BF16", "F64"].includes(dtype);
      const own = isFloat ? floatsAs(dtype, values) : bytes;
      expectSame(await dataOf(dtype, own, "lossless"), own, dtype);
      if (!isFloat) continue;
      const pruned = await dataOf(dtype, own, "small 0=lossless; prune channels 0.5 > auto");
      const kept = new Uint8Array(pruned.length);
      const row = pruned.length / 40;
      let removed = 0;
      for (let at = 0; at < own.length; at += row) {
        const zero = pruned.subarray(at, at + row).every((byte) => byte === 0);
        removed += Number(zero);
        if (!zero) kept.set(own.subarray(at, at + row), at);
      }
      expect(removed, dtype).toBe(20);
      expectSame(pruned, kept, dtype);
    }
  });

  test("decodes codes to the floats that the graph has", async () => {
    const dequantized = new Float32Array((await dataOf("F32", bytesOf(values), INT8)).buffer);
    for (const dtype of ["F16", "BF16", "F64"] as const) {
      const own = floatsAs(dtype, values);
      const data = await dataOf(dtype, own, INT8);
      expect(data.length).toBe(own.length);
      if (dtype === "F64") {
        const back = new Float64Array(data.buffer);
        expect(back.every((x, i) => x === dequantized[i])).toBe(true);
      } else expect(Buffer.from(data).equals(own)).toBe(false);
    }
    expectSame(await dataOf("F32", bytesOf(values), "small 0=lossless; q8_0"), await q8(values), "q8_0");
  });

  const q8 = async (floats: Float32Array): Promise<Uint8Array> => {
    const file = await open(await fileOf(modelOf([tensorOf("w", "F32", [40, 16], floats)]), "small 0=lossless; q8_0"));
    return bytesOf((await file.tensor("w")).data);
  };

  test("files and places are those that the graph names; a session's own files stay", async () => {
    const model = modelOf([noise("a", "F32", [8]), noise("b", "F32", [4]), noise("c", "F32", [2])]);
    const graph = modelFile({
      initializers: [
        outside("a", [8], { location: "x/one", offset: "4096" }),
        outside("c", [2], { location: "x/one", offset: "0", length: "8" }),
        outside("b", [4], { location: "two" }),
        tensor("inside", 1, [0]),
      ],
    });
    const session = { externalData: [{ path: "own", data: new Uint8Array(1) }] };
    const { options } = await createSession(ort, await fileOf(model, "lossless", graph), { session });
    expect(options.externalData.map(({ path, data }) => [path, data.length])).toEqual([
      ["x/one", 4096 + 32],
      ["two", 16],
      ["own", 1],
    ]);
    const [a, b, c] = await Promise.all(model.tensors.map(({ shape, read }) => read(0, shape[0])));
    const [one, two] = options.externalData.map(({ data }) => data);
    expectSame(one.subarray(4096), a);
    expectSame(one.subarray(0, 8), c);
    expectSame(two, b);
  });

  test("makes a session of a graph without external data", async () => {
    const graph = modelFile({ initializers: [tensor("w", 1, [0])] });
    const { graph: given, options } = await createSession(ort, await fileOf(modelOf([noise("w", "F32", [3])])), {
      graph,
    });
    expectSame(given, graph);
    expect(options.externalData).toEqual([]);
  });

  test("a graph that is damaged anywhere is refused or taken, and makes nothing large", async () => {
    const model = modelOf([noise("a", "F32", [300]), noise("b", "F32", [300])]);
    const whole = modelFile({
      initializers: [tensor("a", 1, [300], await field(model, 0)), tensor("b", 1, [300], await field(model, 1))],
    });
    const graph = bytesOf((await modelGraph(bytesSource(whole))) as Uint8Array);
    const file = await fileOf(model);
    const { options } = await createSession(ort, file, { graph });
    expect(options.externalData[0].data.length).toBe(1216 + 1200);
    await everyByteChanged(graph, graph.length, [1, 2, 4, 8, 128], async (bytes) => {
      const made = await createSession(ort, file, { graph: bytes, kernels: SIMD }).catch((error: unknown) => {
        if (error instanceof FormatError || error instanceof DataError) return null;
        throw error;
      });
      for (const { data } of made?.options.externalData ?? []) expect(data.length).toBeLessThan(200_000);
    });
  });

  const field = async ({ tensors }: Model, i: number) => {
    return lengthField(RAW, await tensors[i].read(0, 300));
  };
});

describe("progress", () => {
  const at = (fraction: number, done: number): LoadProgress => {
    const share = { done, total: 200 };
    return { fraction, stored: share, verified: share, decoded: share, tensors: share };
  };
  const names = { name: "me/model", file: "model.quern" };

  test("is told as transformers.js tells it", () => {
    const told: ProgressInfo[] = [];
    const progress = progressCallback((info) => told.push(info), names);
    for (const event of [at(0.1, 50), at(0.7, 200), at(1, 200), at(1, 200)]) progress(event);
    const step = (percent: number, loaded: number) => {
      return { status: "progress", ...names, progress: percent, loaded, total: 200 };
    };
    expect(told).toEqual([
      { status: "initiate", ...names },
      { status: "download", ...names },
      step(25, 50),
      step(100, 200),
      { status: "done", ...names },
      { status: "ready", ...names, task: "", model: "me/model" },
    ]);
  });

  test("of tensors that come in several ways is one progress, which never goes back", async () => {
    const tensors = [
      noise("a", "F32", [70_000]),
      noise("i", "I32", [5000]),
      noise("small", "I32", [50]),
      tensorOf("b", "F32", [300, 100], weights(30_000, 1)),
      noise("u", "U8", [3]),
      noise("j", "I32", [60]),
      noise("c", "F16", [4000]),
      noise("k", "I32", [70]),
    ];
    const file = await fileOf(modelOf(tensors), "b=int8 channel > auto; small 0=lossless; lossless");
    for (const graph of [GRAPH, NODES]) {
      const events: LoadProgress[] = [];
      const told: ProgressInfo[] = [];
      const tell = progressCallback((info) => told.push(info), names);
      const onProgress = (progress: LoadProgress) => {
        events.push(progress);
        tell(progress);
      };
      const { getWeightStream } = await quernIO(file, { graph, onProgress }).load();
      if (getWeightStream) await streamed(getWeightStream());
      const keys = ["stored", "verified", "decoded", "tensors"] as const;
      for (const [i, { fraction, ...shares }] of events.entries()) {
        expect(fraction === 1).toBe(i === events.length - 1);
        expect(fraction).toBeGreaterThanOrEqual(events[i - 1]?.fraction ?? 0);
        for (const key of keys) {
          expect(shares[key].done, key).toBeLessThanOrEqual(shares[key].total);
          expect(shares[key].done, key).toBeGreaterThanOrEqual(events[i - 1]?.[key].done ?? 0);
        }
      }
      const last = events[events.length - 1];
      expect(last.stored).toEqual({ done: file.length, total: file.length });
      expect(last.tensors).toEqual({ done: 8, total: 8 });
      expect(last.decoded.done).toBe(last.decoded.total);
      const words = told.map(({ status }) => status).filter((status) => status !== "progress");
      expect(words).toEqual(["initiate", "download", "done", "ready"]);
    }
  });
});

describe("a budget", () => {
  test("counts the decoded weights that are held at once, before they are read", async () => {
    const model = modelOf([noise("w", "F32", [300_000]), noise("i", "I32", [1000])]);
    const file = await fileOf(model);
    const peak = (await open(file)).totals.peak;
    const needs = peak + 1_204_000;
    const load = (budget: number) => quernIO(file, { graph: GRAPH, budget }).load();
    expect((await load(needs)).weightData).toHaveLength(2);
    await expect(load(needs - 1)).rejects.toMatchObject({ name: "LoadError", code: "budget" });
    // One after the other, only the largest is held.
    const { getWeightStream } = await quernIO(file, { graph: NODES, budget: needs - 1 }).load();
    expect(await streamed(getWeightStream?.() as ReadableStream<ArrayBuffer>)).toHaveLength(2);
    const graph = modelFile({ initializers: [outside("w", [300_000], { location: "w" })] });
    const ort = { InferenceSession: { create: async () => 1 } };
    expect(await createSession(ort, file, { graph, budget: peak + 1_200_000 })).toBe(1);
    const refused = createSession(ort, file, { graph, budget: peak + 1_199_999 });
    await expect(refused).rejects.toMatchObject({ name: "LoadError", code: "budget" });
  });
});
