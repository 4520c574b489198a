import { describe, expect, test } from "vitest";
import {
  bytesSource,
  DataError,
  FormatError,
  memorySink,
  modelGraph,
  open,
  readModel,
  readOnnx,
  verify,
  writeOnnx,
} from "../src/index.ts";
import { attachTfjs } from "../src/model/tfjs/detach.ts";
import { contentOf, modelOf, packed, partsOf, readAll, SIMD, tensorOf } from "./files.ts";
import { VECTOR } from "./gguf.files.ts";
import { bytesOf, expectSame, randomBytes, weights } from "./helpers.ts";
import { editedAtRandom, everyByteChanged } from "./hostile.ts";
import {
  FLOATS,
  INT64S,
  lengthField,
  memoryFolder,
  modelFile,
  node,
  outside,
  RAW,
  raw,
  tensor,
  varints,
} from "./onnx.files.ts";
import { jsonOf } from "./tfjs.files.ts";

// Graphs without their weights, and files that have them.

const MODEL = modelOf([tensorOf("w", "F32", [40, 30], weights(1200, 1)), tensorOf("b", "F32", [30], weights(30, 2))]);

describe("a file with a graph", () => {
  test("is the file without it but for the record, and gives it back", async () => {
    const bare = partsOf((await packed(MODEL, "int8 > auto")).bytes);
    for (const length of [0, 1, 7, 8, 9, 70_000]) {
      const graph = randomBytes(length, 5);
      const { bytes, report } = await packed(MODEL, "int8 > auto", { graph });
      const file = await open(bytes, { kernels: SIMD });
      expectSame(file.graph as Uint8Array, graph);
      expect([file.totals.file, file.totals.header]).toEqual([bytes.length, report.headerBytes]);
      expect(report.fileBytes).toBe(bytes.length);
      expect((await verify(file)).sha256).toBe(report.sha256);
      const { prelude, records, ...rest } = partsOf(bytes);
      expect(records.length).toBe(8 + 8 * Math.ceil(length / 8));
      expect({ ...rest, records: bare.records, prelude: bare.prelude }).toEqual(bare);
    }
    for (const graph of [null, undefined]) {
      expect(partsOf((await packed(MODEL, "int8 > auto", { graph })).bytes)).toEqual(bare);
    }
  });

  test("counts in a budget", async () => {
    const graph = randomBytes(400, 1);
    const { bytes } = await packed(MODEL, "int8 > auto", { graph, budget: { bytes: 1700 } });
    expect(bytes.length).toBeLessThanOrEqual(1700);
    expect(bytes.length).toBeGreaterThan(1650);
    const tight = packed(MODEL, "int8 > auto", { graph, budget: { bytes: 600 } });
    await expect(tight).rejects.toThrow(/too small/);
  });

  test("has at most 100 MB of header", async () => {
    const tooMuch = packed(MODEL, "raw", { graph: new Uint8Array(100_000_000) });
    await expect(tooMuch).rejects.toThrow(/header would take 10\d{7} bytes/);
  });
});

const big = weights(32 * 16, 3);
const table = BigInt64Array.from({ length: 200 }, (_, i) => BigInt(i) - 7n);
const ONNX_PARTS = {
  nodes: [node("MatMul", ["x", "w"], ["y"])],
  inputs: ["x"],
  metadata: { author: "somebody" },
};
const ONNX = modelFile({
  ...ONNX_PARTS,
  initializers: [
    tensor("w", 1, [32, 16], lengthField(RAW, bytesOf(big))),
    tensor("few", 7, [2], raw(...new Array(16).fill(1))),
    tensor("typed", 1, [300], lengthField(FLOATS, bytesOf(weights(300, 4)))),
    tensor("table", 7, [200], varints(INT64S, [...table])),
    tensor("none", 1, [0, 3]),
  ],
});

