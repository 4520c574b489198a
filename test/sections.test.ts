import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { costsOf } from "../src/cli/verbose.ts";
import { type DType, diffModels, type Model, open, verify } from "../src/index.ts";
import { nodeWorkers } from "../src/node.ts";
import { toFloat32 } from "../src/tensor.ts";
import {
  BOTH,
  contentOf,
  counting,
  DECODERS,
  DTYPES,
  elementBytes,
  modelOf,
  noise,
  packed,
  partsOf,
  SIMD,
  tensorOf,
} from "./files.ts";
import { expectSame, weights } from "./helpers.ts";

// Small tensors that are stored alike share a chunk; nobody who reads them has to know.

const workers = await nodeWorkers(2, { file: new URL("./worker/source.mjs", import.meta.url) });
afterAll(() => workers.close());

/** What the JSON part says of sections and of the tensors in them. */
function headerOf(file: Uint8Array): {
  sections: [DType, string, number][];
  tensors: [number, string, number[], number][];
} {
  return JSON.parse(partsOf(file).json);
}

/** Blocks as a network has them: two large tensors, of which one is quantized, and small ones of two dtypes. */
function network(blocks: number): Model {
  const tensors = Array.from({ length: blocks }, (_, i) => [
    tensorOf(`block${i}.conv.weight`, "F32", [40, 30], weights(1200, i)),
    noise(`block${i}.bn.weight`, "F32", [40], 4 * i),
    noise(`block${i}.bn.bias`, "F32", [40], 4 * i + 1),
    noise(`block${i}.bn.batches`, "I64", [], 4 * i + 2),
    noise(`block${i}.table`, "U8", [3, 500], 4 * i + 3),
  ]);
  return modelOf(tensors.flat());
}

const PLAN = "int8 channel > auto";

