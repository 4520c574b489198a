import { existsSync, readFileSync } from "node:fs";
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { describe, expect, test } from "vitest";
import {
  bytesSource,
  DataError,
  lazyTensor,
  type Model,
  memorySink,
  type OnnxOptions,
  readOnnx,
  writeOnnx,
} from "../src/index.ts";
import { widen } from "../src/tensor.ts";
import { contentOf, counting, elementBytes, modelOf, noise, tensorOf } from "./files.ts";
import { bytesOf, expectSame } from "./helpers.ts";
import {
  DOUBLES,
  double,
  FLOATS,
  float,
  INT32S,
  INT64S,
  lengthField,
  memoryFolder,
  modelFile,
  node,
  outside,
  RAW,
  raw,
  read,
  tensor,
  text,
  varint,
  varints,
} from "./onnx.files.ts";

const floats = (...values: number[]) => bytesOf(Float32Array.from(values));

describe("reading", () => {
  test("finds raw_data of every type", async () => {
    const bytes = Uint8Array.from({ length: 16 }, (_, i) => i & 1);
    const types: [number, string, number][] = [
      [1, "F32", 4],
      [2, "U8", 1],
      [3, "I8", 1],
      [5, "I16", 2],
      [6, "I32", 4],
      [7, "I64", 8],
      [9, "BOOL", 1],
      [10, "F16", 2],
      [11, "F64", 8],
      [16, "BF16", 2],
    ];
    const initializers = types.map(([type, name, width]) =>
      tensor(name, type, [2, 8 / width], lengthField(RAW, bytes)),
    );
    const { tensors } = await contentOf(await read(modelFile({ initializers })));
    const hex = Buffer.from(bytes).toString("hex");
    expect(tensors).toEqual(
      types.map(([, dtype, width]) => ({ name: dtype, dtype, shape: [2, 8 / width], bytes: hex })),
    );
  });

  test("finds values in the typed fields, packed, single, and in pieces", async () => {
    const initializers = [
      tensor("f", 1, [3], lengthField(FLOATS, floats(1, 2, 3))),
      tensor("f single", 1, [2], float(FLOATS, 1), float(FLOATS, -2)),
      tensor("f pieces", 1, [3], lengthField(FLOATS, floats(1, 2)), lengthField(FLOATS, floats(3))),
      tensor("d", 11, [1], double(DOUBLES, 0.1)),
      tensor("i8", 3, [3], varints(INT32S, [-128, 0, 127])),
      tensor("u8", 2, [2], varints(INT32S, [0, 255])),
      tensor("i16", 5, [2], varints(INT32S, [-32768, 32767])),
      tensor("i32", 6, [2], varints(INT32S, [-(2 ** 31), 2 ** 31 - 1])),
      tensor("bool", 9, [2], varints(INT32S, [1, 0])),
      tensor("f16", 10, [2], varints(INT32S, [0x3c00, 0xfc00])),
      tensor("bf16", 16, [1], varints(INT32S, [0xbf80])),
      tensor("i64", 7, [3], varints(INT64S, [-(2n ** 63n), 2n ** 63n - 1n]), varint(INT64S, 5)),
      tensor("scalar", 7, [], varints(INT64S, [-1])),
      tensor("empty", 1, [0, 4]),
      tensor("empty raw", 1, [0], raw()),
    ];
    const model = await read(modelFile({ initializers }));
    const { tensors } = await contentOf(model);
    expect(Object.fromEntries(tensors.map(({ name, bytes }) => [name, bytes]))).toEqual({
      f: "0000803f0000004000004040",
      "f single": "0000803f000000c0",
      "f pieces": "0000803f0000004000004040",
      d: "9a9999999999b93f",
      i8: "80007f",
      u8: "00ff",
      i16: "0080ff7f",
      i32: "00000080ffffff7f",
      bool: "0100",
      f16: "003c00fc",
      bf16: "80bf",
      i64: "0000000000000080ffffffffffffff7f0500000000000000",
      scalar: "ffffffffffffffff",
      empty: "",
      "empty raw": "",
    });
    expectSame(await model.tensors[4].read(1, 3), Uint8Array.of(0, 127));
    expectSame(await model.tensors[2].read(1, 2), floats(2));
  });

  test("takes packed dims, fields in any order, and fields that it does not know", async () => {
    const odd = [
      raw(1, 2, 3, 4),
      text(NAME_FIELD, "a"),
      varint(99, 7),
      varint(2, 3),
      varints(1, [2, 2]),
      text(12, "doc"),
    ];
    const [a] = (await contentOf(await read(modelFile({ initializers: [Buffer.concat(odd)] })))).tensors;
    expect(a).toEqual({ name: "a", dtype: "I8", shape: [2, 2], bytes: "01020304" });
  });

  test("gives metadata_props as metadata", async () => {
    expect((await read(modelFile({ metadata: { author: "é", empty: "" } }))).metadata).toEqual({
      author: "é",
      empty: "",
    });
    expect((await read(modelFile())).metadata).toBeNull();
  });

  test("lists names without reading elements or nodes, whatever their size", async () => {
    const large = new Uint8Array(1_000_000);
    const initializers = ["a", "b", "c"].map((name) => tensor(name, 3, [1_000_000], lengthField(RAW, large)));
    const bytes = modelFile({
      nodes: [Buffer.concat([node("Constant", [], ["k"]), lengthField(5, large)])],
      initializers,
    });
    const source = counting(bytes);
    const model = await readOnnx(source);
    expect(model.tensors.map(({ name }) => name)).toEqual(["a", "b", "c"]);
    expect(source.ranges.reduce((sum, [start, end]) => sum + end - start, 0)).toBeLessThan(600_000);
    source.ranges.length = 0;
    await model.tensors[1].read(5, 9);
    expect(source.ranges.map(([start, end]) => end - start)).toEqual([4]);
  });

  test("a tensor of 6 GB is listed from a few windows, and read where it is asked for", async () => {
    const size = 6 * 2 ** 30;
    const promise = (number: number, length: number) =>
      new BinaryWriter().tag(number, 2).uint64(BigInt(length)).finish();
    const inner = Buffer.concat([varint(1, size), varint(2, 3), text(8, "huge"), promise(9, size)]);
    const small = lengthField(5, tensor("small", 3, [2], raw(7, 8)));
    const message = Buffer.concat([promise(5, inner.length + size), inner]);
    const head = Buffer.concat([varint(1, 10), promise(7, message.length + size + small.length), message]);
    const byteLength = head.length + size + small.length;
    let asked = 0;
    const slice = async (start: number, end: number) => {
      asked += end - start;
      const out = new Uint8Array(end - start);
      const put = (bytes: Uint8Array, at: number) =>
        bytes.forEach((byte, i) => {
          if (at + i >= start && at + i < end) out[at + i - start] = byte;
        });
      put(head, 0);
      put(small, head.length + size);
      return out;
    };
    const { tensors } = await readOnnx({ byteLength, slice });
    expect(tensors.map(({ name, shape }) => [name, shape])).toEqual([
      ["huge", [size]],
      ["small", [2]],
    ]);
    expect(asked).toBeLessThan(200_000);
    expectSame(await tensors[0].read(size - 3, size), new Uint8Array(3));
    expectSame(await tensors[1].read(0, 2), Uint8Array.of(7, 8));
  });

  test("reads external data by range, each file opened once", async () => {
    const folder = memoryFolder({ "w/data.bin": Uint8Array.from({ length: 64 }, (_, i) => i), b: floats(7) });
    const initializers = [
      outside("a", [2], { location: "w/data.bin", offset: "8", length: "8" }),
      outside("c", [1], { location: "w/data.bin", offset: "60", checksum: "abc" }),
      outside("b", [1], { location: "b" }),
    ];
    const { tensors } = await contentOf(await read(modelFile({ initializers }), folder));
    expect(tensors.map(({ bytes }) => bytes)).toEqual(["08090a0b0c0d0e0f", "3c3d3e3f", "0000e040"]);
    expect(folder.asked).toEqual(["w/data.bin", "b"]);
    const error = await read(modelFile({ initializers })).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DataError);
    expect((error as Error).message).toContain('"w/data.bin"');
  });
});

