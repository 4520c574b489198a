import { describe, expect, test } from "vitest";
import { bytesSource, DataError, FormatError, type Model, memorySink, readTfjs, writeTfjs } from "../src/index.ts";
import { contentOf, elementBytes, modelOf } from "./files.ts";
import { bytesOf } from "./helpers.ts";
import { editedAtRandom, everyByteChanged } from "./hostile.ts";
import { memoryFolder, refusal } from "./onnx.files.ts";
import { concat, jsonOf, read } from "./tfjs.files.ts";

const FILES = { "w.bin": new Uint8Array(16) };
const WEIGHT = { name: "w", shape: [4], dtype: "float32" };
const QUANTIZED = { name: "q", shape: [16], dtype: "float32", quantization: { dtype: "uint8", scale: 0.5, min: -1 } };

function json(text: string): Uint8Array<ArrayBuffer> {
  return bytesOf(new TextEncoder().encode(text));
}

describe("truncation", () => {
  test("every prefix of model.json is refused", async () => {
    const bytes = jsonOf([WEIGHT]);
    for (let length = 0; length < bytes.length; length++)
      await refusal(read(bytes.slice(0, length), FILES), `${length}`);
    await refusal(read(concat(bytes, json("}")), FILES));
  });

  test("every prefix of the shards, and a byte more, is refused", async () => {
    for (let length = 0; length <= 17; length++) {
      const reading = read(jsonOf([WEIGHT]), { "w.bin": new Uint8Array(length) });
      if (length !== 16) expect((await refusal(reading, `${length}`)).actual).toBe(String(length));
    }
  });
});

describe("model.json that lies", () => {
  test.each([
    ["a list", "[]"],
    ["text", '"{}"'],
    ["no manifest", "{}"],
    ["a manifest that is null", '{"weightsManifest":null}'],
    ["a manifest that is an object", '{"weightsManifest":{}}'],
    ["a group that is null", '{"weightsManifest":[null]}'],
    ["a group without paths", '{"weightsManifest":[{"weights":[]}]}'],
    ["a group without weights", '{"weightsManifest":[{"paths":[]}]}'],
    ["a manifest that stands twice", '{"weightsManifest":[],"weightsManifest":[]}'],
    ["a key that stands twice within", '{"a":{"b":1,"b":2},"weightsManifest":[]}'],
    ["weights that are a number", '{"weightsManifest":[{"paths":["w.bin"],"weights":7}]}'],
    ["a weight that is null", '{"weightsManifest":[{"paths":["w.bin"],"weights":[null]}]}'],
    ["an index of safetensors", '{"metadata":{},"weight_map":{}}'],
  ])("%s", async (_, text) => {
    await refusal(read(json(text), FILES));
  });

  test("what is not UTF-8", async () => {
    await refusal(read(concat(json('{"a":"'), Uint8Array.of(0xff), json('"}')), FILES));
  });

  test("nesting without end", async () => {
    const deep = "[".repeat(200_000) + "]".repeat(200_000);
    for (const text of [`{"weightsManifest":${deep}}`, `{"a":${deep},"weightsManifest":${deep}}`]) {
      await refusal(read(json(text), FILES));
    }
    await refusal(read(json(`{"weightsManifest":[{"paths":${deep},"weights":[]}]}`), FILES));
    await refusal(read(json(`{"weightsManifest":[{"paths":[],"weights":[{"name":"a","shape":${deep}}]}]}`), FILES));
  });

  test("a file above 100 MB is not read", async () => {
    const slice = () => Promise.reject(new Error("it was read"));
    await refusal(readTfjs({ byteLength: 100_000_001, slice }, memoryFolder({})));
  });

  test.each([
    ["no name", { name: undefined }],
    ["an empty name", { name: "" }],
    ["no shape", { shape: undefined }],
    ["a shape that is a number", { shape: 4 }],
    ["a negative extent", { shape: [-4] }],
    ["two negative extents", { shape: [-2, -2] }],
    ["an extent with a fraction", { shape: [4.5] }],
    ["an extent that is text", { shape: ["4"] }],
    ["an extent that is null", { shape: [null, 4] }],
    ["an extent of 2^53", { shape: [2 ** 53] }],
    ["a product beyond 2^53", { shape: [2 ** 27, 2 ** 27] }],
    ["a product hidden by a zero", { shape: [2 ** 52, 2 ** 52, 0] }],
    ["17 dimensions", { shape: new Array(17).fill(1) }],
    ["no dtype", { dtype: undefined }],
    ["string", { dtype: "string" }],
    ["complex64", { dtype: "complex64" }],
    ["a dtype from the prototype", { dtype: "toString" }],
    ["a dtype that is a list", { dtype: ["float32"] }],
    ["fewer bytes than the shard", { shape: [3] }],
    ["more bytes than the shard", { shape: [5] }],
    ["huge", { shape: [2 ** 40] }],
    ["quantization of bool", { dtype: "bool", quantization: { dtype: "uint8", scale: 1, min: 0 } }],
    ["quantization to int8", { shape: [16], quantization: { dtype: "int8", scale: 1, min: 0 } }],
    ["float16 of int32", { shape: [8], dtype: "int32", quantization: { dtype: "float16" } }],
    ["quantization without scale", { shape: [16], quantization: { dtype: "uint8", min: 0 } }],
    ["quantization without min", { shape: [16], quantization: { dtype: "uint8", scale: 1 } }],
    ["a scale that is text", { shape: [16], quantization: { dtype: "uint8", scale: "1", min: 0 } }],
    ["quantization that is a number", { quantization: 7 }],
  ])("a weight with %s", async (_, fields) => {
    const problem = await refusal(read(jsonOf([{ ...WEIGHT, ...fields }]), FILES));
    expect(problem.field).toMatch(/weight|shards/);
  });

  test("names and paths that stand twice", async () => {
    const small = { ...WEIGHT, shape: [2] };
    expect((await refusal(read(jsonOf([small, small]), FILES))).field).toBe("weight names");
    expect((await refusal(read(jsonOf([WEIGHT], ["w.bin", "w.bin"]), FILES))).field).toContain("paths");
  });
});