describe("what the writer puts together", () => {
  test("tensors of the same dtype and plan, in sections numbered by their first", async () => {
    const { bytes } = await packed(network(3), PLAN);
    const { sections, tensors } = headerOf(bytes);
    expect(sections.map(([dtype, plan]) => `${dtype} ${plan}`)).toEqual([
      "F32 int8 channel > auto",
      "F32 lossless",
      "I64 lossless",
      "U8 lossless",
      "F32 int8 channel > auto",
      "U8 lossless",
      "F32 int8 channel > auto",
      "U8 lossless",
    ]);
    expect([sections[1][2], sections[2][2]]).toEqual([240, 3]);
    expect(tensors.map(([, , , section]) => section)).toEqual([0, 1, 1, 2, 3, 4, 1, 1, 2, 5, 6, 1, 1, 2, 7]);
    expect(tensors.slice(0, 5).map(([kept, rest]) => [kept, rest])).toEqual([
      [0, "block0.conv.weight"],
      [7, "bn.weight"],
      [10, "bias"],
      [11, "atches"],
      [7, "table"],
    ]);
  });

  test.each<[string, number, number]>([
    ["raw", 1023, 1],
    ["raw", 1024, 2],
    ["lossless", 1023, 1],
    ["lossless", 1024, 2],
    ["smallest", 1023, 1],
    ["auto 8", 10, 2],
    ["auto kernel", 10, 2],
    ["huffman", 10, 2],
    ["zrl", 10, 2],
    ["small 0=raw; int8 > raw", 10, 2],
    ["small 0=raw; prune 0.5 > raw", 10, 2],
  ])("%s, %d elements: two tensors in %d sections", async (plan, n, sections) => {
    const model = modelOf([tensorOf("a", "F32", [1, n], weights(n, 1)), tensorOf("b", "F32", [n, 1], weights(n, 2))]);
    const { bytes } = await packed(model, plan);
    expect(headerOf(bytes).sections).toHaveLength(sections);
    const file = await open(bytes);
    expect(file.totals.chunks).toBe(sections);
    expect((await diffModels(file.model(), model)).total.identical).toBe(!/int8|prune/.test(plan));
  });

  test("tensors without elements stand alone", async () => {
    const { bytes } = await packed(
      modelOf([noise("a", "U8", [0]), noise("b", "U8", [1]), noise("c", "U8", [2, 0])]),
      "raw",
    );
    expect(headerOf(bytes).sections.map(([, , chunk]) => chunk > 1)).toEqual([true, true, true]);
    expect((await open(bytes)).index.map(({ chunks }) => chunks)).toEqual([0, 1, 0]);
  });

  test("up to 64 KiB, to the byte", async () => {
    for (const [dtype, full] of [
      ["U8", 65536],
      ["F64", 8192],
    ] as const) {
      for (const last of [0, 1]) {
        const sizes = [...new Array(full / 512).fill(512), ...new Array(last).fill(1)];
        const model = modelOf(sizes.map((n, i) => noise(`t${i}`, dtype, [n], i)));
        const { bytes } = await packed(model, "raw");
        const { sections } = headerOf(bytes);
        expect(sections.map(([, , chunk]) => chunk).slice(0, 1)).toEqual([full]);
        expect(sections).toHaveLength(1 + last);
        expect(await contentOf((await open(bytes)).model())).toEqual(await contentOf(model));
      }
    }
  });

  test("the header has less than 25 bytes for a tensor that shares a chunk, 90 for another", async () => {
    const { report } = await packed(network(40), PLAN);
    expect(report.headerBytes).toBeLessThan(25 * 120 + 90 * 80);
  });

  test("an error of a source names its tensor, the progress all that share", async () => {
    const bad = { ...noise("short", "F32", [4]), read: async () => new Uint8Array(3) };
    await expect(packed(modelOf([noise("a", "F32", [2]), bad]), "raw")).rejects.toThrow(/tensor "short": 3 bytes/);
    const seen: unknown[] = [];
    await packed(network(2), PLAN, { onProgress: (progress) => seen.push(progress) });
    expect(seen.slice(0, 3)).toEqual([
      { phase: "packing", tensor: "block0.conv.weight", done: 4800, total: 2 * (4800 + 328 + 1500) },
      { phase: "packing", tensor: "block0.bn.weight and 3 more", done: 4800 + 640, total: 13_256 },
      { phase: "packing", tensor: "block0.bn.batches and 1 more", done: 4800 + 656, total: 13_256 },
    ]);
  });
});