const NAME_FIELD = 8;

async function rewritten(original: Uint8Array, model: Model, options: OnnxOptions = {}) {
  const sink = memorySink();
  const report = await writeOnnx(bytesSource(original), model, sink, options);
  expect(report.bytes).toBe(sink.bytes().length);
  return { report, bytes: bytesOf(sink.bytes()) };
}

describe("writing", () => {
  const original = modelFile({
    nodes: [node("Add", ["x", "a"], ["y"]), node("Mul", ["y", "b"], ["z"])],
    initializers: [
      tensor("a", 1, [2], raw(...floats(1, 2)), text(12, "doc of a")),
      tensor("b", 1, [1], lengthField(FLOATS, floats(3))),
      tensor("n", 7, [2], varints(INT64S, [4, -4])),
      tensor("h", 10, [2], raw(0, 0x3c, 0, 0x40)),
      tensor("none", 1, [0]),
      tensor("k", 3, [32], lengthField(RAW, new Uint8Array(32))),
    ],
    inputs: ["x"],
    metadata: { k: "v" },
  });

  test("the same tensors give the same bytes where they were raw_data, and the same model everywhere", async () => {
    const model = await read(original);
    const { bytes } = await rewritten(original, model);
    expect(await contentOf(await read(bytes))).toEqual(await contentOf(model));
    expectSame((await rewritten(bytes, model)).bytes, bytes);
    const rawOnly = modelFile({ initializers: [tensor("a", 1, [2], raw(...floats(1, 2)), text(12, "doc"))] });
    expectSame((await rewritten(rawOnly, await read(rawOnly))).bytes, rawOnly);
  });

  test("replaces what the model has and keeps every other byte", async () => {
    const model = modelOf([tensorOf("a", "F32", [2], Float32Array.of(8, 9))]);
    const { bytes } = await rewritten(original, model);
    const expected = Buffer.from(original);
    expected.set(floats(8, 9), Buffer.from(original).indexOf(Buffer.from(floats(1, 2))));
    expectSame(bytes, expected);
  });

  test("tensors take the type that the graph has", async () => {
    const model = modelOf([
      tensorOf("h", "F32", [2], Float32Array.of(0.5, 3)),
      tensorOf("a", "F16", [2], Uint16Array.of(0x3c00, 0xc000)),
    ]);
    const { tensors } = await contentOf(await read((await rewritten(original, model)).bytes));
    expect(tensors[0]).toEqual({ name: "a", dtype: "F32", shape: [2], bytes: "0000803f000000c0" });
    expect(tensors[3]).toEqual({ name: "h", dtype: "F16", shape: [2], bytes: "00380042" });
  });

  test("external data become part of the file", async () => {
    const file = modelFile({ initializers: [outside("a", [2], { location: "d" }), tensor("b", 3, [1], raw(5))] });
    const model = await read(file, memoryFolder({ d: floats(1, 2) }));
    const again = await read((await rewritten(file, model)).bytes);
    expect(await contentOf(again)).toEqual(await contentOf(model));
  });

  test.each([
    ["a tensor that the graph lacks", modelOf([noise("q", "F32", [2])]), /no initializer "q": is it another model's/],
    ["another shape", modelOf([noise("a", "F32", [1, 2])]), /"a" is 1 x 2, and 2 in the ONNX graph/],
    ["integers for floats", modelOf([noise("a", "I32", [2])]), /"a" is I32, and F32/],
    ["floats for integers", modelOf([noise("n", "F32", [2])]), /"n" is F32, and I64/],
    [
      "blocks for integers",
      modelOf([lazyTensor({ name: "k", dtype: "Q8_0", shape: [32], bytes: new Uint8Array(34) })]),
      /"k" is Q8_0, and I8/,
    ],
  ])("refuses %s", async (_, model, message) => {
    const sink = memorySink();
    const error = await writeOnnx(bytesSource(original), model, sink).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DataError);
    expect((error as Error).message).toMatch(message);
    expect(sink.bytes()).toHaveLength(0);
  });

  test("tells how far it is, and stops when asked to", async () => {
    const file = modelFile({ initializers: [tensor("w", 1, [600_000], lengthField(RAW, new Uint8Array(2_400_000)))] });
    const steps: { done: number; total: number }[] = [];
    const model = await read(file);
    await rewritten(file, model, { onProgress: (step) => steps.push(step) });
    expect(steps).toHaveLength(3);
    expect(steps[2].done).toBeLessThanOrEqual(steps[2].total);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(rewritten(file, model, { signal })).rejects.toThrow("enough");
  });
});