test.each([
  "/etc/passwd",
  "../w.bin",
  "a/../../w.bin",
  "..",
  "",
  "a//w.bin",
  "C:\\w.bin",
  "c:w.bin",
  "\\w.bin",
  "http://example.com/w.bin",
  "data:,x",
  "file:w.bin",
  "w.bin\0",
  7,
  null,
  ["w.bin"],
])("the path %j is refused, and nothing is opened", async (path) => {
  const folder = memoryFolder(FILES);
  const problem = await refusal(readTfjs(bytesSource(jsonOf([WEIGHT], [path])), folder));
  expect(problem).toMatchObject({ code: "path", field: "path in weightsManifest" });
  expect(folder.asked).toEqual([]);
});

describe("mutations", () => {
  const SMALL = jsonOf([{ ...WEIGHT, shape: [0] }, QUANTIZED], ["w.bin"], { format: "layers-model" });

  async function survives(bytes: Uint8Array): Promise<void> {
    try {
      const model: Model = await read(bytes, FILES);
      for (const tensor of model.tensors) await elementBytes(tensor);
      const files = new Map<string, ReturnType<typeof memorySink>>();
      const create = async (name: string) => {
        const sink = memorySink();
        files.set(name, sink);
        return sink;
      };
      await writeTfjs(bytesSource(bytes), model, create);
      const entries = [...files].map(([name, sink]) => [name, sink.bytes()] as const);
      const again = await read(files.get("model.json")?.bytes() as Uint8Array, Object.fromEntries(entries));
      expect((await contentOf(again)).tensors).toEqual((await contentOf(model)).tensors);
    } catch (error) {
      if (!(error instanceof FormatError || error instanceof DataError || /no file/.test(String(error)))) throw error;
    }
  }

  test("every byte changed, four ways", async () => {
    await everyByteChanged(SMALL, SMALL.length, [1, 2, 16, 0x80], survives);
  });

  test("several bytes changed, put in or taken out at random", async () => {
    await editedAtRandom(SMALL, SMALL.length, 4, 2000, survives);
  });

  test("a malformed original makes no file", async () => {
    const made: string[] = [];
    const create = async (name: string) => {
      made.push(name);
      return memorySink();
    };
    for (const original of [SMALL.slice(0, 60), json("{}"), json("")]) {
      await expect(writeTfjs(bytesSource(original), modelOf([]), create)).rejects.toThrow(FormatError);
    }
    expect(made).toEqual([]);
  });
});
