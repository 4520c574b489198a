import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  bytesSource,
  DataError,
  diffModels,
  lazyTensor,
  memorySink,
  readSafetensors,
  readTfjs,
  writeTfjs,
} from "../src/index.ts";
import { fileFolder } from "../src/node.ts";
import { contentOf, counting, elementBytes, modelOf, noise, tensorOf } from "./files.ts";
import { bytesOf, expectSame, randomBytes } from "./helpers.ts";
import { concat, jsonOf, read, written } from "./tfjs.files.ts";

const floats = (...values: number[]) => bytesOf(Float32Array.from(values));

describe("reading", () => {
  test("finds weights of every dtype, one behind the other", async () => {
    const weights = [
      { name: "f", shape: [2], dtype: "float32" },
      { name: "i", shape: [1, 1], dtype: "int32" },
      { name: "b", shape: [3], dtype: "bool" },
      { name: "u", shape: [], dtype: "uint8" },
      { name: "h", shape: [2], dtype: "float16" },
      { name: "none", shape: [0, 3], dtype: "float32" },
    ];
    const data = concat(
      floats(1, -2),
      Int32Array.of(-5) && bytesOf(Int32Array.of(-5)),
      Uint8Array.of(1, 0, 1, 200, 0, 60, 0, 188),
    );
    const model = await read(
      jsonOf(weights, ["w.bin"], { format: "graph-model", generatedBy: "2.9", convertedBy: null }),
      {
        "w.bin": data,
      },
    );
    expect(await contentOf(model)).toEqual({
      metadata: { format: "graph-model", generatedBy: "2.9" },
      tensors: [
        { name: "f", dtype: "F32", shape: [2], bytes: "0000803f000000c0" },
        { name: "i", dtype: "I32", shape: [1, 1], bytes: "fbffffff" },
        { name: "b", dtype: "BOOL", shape: [3], bytes: "010001" },
        { name: "u", dtype: "U8", shape: [], bytes: "c8" },
        { name: "h", dtype: "F16", shape: [2], bytes: "003c00bc" },
        { name: "none", dtype: "F32", shape: [0, 3], bytes: "" },
      ],
    });
  });

  test("dequantizes as TensorFlow.js does", async () => {
    const [scale, min] = [0.1, -3.7];
    const weights = [
      { name: "u8", shape: [256], dtype: "float32", quantization: { dtype: "uint8", scale, min } },
      {
        name: "u16",
        shape: [3],
        dtype: "float32",
        quantization: { dtype: "uint16", scale, min, original_dtype: "float32" },
      },
      { name: "int", shape: [4], dtype: "int32", quantization: { dtype: "uint8", scale: 1.5, min: -2 } },
      { name: "half", shape: [2], dtype: "float32", quantization: { dtype: "float16" } },
    ];
    const codes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const halves = Uint16Array.of(0x3c00, 0x8001);
    const data = concat(codes, bytesOf(Uint16Array.of(0, 1, 65535)), Uint8Array.of(0, 1, 2, 3), bytesOf(halves));
    const model = await read(jsonOf(weights), { "w.bin": data });
    const [u8, u16, int, half] = await Promise.all(model.tensors.map(elementBytes));
    expectSame(u8, bytesOf(Float32Array.from(codes, (q) => q * scale + min)));
    expectSame(u16, floats(min, 1 * scale + min, 65535 * scale + min));
    expectSame(int, bytesOf(Int32Array.of(-2, Math.round(-0.5), 1, Math.round(2.5))));
    expectSame(half, bytesOf(halves));
    expect(model.tensors[3].dtype).toBe("F16");
    expectSame(await model.tensors[1].read(1, 2), floats(1 * scale + min));
  });

  test("weights lie across shards, and are read by range", async () => {
    const bytes = randomBytes(400, 3);
    const shards = [0, 7, 8, 8, 200, 400].slice(1).map((end, i, ends) => bytes.slice(ends[i - 1] ?? 0, end));
    const files = Object.fromEntries(shards.map((shard, i) => [`s/${i}.bin`, shard]));
    const weights = [
      { name: "a", shape: [3], dtype: "float32" },
      { name: "b", shape: [97], dtype: "float32" },
    ];
    const { tensors } = await read(jsonOf(weights, Object.keys(files)), files);
    expectSame(await elementBytes(tensors[0]), bytes.slice(0, 12));
    expectSame(await elementBytes(tensors[1]), bytes.slice(12));
    expectSame(await tensors[1].read(46, 48), bytes.slice(196, 204));
  });

  test("nothing of the shards is read to list names", async () => {
    const shard = counting(new Uint8Array(4000));
    const open = async () => shard;
    const json = jsonOf([{ name: "a", shape: [1000], dtype: "float32" }]);
    const model = await readTfjs(bytesSource(json), { open });
    expect(model.tensors.map(({ name }) => name)).toEqual(["a"]);
    expect(shard.ranges).toEqual([]);
    await model.tensors[0].read(10, 20);
    expect(shard.ranges).toEqual([[40, 80]]);
  });
});