describe("quantized", () => {
  const parts = (codes: number[], scales: number[], zeros?: number[]) => async () => ({
    codes: Uint8Array.from(codes),
    scales: Float32Array.from(scales),
    zeroPoints: zeros ? Int8Array.from(zeros) : null,
  });
  const file = (opset: number, extra: Uint8Array[] = [], inputs: string[] = []) =>
    modelFile({
      opset,
      nodes: [node("MatMul", ["x", "w"], ["y"])],
      initializers: [tensor("w", 1, [2, 4], lengthField(RAW, new Uint8Array(32))), ...extra],
      inputs: ["x", ...inputs],
    });
  const w = modelOf([tensorOf("w", "F32", [2, 4], new Float32Array(8))]);
  const channel = {
    bits: 8,
    sharing: { axis: 0 },
    asymmetric: false,
    load: parts([1, 2, 3, 4, 5, 6, 7, 255], [0.5, 2]),
  } as const;
  const only = (name: string, what: typeof channel | object) => (asked: string) =>
    asked === name ? (what as typeof channel) : null;

  test("int8 per channel: initializers, and a node before all others", async () => {
    const { bytes, report } = await rewritten(file(13), w, { quantized: only("w", channel) });
    expect(report).toMatchObject({ quantized: ["w"], floats: [] });
    expect((await contentOf(await read(bytes))).tensors).toEqual([
      { name: "w_quantized", dtype: "I8", shape: [2, 4], bytes: "01020304050607ff" },
      { name: "w_scale", dtype: "F32", shape: [2], bytes: "0000003f00000040" },
    ]);
    const graph = new BinaryReader(bytes);
    for (let [number, wire] = graph.tag(); number !== 7; [number, wire] = graph.tag()) graph.skip(wire);
    const inner = new BinaryReader(graph.bytes());
    expect(inner.tag()[0]).toBe(1);
    const expected = Buffer.concat([
      node("DequantizeLinear", ["w_quantized", "w_scale"], ["w"]).subarray(0, -18),
      text(3, "w_quantized/DequantizeLinear"),
      text(4, "DequantizeLinear"),
      lengthField(5, text(1, "axis"), varint(3, 0), varint(20, 2)),
    ]);
    expectSame(inner.bytes(), expected);
  });

  test("int4 with zero points, two to a byte, in groups", async () => {
    const int4 = {
      bits: 4,
      sharing: { axis: 1, block: 2 },
      asymmetric: true,
      load: parts([1, 2, 3, 4], [1, 2, 3, 4], [1, -1, 7, -8]),
    };
    const { bytes } = await rewritten(file(21), w, { quantized: only("w", int4) });
    for (const name of ["w_quantized", "w_scale", "w_zero_point", "block_size"])
      expect(Buffer.from(bytes).includes(name)).toBe(true);
    // Zero points 1, -1, 7, -8 as nibbles.
    expect(Buffer.from(bytes).includes(Buffer.from(raw(0xf1, 0x87)))).toBe(true);
  });

  test("names that are taken get an underscore more", async () => {
    const taken = tensor("w_scale", 1, [1], raw(0, 0, 0, 0));
    const { bytes } = await rewritten(file(13, [taken]), w, { quantized: only("w", channel) });
    const names = (await read(bytes)).tensors.map(({ name }) => name);
    expect(names).toEqual(["w_quantized", "w_scale_", "w_scale"]);
  });

  test.each([
    [12, channel, /int8 needs ONNX opset 13, and this model has 12: convert the model/],
    [
      13,
      { ...channel, sharing: { axis: 1, block: 2 } },
      /int8 needs ONNX opset 21, and this model has 13: pack it with "int8 channel"/,
    ],
    [20, { ...channel, bits: 4 }, /int4 needs ONNX opset 21, and this model has 20/],
    [9, { ...channel, sharing: {} }, /int8 needs ONNX opset 10, and this model has 9/],
  ])("opset %d is refused where it lacks the operator, and says what to do", async (opset, what, message) => {
    const error = await rewritten(file(opset), w, { quantized: only("w", what) }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DataError);
    expect((error as Error).message).toMatch(message);
  });

  test("groups that cross rows, other floats and inputs stay floats, and are named", async () => {
    const crossing = await rewritten(file(21), w, { quantized: only("w", { ...channel, sharing: null }) });
    expect(crossing.report).toMatchObject({ quantized: [], floats: ["w"] });
    const input = await rewritten(file(21, [], ["w"]), w, { quantized: only("w", channel) });
    expect(input.report.floats).toEqual(["w"]);
    const half = modelFile({ initializers: [tensor("h", 10, [4], lengthField(RAW, new Uint8Array(8)))] });
    const { report } = await rewritten(half, modelOf([noise("h", "F16", [4])]), { quantized: only("h", channel) });
    expect(report.floats).toEqual(["h"]);
  });

  test("codes that are too few are an error", async () => {
    const short = { ...channel, load: parts([1], [1, 2]) };
    await expect(rewritten(file(13), w, { quantized: only("w", short) })).rejects.toThrow(/"w_quantized" has 1 bytes/);
  });
});

const PITCH = new URL("../../shared/data/models/basic-pitch-nmp.onnx", import.meta.url);
if (!existsSync(PITCH)) test.skip(`no ${PITCH.pathname}: nothing real was read`, () => {});

test.skipIf(!existsSync(PITCH))("a real model is written again byte for byte", async () => {
  const original = readFileSync(PITCH);
  const model = await read(original);
  expect(model.tensors).toHaveLength(102);
  const parameters = model.tensors.filter(({ dtype }) => dtype === "F32");
  expect(parameters.length).toBeGreaterThan(10);
  for (const parameter of parameters) {
    const values = widen("F32", await elementBytes(parameter));
    expect(values.every(Number.isFinite)).toBe(true);
  }
  expectSame((await rewritten(original, model)).bytes, original);
});