describe("reading", () => {
  const reads = (source: ReturnType<typeof counting>) => source.ranges.splice(0).map(([start]) => start);

  test.each([undefined, workers])("neighbours in turn decode what they share once, threads or not", async (pool) => {
    const model = network(6);
    const { bytes } = await packed(model, PLAN);
    const source = counting(bytes);
    const chunks = (await open(bytes)).totals.chunks;
    for (const as of ["f32", "stored"] as const) {
      const file = await open(source, { workers: pool });
      reads(source);
      let i = 0;
      for await (const { name, shape } of file.stream({ as } as { as: "f32" })) {
        expect([name, shape]).toEqual([model.tensors[i].name, model.tensors[i++].shape]);
      }
      expect(i).toBe(30);
      expect(reads(source)).toHaveLength(chunks);
      for (const { name } of file.index) await file.tensor(name, { as } as { as: "f32" });
      // Those that are shared are still there.
      expect(reads(source)).toHaveLength(chunks - 2);
    }
    const file = await open(source, { workers: pool });
    reads(source);
    const { total } = await diffModels(file.model(), (await open(bytes)).model());
    expect(total.identical).toBe(true);
    expect(reads(source)).toHaveLength(chunks);
  });

  test("gives elements of their own, into what it is given too", async () => {
    const model = network(2);
    const { bytes } = await packed(model, "raw");
    for (const kernels of DECODERS) {
      const file = await open(bytes, { kernels });
      const name = "block1.bn.bias";
      const original = await elementBytes(model.tensors[7]);
      const into = new Float32Array(40);
      expect((await file.tensor(name, { into })).data).toBe(into);
      expectSame(into, toFloat32("F32", original));
      const stored = await file.tensor(name, { as: "stored" });
      expectSame(stored.bytes, original);
      expect(stored).toMatchObject({ dtype: "F32", shape: [40], plan: "raw", quantization: null });
      expect(stored.bytes.buffer.byteLength).toBe(160);
      const { data } = await file.tensor(name);
      for (const mine of [stored.bytes, data, into]) mine.fill(0);
      const lazy = file.model().tensors[7];
      (await lazy.read(0, 40)).fill(0);
      expectSame(await elementBytes(lazy), original);
      expectSame((await file.tensor(name)).data, toFloat32("F32", original));
      await expect(file.tensor(name, { into: new Float32Array(80) })).rejects.toThrow(/"into" expected 40/);
      expectSame(await lazy.read(3, 5), original.subarray(12, 20));
    }
  });

  test("what is kept is not much, whatever takes turns", async () => {
    const tensors = [0, 1].flatMap((k) => DTYPES.map((dtype) => noise(`${dtype} ${k}`, dtype, [9])));
    const { bytes } = await packed(modelOf(tensors), "lossless");
    const source = counting(bytes);
    const file = await open(source);
    reads(source);
    for await (const { data } of file.stream()) expect(data).toHaveLength(9);
    // Ten chunks in turn, of which four are kept.
    expect(reads(source)).toHaveLength(20);
    for await (const { data } of file.stream({ names: tensors.slice(16).map(({ name }) => name) }))
      expect(data).toHaveLength(9);
    expect(reads(source)).toHaveLength(0);
  });

  test("a source that fails once is asked again; a signal stops one caller, not the others", async () => {
    const { bytes } = await packed(network(1), PLAN);
    let failures = 1;
    const slice = async (start: number, end: number) => {
      if (start > 1000 && failures-- > 0) throw new Error("no network");
      return bytes.slice(start, end);
    };
    const file = await open({ byteLength: bytes.length, slice });
    const [, weight, bias] = file.index;
    await expect(file.tensor(weight.name)).rejects.toThrow("no network");
    const controller = new AbortController();
    const stopped = file.tensor(weight.name, { signal: controller.signal });
    const other = file.tensor(bias.name);
    controller.abort(new Error("enough"));
    await expect(stopped).rejects.toThrow("enough");
    expect((await other).data).toHaveLength(40);
    expect((await file.tensor(weight.name)).data).toHaveLength(40);
  });

  test("damage is refused for every tensor that shares it, and for no other", async () => {
    const { bytes } = await packed(network(2), PLAN);
    const index = (await open(bytes)).index;
    const chunk = partsOf(bytes).chunks;
    const start = bytes.length - chunk.slice(1).reduce((sum, part) => sum + part.bytes.length, 0);
    bytes[start + 50] ^= 1;
    for (const pool of [undefined, workers]) {
      const file = await open(bytes, { workers: pool });
      for (const { name, firstChunk } of index) {
        const loads = [file.tensor(name), file.tensor(name, { as: "stored" as const })];
        for (const load of loads) {
          if (firstChunk !== 1) expect(await load).toBeDefined();
          else await expect(load).rejects.toThrow(/chunk 0 of tensor "block0.bn.weight and 3 more".*XXH64/);
        }
      }
      await expect(verify(file)).rejects.toThrow(/XXH64/);
    }
  });

  test("index and report are in the order of the model and add up", async () => {
    const model = network(5);
    const { bytes, report } = await packed(model, PLAN);
    const file = await open(bytes);
    expect(file.index.map(({ name }) => name)).toEqual(model.tensors.map(({ name }) => name));
    expect(report.tensors.map(({ storedBytes, decodedBytes }) => [storedBytes, decodedBytes])).toEqual(
      file.index.map(({ storedBytes, decodedBytes }) => [storedBytes, decodedBytes]),
    );
    const sum = (of: "storedBytes" | "decodedBytes") => file.index.reduce((all, entry) => all + entry[of], 0);
    expect(sum("storedBytes")).toBe(bytes.length - file.totals.header);
    expect(sum("decodedBytes")).toBe(file.totals.decoded);
    for (const { chunks, elements, decodedBytes, name } of file.index) {
      expect(chunks).toBe(1);
      if (/bn\.(weight|bias)/.test(name)) expect(decodedBytes).toBe(4 * elements);
    }
    expect(report.fileBytes).toBe(bytes.length);
  });

  test("inspect --verbose tells of a chunk once", async () => {
    const { bytes } = await packed(network(3), PLAN);
    const file = await open(bytes, { kernels: SIMD });
    const { streams } = await costsOf(file, new AbortController().signal, () => {});
    const names = [...new Set(streams.map(({ tensor }) => tensor))];
    expect(names.slice(0, 4)).toEqual([
      "block0.conv.weight",
      "block0.bn.weight and 5 more",
      "block0.bn.batches and 2 more",
      "block0.table",
    ]);
    expect(streams.reduce((sum, { stored }) => sum + stored, 0)).toBe(bytes.length - file.totals.header);
  });
});

