import { describe, expect, test } from "vitest";
import { lazyTensor, memorySink, readSafetensors, writeSafetensors } from "../src/index.ts";
import { contentOf, counting, DTYPES, elementBytes, modelOf, noise, tensorOf } from "./files.ts";
import { expectSame, randomBytes } from "./helpers.ts";
import { FOUR, fileOf, header, read, written } from "./safetensors.files.ts";

describe("reading", () => {
  test("finds what a file made by hand holds", async () => {
    const text =
      '{"__metadata__":{"format":"pt","note":"\\u00e9\\ud83d\\ude00"},' +
      '"second":{"dtype":"F32","shape":[2,1],"data_offsets":[2,10]},' +
      '"first":{"dtype":"I8","shape":[2],"data_offsets":[0,2]},' +
      '"s":{"shape":[],"data_offsets":[10,18],"dtype":"I64"}}   ';
    const data = Uint8Array.of(255, 127, 0, 0, 128, 63, 0, 0, 0, 192, 1, 0, 0, 0, 0, 0, 0, 128);
    expect(await contentOf(await read(fileOf(text, data)))).toEqual({
      metadata: { format: "pt", note: "é😀" },
      tensors: [
        { name: "first", dtype: "I8", shape: [2], bytes: "ff7f" },
        { name: "second", dtype: "F32", shape: [2, 1], bytes: "0000803f000000c0" },
        { name: "s", dtype: "I64", shape: [], bytes: "0100000000000080" },
      ],
    });
  });

  test("takes an empty file, with and without metadata", async () => {
    expect(await contentOf(await read(fileOf("{}")))).toEqual({ metadata: null, tensors: [] });
    expect(await contentOf(await read(fileOf('{"__metadata__":{}}')))).toEqual({ metadata: {}, tensors: [] });
  });

  test("reads names from the header alone, and of a tensor only its range", async () => {
    const bytes = await written(modelOf([noise("a", "F32", [100]), noise("b", "U8", [30]), noise("c", "F64", [2, 3])]));
    const source = counting(bytes);
    const model = await readSafetensors(source);
    const start = 8 + new DataView(bytes.buffer).getUint32(0, true);
    expect(source.ranges).toEqual([
      [0, 8],
      [8, start],
    ]);
    source.ranges.length = 0;
    await elementBytes(model.tensors[1]);
    await model.tensors[2].read(2, 4);
    expect(source.ranges).toEqual([
      [start + 400, start + 430],
      [start + 446, start + 462],
    ]);
  });

  test("takes thousands of dimensions without thinking long about them", async () => {
    const shape = new Array(40_000).fill(1);
    const [tensor] = (await read(fileOf(header({ shape }), FOUR))).tensors;
    expect(tensor.shape).toHaveLength(40_000);
  });

  test("gives a source that tells too little no chance to pass for zeros", async () => {
    const bytes = fileOf(header({}), FOUR);
    const short = { byteLength: bytes.length, slice: async (a: number, b: number) => bytes.slice(a, Math.min(b, 60)) };
    await expect(readSafetensors(short)).rejects.toThrow(/source gave/);
  });
});

const ODD_NAMES = [
  "",
  " ",
  "\u00e9\u{1f600}",
  '"\\',
  "\n\u0000\u007f\u2028",
  "__proto__",
  "constructor",
  "7",
  "a:b{}[],",
];

describe("writing", () => {
  test("round trips every dtype, a scalar and empty tensors, byte for byte", async () => {
    const tensors = DTYPES.flatMap((dtype) => [
      noise(`${dtype} matrix`, dtype, [3, 5]),
      noise(`${dtype} scalar`, dtype, []),
      noise(`${dtype} empty`, dtype, [4, 0, 2]),
    ]);
    const model = modelOf(tensors, { "": "empty key", b: "" });
    const bytes = await written(model);
    const again = await read(bytes);
    expect(await contentOf(again)).toEqual(await contentOf(model));
    expectSame(await written(again), bytes);
  });

  test("keeps odd names and metadata, and order by place", async () => {
    const tensors = ODD_NAMES.map((name, i) => noise(name, "U8", [i + 1], i));
    const metadata = Object.fromEntries(ODD_NAMES.map((name) => [name, name]));
    const bytes = await written(modelOf(tensors, metadata));
    const again = await read(bytes);
    expect(again.tensors.map(({ name }) => name)).toEqual(ODD_NAMES);
    expect(Object.entries(again.metadata ?? {}).sort()).toEqual(Object.entries(metadata).sort());
    expect(await contentOf(modelOf(again.tensors))).toEqual(await contentOf(modelOf(tensors)));
    expectSame(await written(again), bytes);
  });

  test("pads its header, as the format asks for, and writes large tensors in pieces", async () => {
    const large = tensorOf("large", "U8", [2_500_000], randomBytes(2_500_000, 1));
    const bytes = await written(modelOf([large, noise("after", "F32", [7])]));
    const length = new DataView(bytes.buffer).getUint32(0, true);
    expect(length % 8).toBe(0);
    const text = Buffer.from(bytes.subarray(8, 8 + length)).toString();
    expect(JSON.parse(text)).toEqual({
      large: { dtype: "U8", shape: [2_500_000], data_offsets: [0, 2_500_000] },
      after: { dtype: "F32", shape: [7], data_offsets: [2_500_000, 2_500_028] },
    });
    expectSame(bytes.subarray(8 + length, 8 + length + 2_500_000), await elementBytes(large));
  });

  test("tells how far it is, and stops when asked to", async () => {
    const model = modelOf([noise("a", "U8", [1_500_000]), noise("b", "U8", [10])]);
    const steps: { done: number; total: number }[] = [];
    const sink = memorySink();
    const total = await writeSafetensors(model, sink, { onProgress: (step) => steps.push(step) });
    expect(steps).toHaveLength(3);
    expect(steps.at(-1)).toEqual({ done: total, total });
    const controller = new AbortController();
    const stop = () => controller.abort(new Error("enough"));
    const stopped = writeSafetensors(model, memorySink(), { onProgress: stop, signal: controller.signal });
    await expect(stopped).rejects.toThrow("enough");
  });

  test("refuses a model that the format cannot hold", async () => {
    await expect(written(modelOf([noise("a", "U8", [1]), noise("a", "U8", [1])]))).rejects.toThrow(/"a"/);
    await expect(written(modelOf([noise("__metadata__", "U8", [1])]))).rejects.toThrow(/__metadata__/);
    await expect(written(modelOf([noise("__metadata__", "U8", [1])], { a: "b" }))).rejects.toThrow(/__metadata__/);
  });

  test("refuses elements that are fewer than the shape says", async () => {
    const short = { name: "a", dtype: "U8", shape: [9], read: async () => new Uint8Array(5) } as const;
    await expect(written(modelOf([short]))).rejects.toThrow(/a/);
    expect(() => lazyTensor({ name: "a", dtype: "F32", shape: [3], bytes: new Uint8Array(11) })).toThrow(RangeError);
  });
});
