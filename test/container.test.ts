import { describe, expect, test, vi } from "vitest";
import { type Model, open, pack, parsePlan, verify } from "../src/index.ts";
import { narrow } from "../src/tensor.ts";
import {
  BOTH,
  contentOf,
  counting,
  DTYPES,
  FLOATS,
  floatsAs,
  modelOf,
  noise,
  packed,
  readAll,
  SCALAR,
  SIMD,
  tensorOf,
} from "./files.ts";
import { bytesOf, expectSame, weights } from "./helpers.ts";
import { quantizedTwin } from "./twin.ts";

const CHANNEL = { bits: 8, asymmetric: false } as const;
const WEIGHTS = weights(16 * 70, 1);

function mixed(): Model {
  const tensors = [
    tensorOf("conv.weight", "F32", [16, 70], WEIGHTS),
    noise("conv.bias", "F32", [16]),
    tensorOf("dense", "F16", [32, 64], floatsAs("F16", weights(2048, 2))),
    noise("steps", "I64", []),
    noise("none", "U8", [0, 4]),
  ];
  return modelOf(tensors, { task: "test", note: "\u00fc" });
}

const PLAN = "int8 channel > auto";

describe("packing and reading", () => {
  test("gives back every tensor as the plan says", async () => {
    const { bytes, report } = await packed(mixed(), PLAN);
    for (const kernels of BOTH) {
      const file = await open(bytes, { kernels });
      expect([file.tier, file.plan, file.metadata]).toEqual([kernels.tier, report.plan, mixed().metadata]);
      expect(file.sha256).toBe(report.sha256);
      const expected = quantizedTwin(WEIGHTS, 70, CHANNEL);
      const { data, ...head } = await file.tensor("conv.weight");
      expect(head).toEqual({ name: "conv.weight", dtype: "F32", shape: [16, 70] });
      expectSame(data, expected.back);
      const stored = await file.tensor("conv.weight", { as: "stored" });
      expectSame(stored.bytes, expected.codes);
      expectSame(stored.quantization?.scales ?? new Float32Array(0), expected.scales);
      expect({ ...stored.quantization, scales: 0 }).toEqual({
        bits: 8,
        cols: 70,
        scales: 0,
        zeroPoints: null,
        minima: null,
      });
      expect(stored).toMatchObject({ dtype: "F32", shape: [16, 70], plan: "int8 channel > auto" });
      expect((await file.tensor("conv.bias", { as: "stored" })).quantization).toBeNull();
    }
  });

  test("the index and the report agree with each other and with the file", async () => {
    const { bytes, report } = await packed(mixed(), PLAN);
    const file = await open(bytes);
    for (const [i, entry] of file.index.entries()) {
      const { sourceBytes, sparsity, ...reported } = report.tensors[i];
      const { firstChunk, chunks, ...indexed } = entry;
      expect(indexed).toEqual(reported);
      expect(chunks).toBe(Object.values(entry.codes).reduce((sum, count) => sum + count, 0));
      expect(firstChunk).toBe(file.index.slice(0, i).reduce((sum, before) => sum + before.chunks, 0));
      expect(sourceBytes).toBeGreaterThanOrEqual(0);
      expect(sparsity).toBeGreaterThanOrEqual(0);
    }
    const stored = file.index.reduce((sum, entry) => sum + entry.storedBytes, 0);
    expect(file.totals).toMatchObject({ file: bytes.length, header: report.headerBytes, chunks: 4 });
    expect(report.headerBytes + stored).toBe(bytes.length);
    expect(report.sourceBytes).toBe(4 * 16 * 70 + 4 * 16 + 2 * 2048 + 8);
    expect(file.totals.decoded).toBe(file.index.reduce((sum, entry) => sum + entry.decodedBytes, 0));
  });

  test("the same input gives the same bytes on both tiers, again and again, in parallel", async () => {
    const first = await packed(mixed(), PLAN);
    const others = [SIMD, SCALAR, SIMD, SCALAR].map((kernels) => packed(mixed(), PLAN, { kernels }));
    for (const { bytes } of await Promise.all(others)) expectSame(bytes, first.bytes);
    const parsed = await packed(mixed(), parsePlan(PLAN));
    expectSame(parsed.bytes, first.bytes);
  });

  test("an engine without WebCrypto writes and verifies the same", async () => {
    const { bytes } = await packed(mixed(), PLAN);
    vi.stubGlobal("crypto", undefined);
    try {
      expectSame((await packed(mixed(), PLAN)).bytes, bytes);
      expect((await verify(await open(bytes))).bytes).toBe(bytes.length);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test.each(["raw", "lossless", "huffman", "zrl 64"])("%s keeps every bit of every dtype", async (plan) => {
    const tensors = DTYPES.flatMap((dtype, i) => [
      noise(`${dtype} a`, dtype, [50, 7], i),
      noise(`${dtype} b`, dtype, [], i),
      noise(`${dtype} c`, dtype, [3, 0], i),
    ]);
    const { bytes } = await packed(modelOf(tensors, {}), plan);
    for (const as of ["original", "f32"] as const) {
      expect(await contentOf((await open(bytes)).model(as))).toEqual(await contentOf(modelOf(tensors, {})));
    }
  });

  test("model gives quantized tensors back in their dtype, rounded, or as f32", async () => {
    for (const dtype of FLOATS) {
      const tensor = tensorOf("w", dtype, [16, 70], floatsAs(dtype, WEIGHTS));
      const file = await open((await packed(modelOf([tensor]), "small 0=raw; int4 group 32")).bytes);
      const { data } = await file.tensor("w");
      const [original] = (await contentOf(file.model())).tensors;
      expect(original).toMatchObject({ dtype, bytes: Buffer.from(bytesOf(narrow(dtype, data))).toString("hex") });
      const [single] = (await contentOf(file.model("f32"))).tensors;
      expect(single).toMatchObject({ dtype: "F32", bytes: Buffer.from(bytesOf(data)).toString("hex") });
    }
  });

  test("into fills the array it is given, and no other size is taken", async () => {
    const file = await open((await packed(mixed(), PLAN)).bytes);
    const all = new Float32Array(1300).fill(7);
    const into = all.subarray(100, 100 + 1120);
    const { data } = await file.tensor("conv.weight", { into });
    expect(data).toBe(into);
    expectSame(into, quantizedTwin(WEIGHTS, 70, CHANNEL).back);
    expect([all[99], all[1220]]).toEqual([7, 7]);
    await expect(file.tensor("conv.weight", { into: new Float32Array(3) })).rejects.toThrow(/"into" expected 1120/);
    await expect(file.tensor("conv")).rejects.toThrow(/"name" expected a tensor of the file, got "conv"/);
  });

  test("stream gives all tensors, or those asked for, in the order of the file", async () => {
    const file = await open((await packed(mixed(), PLAN)).bytes);
    const names = async (options?: { names: string[] }) => {
      const seen: string[] = [];
      for await (const { name, data } of file.stream(options)) {
        expectSame(data, (await file.tensor(name)).data, name);
        seen.push(name);
      }
      return seen;
    };
    expect(await names()).toEqual(mixed().tensors.map(({ name }) => name));
    expect(await names({ names: ["steps", "conv.weight", "steps"] })).toEqual(["conv.weight", "steps"]);
    await expect(names({ names: ["steps", "missing"] })).rejects.toThrow(/"missing"/);
    for await (const tensor of file.stream({ as: "stored" })) {
      expect(tensor).toEqual(await file.tensor(tensor.name, { as: "stored" }));
    }
  });

  test("many loads at a time do not disturb each other", async () => {
    const file = await open((await packed(mixed(), PLAN)).bytes, { kernels: SIMD });
    const alone = new Map<string, Float32Array>();
    for await (const { name, data } of file.stream()) alone.set(name, data);
    const loads = Array.from({ length: 40 }, (_, i) => file.tensor(file.index[i % file.index.length].name));
    for (const { name, data } of await Promise.all(loads)) expectSame(data, alone.get(name) ?? data, name);
    await Promise.all([packed(mixed(), "int4", { kernels: SIMD }), ...file.index.map((_, i) => file.check(i % 4))]);
  });

  test("takes bytes, buffers, blobs and sources, and nothing else", async () => {
    const { bytes } = await packed(mixed(), PLAN);
    const shifted = Buffer.concat([Buffer.alloc(3), bytes]).subarray(3);
    const expected = await readAll(bytes, SIMD);
    for (const input of [bytes, bytes.buffer, shifted, new Blob([bytes]), counting(bytes)]) {
      const file = await open(input);
      expect((await verify(file)).sha256).toBe(file.sha256);
      expect(file.totals.file).toBe(bytes.length);
    }
    expect(await readAll(shifted, SCALAR)).toBe(expected);
    for (const input of [null, 7, {}, { byteLength: 3 }]) {
      await expect(open(input as never)).rejects.toThrow(/"input" expected a URL, Response, stream, Blob, bytes/);
    }
    await expect(open("model.quern")).rejects.toThrow(/"url" expected an address .* fileSource/);
  });
});

describe("what is read", () => {
  const long = tensorOf("long", "F32", [1, 600_001], weights(600_001, 3));
  const model = modelOf([noise("a", "F32", [100]), long, noise("z", "U8", [50])]);

  test("open reads the header, tensor only the ranges of its chunks", async () => {
    const { bytes, report } = await packed(model, PLAN);
    const source = counting(bytes);
    const file = await open(source);
    expect(Math.max(...source.ranges.map(([, end]) => end))).toBe(report.headerBytes);
    let at = report.headerBytes;
    for (const { name, storedBytes, chunks } of file.index) {
      source.ranges.length = 0;
      await file.tensor(name);
      expect(source.ranges).toHaveLength(chunks);
      expect([source.ranges[0][0], source.ranges.at(-1)?.[1]]).toEqual([at, at + storedBytes]);
      at += storedBytes;
    }
    expect(file.index[1].chunks).toBe(3);
  });

  test("a lazy tensor reads the chunks of its range, and each once when read in order", async () => {
    const { bytes } = await packed(model, PLAN);
    const source = counting(bytes);
    const file = await open(source);
    const [, lazy] = file.model("f32").tensors;
    const { data } = await file.tensor("long");
    source.ranges.length = 0;
    expectSame(await lazy.read(300_000, 300_010), bytesOf(data.subarray(300_000, 300_010)));
    expect(source.ranges).toHaveLength(1);
    source.ranges.length = 0;
    for (let at = 0; at < 600_001; at += 70_000) {
      const end = Math.min(at + 70_000, 600_001);
      expectSame(await lazy.read(at, end), bytesOf(data.subarray(at, end)), `${at}`);
    }
    expect(source.ranges).toHaveLength(3);
  });

  test("verify reads every byte once and says how far it is", async () => {
    const { bytes } = await packed(model, PLAN);
    const source = counting(bytes);
    const file = await open(source);
    const steps: { done: number; total: number }[] = [];
    const report = await verify(file, { onProgress: (step) => steps.push(step) });
    expect(report).toEqual({ chunks: 5, bytes: bytes.length, sha256: file.sha256 });
    expect(steps.at(-1)).toEqual({ done: bytes.length, total: bytes.length });
    expect(steps).toHaveLength(5);
    expect(source.ranges.reduce((sum, [start, end]) => sum + end - start, 0)).toBe(bytes.length);
  });

  test("check knows the chunks of the file only", async () => {
    const file = await open((await packed(model, PLAN)).bytes);
    for (const index of [-1, 5, Number.NaN, 0.5]) {
      await expect(file.check(index), `${index}`).rejects.toThrow(/"index" expected a chunk of the file/);
    }
  });
});

describe("extremes", () => {
  test("a model without tensors", async () => {
    for (const metadata of [null, {}, { a: "b" }]) {
      const { bytes, report } = await packed(modelOf([], metadata), PLAN);
      const file = await open(bytes);
      expect(file.index).toEqual([]);
      expect(file.metadata).toEqual(metadata);
      expect(report.fileBytes).toBe(bytes.length);
      expect(await verify(file)).toMatchObject({ chunks: 0, bytes: bytes.length });
    }
  });

  test("a model of 300 small tensors", async () => {
    const tensors = Array.from({ length: 300 }, (_, i) => noise(`t${i}`, DTYPES[i % 10], [i % 7, 3], i));
    const { bytes } = await packed(modelOf(tensors), "lossless");
    const file = await open(bytes);
    expect(await contentOf(file.model())).toEqual(await contentOf(modelOf(tensors)));
    // One for each dtype: all of a dtype share it.
    expect((await verify(file)).chunks).toBe(10);
  });

  test("names and metadata of any characters", async () => {
    const names = [
      "",
      "__proto__",
      "constructor",
      "toString",
      "7",
      "\u00e9\u{1f600}",
      "\ud800",
      '"\\',
      "\n\u0000\u007f",
      "a;b=c",
    ];
    const tensors = names.map((name, i) => noise(name, "U8", [i + 1], i));
    const metadata = Object.fromEntries(names.map((name) => [name, name]));
    const file = await open((await packed(modelOf(tensors, metadata), "lossless")).bytes);
    expect(file.index.map(({ name }) => name)).toEqual(names);
    expect(Object.entries(file.metadata ?? {}).sort()).toEqual(Object.entries(metadata).sort());
    for (const [i, name] of names.entries()) {
      expectSame((await file.tensor(name, { as: "stored" })).bytes, await tensors[i].read(0, i + 1), name);
    }
  });

  test("what the format cannot hold is refused before anything is written", async () => {
    const touched = {
      write: async () => expect.unreachable("written"),
      close: async () => expect.unreachable("closed"),
    };
    const refused = (model: Model) => pack(model, "raw", touched, { kernels: SIMD });
    await expect(refused(modelOf([noise("a", "U8", [1]), noise("a", "U8", [2])]))).rejects.toThrow(/unique names/);
    await expect(refused(modelOf([noise("a", "U8", new Array(17).fill(1))]))).rejects.toThrow(/"a".*16|16.*"a"/);
    await expect(refused(modelOf([noise("a".repeat(4096), "U8", [1])]))).rejects.toThrow(/"name".*4095/);
    await expect(refused(modelOf([noise("a", "U8", [1])], { a: 1 } as never))).rejects.toThrow(/metadata/);
    const none = { tensors: [] } as unknown as Model;
    await expect(refused(none)).rejects.toThrow(/metadata/);
    const bad = [{ steps: [{ op: "quantize", bits: 8, per: "group", group: 3, asymmetric: false }] }] as never;
    await expect(pack(mixed(), bad, touched)).rejects.toThrow(Error);
  });
});