/** Names that begin alike, of any characters, halves of pairs too. */
const name = fc
  .tuple(
    fc.constantFrom(
      "",
      "a",
      "layer.",
      "layer.1.",
      "\u{1f600}",
      "\u{1f601}",
      "\ud83d",
      "gr\u00fc\u00df",
      '"\\',
      "__proto__",
    ),
    fc.string({ maxLength: 4, unit: "binary" }),
  )
  .map((parts) => parts.join(""));
const tensor = fc.record({
  name,
  dtype: fc.constantFrom(...DTYPES),
  shape: fc.oneof(
    { weight: 6, arbitrary: fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 4 }) },
    { weight: 1, arbitrary: fc.constantFrom([0], [3, 0], [1023], [1024], [700, 3]) },
  ),
  seed: fc.nat(1000),
});

test("any model of small tensors comes back, whatever reads it", async () => {
  const models = fc.uniqueArray(tensor, { maxLength: 40, selector: (each) => each.name });
  const plans = fc.constantFrom("raw", "lossless", "smallest", "*a*=raw; lossless", "layer*=huffman; raw");
  await fc.assert(
    fc.asyncProperty(models, plans, fc.boolean(), async (infos, plan, threads) => {
      const model = modelOf(infos.map((info) => noise(info.name, info.dtype, info.shape, info.seed)));
      const pool = threads ? workers : undefined;
      const { bytes, report } = await packed(model, plan, { workers: pool });
      expectSame((await packed(model, plan, { kernels: BOTH[1] })).bytes, bytes);
      const file = await open(bytes, { workers: pool });
      const expected = await contentOf(model);
      expect(await contentOf(file.model())).toEqual(expected);
      expect((await diffModels(file.model(), model)).total.identical).toBe(true);
      expect(file.index.map((entry) => entry.name)).toEqual(infos.map((info) => info.name));
      expect(report.fileBytes).toBe(bytes.length);
      expect(file.index.reduce((sum, entry) => sum + entry.storedBytes, file.totals.header)).toBe(bytes.length);
      const all = [];
      for await (const stored of file.stream({ as: "stored" })) all.push(Buffer.from(stored.bytes).toString("hex"));
      expect(all).toEqual(expected.tensors.map((each) => each.bytes));
      for (const each of [...model.tensors].reverse()) {
        expectSame((await file.tensor(each.name)).data, toFloat32(each.dtype, await elementBytes(each)));
      }
      await verify(file);
      const again = await packed(file.model(), plan);
      expectSame(again.bytes, bytes);
    }),
    { numRuns: 60 },
  );
}, 60_000);