describe("writing", () => {
  const TEXT = `{"format":"layers-model",
    "modelTopology": {"a":1e-07,"b":[1.0, {"weightsManifest":[1]}],"big":12345678901234567890, "text":"weightsManifest\\":["},
    "weightsManifest" : [ {"paths":["group1-shard1of1.bin"], "weights":[{"name":"w","shape":[2],"dtype":"float32","extra":7},
      {"name":"i","shape":[1],"dtype":"int32"}]}, {"weights":[{"name":"q","shape":[3],"dtype":"float32","quantization":
      {"dtype":"uint8","scale":1,"min":0}}],"paths":["other.bin"]}], "after": 1.50}`;
  const ORIGINAL = new TextEncoder().encode(TEXT);
  const tensors = [
    tensorOf("q", "F32", [3], Float32Array.of(4, 5, 6)),
    tensorOf("i", "I32", [1], Int32Array.of(-7)),
    tensorOf("w", "F32", [2], Float32Array.of(1, 2)),
  ];

  test("keeps the text but for the manifest, and groups and their order", async () => {
    const files = await written(ORIGINAL, modelOf(tensors), "m.json");
    expect(Object.keys(files)).toEqual(["group1-shard1of1.bin", "group2-shard1of1.bin", "m.json"]);
    expectSame(files["group1-shard1of1.bin"], concat(floats(1, 2), bytesOf(Int32Array.of(-7))));
    expectSame(files["group2-shard1of1.bin"], floats(4, 5, 6));
    const text = new TextDecoder().decode(files["m.json"]);
    const [start, end] = [TEXT.indexOf("[ {"), TEXT.indexOf(', "after"')];
    expect(text.startsWith(TEXT.slice(0, start))).toBe(true);
    expect(text.endsWith(TEXT.slice(end))).toBe(true);
    expect(JSON.parse(text).weightsManifest).toEqual([
      {
        paths: ["group1-shard1of1.bin"],
        weights: [
          { name: "w", shape: [2], dtype: "float32", extra: 7 },
          { name: "i", shape: [1], dtype: "int32" },
        ],
      },
      { paths: ["group2-shard1of1.bin"], weights: [{ name: "q", shape: [3], dtype: "float32" }] },
    ]);
    const again = await read(files["m.json"], files);
    expect((await contentOf(again)).tensors.map(({ name }) => name)).toEqual(["w", "i", "q"]);
    expect((await diffModels(modelOf(tensors), again)).total).toMatchObject({ identical: true, elements: 6 });
  });

  test("cuts shards at 4 MiB", async () => {
    const big = noise("w", "F32", [2_500_000]);
    const json = jsonOf([
      { name: "w", shape: [2_500_000], dtype: "float32" },
      { name: "n", shape: [0], dtype: "bool" },
    ]);
    const files = await written(json, modelOf([big, noise("n", "BOOL", [0])]));
    expect(Object.entries(files).map(([name, { length }]) => [name, length])).toEqual([
      ["group1-shard1of3.bin", 4194304],
      ["group1-shard2of3.bin", 4194304],
      ["group1-shard3of3.bin", 1611392],
      ["model.json", files["model.json"].length],
    ]);
    expectSame(await elementBytes((await read(files["model.json"], files)).tensors[0]), await elementBytes(big));
  });

  test("writes F16 as float16, other floats as float32, and the rest as it was", async () => {
    const weights = ["h", "b", "d", "u", "t"].map((name, i) => {
      return { name, shape: [2], dtype: ["float32", "float32", "float16", "uint8", "bool"][i] };
    });
    const model = modelOf([
      tensorOf("h", "F16", [2], Uint16Array.of(0x3c00, 0x7e01)),
      tensorOf("b", "BF16", [2], Uint16Array.of(0x3f80, 0xc000)),
      tensorOf("d", "F64", [2], Float64Array.of(0.1, 3)),
      noise("u", "U8", [2]),
      noise("t", "BOOL", [2]),
    ]);
    const files = await written(jsonOf(weights), model);
    const { tensors } = await contentOf(await read(files["model.json"], files));
    expect(tensors.map(({ dtype }) => dtype)).toEqual(["F16", "F32", "F32", "U8", "BOOL"]);
    expect(tensors.slice(0, 3).map(({ bytes }) => bytes)).toEqual(["003c017e", "0000803f000000c0", "cdcccc3d00004040"]);
  });

  test.each([
    ["a weight that the model lacks", tensors.slice(1), /no tensor "q"/],
    ["a tensor that model.json lacks", [...tensors, noise("x", "F32", [1])], /no weight "x"/],
    ["another shape", [noise("q", "F32", [4]), ...tensors.slice(1)], /"q" is 4, and 3 in model.json/],
    ["integers for floats", [noise("q", "I32", [3]), ...tensors.slice(1)], /"q" is I32, and F32/],
    ["floats for integers", [tensors[0], noise("i", "F32", [1]), tensors[2]], /"i" is F32, and I32/],
    [
      "blocks",
      [lazyTensor({ name: "q", dtype: "Q8_0", shape: [32], bytes: new Uint8Array(34) }), ...tensors.slice(1)],
      /"q" is 32/,
    ],
  ])("refuses %s", async (_, list, message) => {
    const made: string[] = [];
    const create = async (name: string) => {
      made.push(name);
      return memorySink();
    };
    const error = await writeTfjs(bytesSource(ORIGINAL), modelOf(list), create).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DataError);
    expect((error as Error).message).toMatch(message);
    expect(made).toEqual([]);
  });

  test("closes nothing before everything is written, and stops when asked to", async () => {
    const closed: string[] = [];
    const create = async (name: string) => ({ ...memorySink(), close: async () => void closed.push(name) });
    const options = { signal: AbortSignal.abort(new Error("enough")) };
    await expect(writeTfjs(bytesSource(ORIGINAL), modelOf(tensors), create, options)).rejects.toThrow("enough");
    const short = { ...tensors[0], read: async () => new Uint8Array(1) };
    await expect(writeTfjs(bytesSource(ORIGINAL), modelOf([short, ...tensors.slice(1)]), create)).rejects.toThrow(
      /"q"/,
    );
    expect(closed).toEqual([]);
    await writeTfjs(bytesSource(ORIGINAL), modelOf(tensors), create);
    expect(closed.at(-1)).toBe("model.json");
  });
});