describe("of an ONNX model", () => {
  test("has large tensors outside, and is the original again with the tensors of the model", async () => {
    const graph = (await modelGraph(bytesSource(ONNX))) as Uint8Array;
    const model = await readModel(bytesSource(ONNX));
    const files = { "weights.bin": new Uint8Array(2048 + 1216 + 1600) };
    files["weights.bin"].set(bytesOf(big), 0);
    files["weights.bin"].set(bytesOf(weights(300, 4)), 2048);
    files["weights.bin"].set(bytesOf(table), 2048 + 1216);
    const folder = memoryFolder(files);
    expect(await contentOf(await readOnnx(bytesSource(graph), folder))).toEqual(await contentOf(model));
    expect(new Set(folder.asked)).toEqual(new Set(["weights.bin"]));
    const [again, written] = [memorySink(), memorySink()];
    await writeOnnx(bytesSource(graph), model, again);
    await writeOnnx(bytesSource(ONNX), model, written);
    expectSame(again.bytes(), written.bytes());
  });

  test("with external data of its own takes the small ones in", async () => {
    const initializers = [
      outside("w", [32, 16], { location: "a", offset: "64" }),
      outside("few", [2], { location: "b/c" }),
    ];
    const data = { a: new Uint8Array(64 + 2048).fill(9, 64), "b/c": Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) };
    const source = bytesSource(modelFile({ ...ONNX_PARTS, initializers }));
    const graph = (await modelGraph(source, memoryFolder(data))) as Uint8Array;
    const files = { "weights.bin": new Uint8Array(2048).fill(9) };
    const back = await readOnnx(bytesSource(graph), memoryFolder(files));
    expect(await contentOf(back)).toEqual(await contentOf(await readModel(source, memoryFolder(data))));
    await expect(modelGraph(source)).rejects.toBeInstanceOf(DataError);
  });

  test("damaged anywhere gives a graph or a refusal, nothing else", async () => {
    const survives = async (bytes: Uint8Array): Promise<void> => {
      await modelGraph(bytesSource(bytes)).catch((error: unknown) => {
        if (!(error instanceof FormatError) && !(error instanceof DataError)) throw error;
      });
    };
    await everyByteChanged(ONNX, 120, [1, 128, 255], survives);
    await editedAtRandom(ONNX, ONNX.length, 30, 100, survives);
    for (let length = 0; length < ONNX.length; length += 37) await survives(ONNX.subarray(0, length));
  });
});

describe("of a TensorFlow.js model", () => {
  const weight = (name: string, dtype: string, more = {}) => ({ name, shape: [2], dtype, ...more });
  const text = (bytes: Uint8Array | null) => JSON.parse(new TextDecoder().decode(bytes as Uint8Array));
  const rest = { format: "layers-model", modelTopology: { class_name: "Sequential" }, trainingConfig: { loss: "x" } };

  test("is all but the weights, and what they say besides", async () => {
    const quantization = { dtype: "uint8", scale: 1, min: 0 };
    const plain = [weight("a", "float32"), weight("q", "float32", { quantization })];
    expect(text(await modelGraph(bytesSource(jsonOf(plain, ["w.bin"], rest))))).toEqual({
      ...rest,
      weightsManifest: [],
    });
    const marked = [...plain, weight("iter", "int32", { group: "optimizer" })];
    const graph = (await modelGraph(bytesSource(jsonOf(marked, ["w.bin"], rest)))) as Uint8Array;
    const mark = { name: "iter", group: "optimizer" };
    expect(text(graph)).toEqual({ ...rest, weightsManifest: [{ paths: [], weights: [mark] }] });
    const tensors = [
      { name: "a", dtype: "F16", shape: [2] },
      { name: "iter", dtype: "I32", shape: [] },
    ] as const;
    const weights = [weight("a", "float32"), { ...mark, shape: [], dtype: "int32" }];
    expect(text(attachTfjs(graph, tensors))).toEqual({ ...rest, weightsManifest: [{ paths: [], weights }] });
    expect(() => attachTfjs(graph, [{ name: "l", dtype: "I64", shape: [] }])).toThrow(/"l" is I64/);
  });

  test("that is none is refused", () => {
    for (const bad of ["", "[]", "{", "{}", '{"weightsManifest":7}', '{"weightsManifest":[],"weightsManifest":[]}']) {
      expect(() => attachTfjs(new TextEncoder().encode(bad), []), bad).toThrow(FormatError);
    }
    for (const odd of ["[7]", "[null]", '[{"weights":7}]', '[{"weights":[null,7,{}]}]']) {
      const graph = new TextEncoder().encode(`{"weightsManifest":${odd}}`);
      expect(text(attachTfjs(graph, [])).weightsManifest).toEqual([{ paths: [], weights: [] }]);
    }
  });
});

test("formats that have no graph give none", async () => {
  expect(await modelGraph(bytesSource(VECTOR))).toBeNull();
  expect(await modelGraph(bytesSource((await packed(MODEL, "raw")).bytes))).toBeNull();
  expect(await readAll((await packed(MODEL, "raw", { graph: null })).bytes, SIMD)).toBeTruthy();
});
