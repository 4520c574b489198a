import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bytesSource,
  DataError,
  FormatError,
  formatOf,
  memorySink,
  pack,
  readModel,
  writeSafetensors,
} from "../src/index.ts";
import { contentOf, modelOf, noise, SIMD } from "./files.ts";
import { fileOf, VECTOR } from "./gguf.files.ts";
import { bytesOf } from "./helpers.ts";
import { memoryFolder, modelFile, outside, raw, tensor } from "./onnx.files.ts";
import { jsonOf } from "./tfjs.files.ts";

// Formats are told apart by content.

async function safetensors(metadata: Record<string, string> | null = null): Promise<Uint8Array> {
  const sink = memorySink();
  await writeSafetensors(modelOf([noise("a", "F32", [2])], metadata), sink);
  return sink.bytes();
}

async function quern(): Promise<Uint8Array> {
  const sink = memorySink();
  await pack(modelOf([noise("a", "F32", [2])]), "raw", sink, { kernels: SIMD });
  return sink.bytes();
}

const ONNX = modelFile({ initializers: [tensor("a", 3, [4], raw(1, 2, 3, 4))] });
const JSON_FILE = jsonOf([{ name: "a", shape: [1], dtype: "float32" }]);

describe("the format of a file", () => {
  test.each([
    ["quern", quern],
    ["safetensors", safetensors],
    ["gguf", async () => VECTOR],
    ["gguf", async () => fileOf()],
    ["onnx", async () => ONNX],
    ["onnx", async () => modelFile({ opset: 7 })],
    ["tfjs", async () => JSON_FILE],
  ] as const)("%s, whole and cut short", async (format, make) => {
    const bytes = await make();
    for (const part of [bytes, bytes.slice(0, 9)]) expect(await formatOf(bytesSource(part))).toBe(format);
  });

  test.each([
    ["nothing", []],
    ["zeros", new Array(100).fill(0)],
    ["text", [...Buffer.from("#!/bin/sh\necho hello\n")]],
    ["a picture", [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]],
    ["a zip, as PyTorch writes", [0x50, 0x4b, 3, 4, 0, 0, 0, 0, 0, 0]],
    ["a pickle", [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46]],
    ["HDF5", [0x89, 0x48, 0x44, 0x46, 13, 10, 26, 10]],
    ["old ggml", [...Buffer.from("lmgg")]],
  ])("%s is none, and says which there are", async (_, bytes) => {
    const error = await formatOf(bytesSource(Uint8Array.from(bytes))).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(FormatError);
    expect((error as FormatError).message).toMatch(/safetensors, GGUF or ONNX file, or the model.json/);
  });

  test("any bytes at all are one or a FormatError, and so is reading them", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (bytes) => {
        const model = await readModel(bytesSource(bytes), memoryFolder({})).catch((e: unknown) => e);
        if (model instanceof Error) expect(model).toSatisfy((e) => e instanceof FormatError || e instanceof DataError);
      }),
      { numRuns: 3000 },
    );
  });
});

describe("readModel", () => {
  test("reads what the format's own reader does", async () => {
    const names = async (bytes: Uint8Array, files = {}) =>
      (await contentOf(await readModel(bytesSource(bytes), memoryFolder(files)))).tensors.map(
        ({ bytes: hex }) => hex.length,
      );
    expect(await names(await safetensors())).toEqual([16]);
    expect(await names(VECTOR)).toHaveLength(12);
    expect(await names(ONNX)).toEqual([8]);
    expect(await names(JSON_FILE, { "w.bin": new Uint8Array(4) })).toEqual([8]);
  });

  test("says what it needs", async () => {
    const refused = async (bytes: Uint8Array) => {
      const error = await readModel(bytesSource(bytes)).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(DataError);
      return (error as Error).message;
    };
    expect(await refused(await quern())).toMatch(/open it/);
    expect(await refused(JSON_FILE)).toMatch(/beside model.json: give its folder/);
    const external = modelFile({ initializers: [outside("a", [1], { location: "d" })] });
    expect(await refused(bytesOf(external))).toMatch(/"d" beside it: give its folder/);
  });
});