const MODELS = new URL("../../shared/data/models/", import.meta.url);
const DOODLE = new URL("doodlenet-tfjs/", MODELS).pathname;
if (!existsSync(DOODLE)) test.skip(`no ${DOODLE}: nothing real was read`, () => {});

test.skipIf(!existsSync(DOODLE))(
  "a real model has the weights of its safetensors twin, and is written again",
  async () => {
    const json = readFileSync(`${DOODLE}model.json`);
    const model = await readTfjs(bytesSource(json), fileFolder(DOODLE));
    const twin = await readSafetensors(
      bytesSource(readFileSync(new URL("doodlenet-quickdraw345.safetensors", MODELS))),
    );
    const { total, onlyA, onlyB, shapes } = await diffModels(model, twin);
    expect({ total, onlyA, onlyB, shapes }).toMatchObject({ onlyA: [], onlyB: [], shapes: [] });
    expect(total).toMatchObject({ identical: true, elements: 544_201 });
    const files = await written(json, model);
    expectSame(files["group1-shard1of1.bin"], readFileSync(`${DOODLE}group1-shard1of1.bin`));
    const { weightsManifest, ...rest } = JSON.parse(new TextDecoder().decode(files["model.json"]));
    const { weightsManifest: before, ...original } = JSON.parse(json.toString());
    expect(rest).toEqual(original);
    expect(weightsManifest).toEqual(before);
  },
);
