import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { describe, expect, test } from "vitest";
import { bytesSource, DataError, FormatError, memorySink, readOnnx, writeOnnx } from "../src/index.ts";
import { contentOf, elementBytes, modelOf } from "./files.ts";
import { bytesOf } from "./helpers.ts";
import { editedAtRandom, everyByteChanged } from "./hostile.ts";
import {
  entry,
  FLOATS,
  float,
  INT32S,
  INT64S,
  LOCATION,
  lengthField,
  memoryFolder,
  modelFile,
  node,
  outside,
  RAW,
  raw,
  read,
  refusal,
  tensor,
  text,
  varint,
  varints,
} from "./onnx.files.ts";
import { concat } from "./reference/huffman.ts";

const FOLDER = memoryFolder({ data: new Uint8Array(16), "sub/data": new Uint8Array(4) });

const SMALL = modelFile({
  nodes: [node("Add", ["x", "a"], ["y"])],
  initializers: [
    tensor("a", 1, [2], raw(0, 0, 128, 63, 0, 0, 0, 64)),
    tensor("n", 7, [2], varints(INT64S, [300, -1])),
    tensor("f", 1, [2], lengthField(FLOATS, new Uint8Array(8))),
    outside("e", [2], { location: "data", offset: "8", length: "8" }),
  ],
  inputs: ["x"],
  metadata: { k: "v" },
});

function withTensor(...initializers: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return modelFile({ initializers });
}

/** A tag and a length that promises more than there is. */
function promise(number: number, length: number | bigint): Uint8Array {
  return new BinaryWriter().tag(number, WireType.LengthDelimited).uint64(length).finish();
}

describe("truncation", () => {
  test("every prefix is refused, or ends between fields behind the graph and has the same tensors", async () => {
    const { tensors } = await contentOf(await read(SMALL, FOLDER));
    let taken = 0;
    for (let length = 0; length < SMALL.length; length++) {
      const model = await read(SMALL.slice(0, length), FOLDER).catch((e: unknown) => e);
      if (model instanceof Error) expect(model, `${length} bytes`).toBeInstanceOf(FormatError);
      else {
        // Opsets and metadata lie behind the graph in this file.
        expect((await contentOf(model as never)).tensors).toEqual(tensors);
        taken++;
      }
    }
    expect(taken).toBe(3);
  });

  test("an empty file has no graph", async () => {
    expect((await refusal(read(new Uint8Array(0)))).expected).toBe("a graph");
  });
});

describe("protobuf that lies", () => {
  const HUGE = [2n ** 31n, 2n ** 32n, 2n ** 32n + 4n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];
  const cases: [string, (length: bigint) => Uint8Array][] = [
    ["graph", (n) => promise(7, n)],
    ["initializer", (n) => lengthField(7, promise(5, n))],
    ["raw_data", (n) => withTensor(tensor("a", 1, [1], promise(RAW, n)))],
    ["float_data", (n) => withTensor(tensor("a", 1, [1], promise(FLOATS, n)))],
    ["name", (n) => lengthField(7, lengthField(5, varint(2, 1), promise(8, n)))],
    ["metadata", (n) => concat(lengthField(7), promise(14, n))],
    ["an unknown field", (n) => concat(lengthField(7), promise(999, n))],
  ];
  test.each(cases)("about the length of %s", async (_, make) => {
    for (const n of HUGE) expect((await refusal(read(make(n)), `${n}`)).code).toBe("protobuf");
    // A byte too far, into what follows.
    await refusal(read(concat(make(9n), new Uint8Array(8))));
  });

  test.each([
    ["field 0", Uint8Array.of(0x02, 0)],
    ["wire type 6", Uint8Array.of(0x0e)],
    ["a group", Uint8Array.of(0x0b, 0x0c)],
    ["a varint without end", new Uint8Array(30).fill(0xff)],
    ["a varint that is cut", Uint8Array.of(0x08, 0x80)],
    ["a fixed field that is cut", Uint8Array.of(0x0d, 1, 2, 3)],
    ["a graph that is a number", varint(7, 1)],
    ["an initializer that is a number", lengthField(7, varint(5, 1))],
    ["a name that is a number", lengthField(7, lengthField(5, varint(8, 1)))],
    ["a type that is text", withTensor(concat(text(2, "FLOAT"), text(8, "a")))],
    ["two graphs", concat(lengthField(7), lengthField(7))],
    ["no graph", varint(1, 8)],
    ["a name that is not UTF-8", withTensor(concat(varint(2, 1), lengthField(8, Uint8Array.of(0xff))))],
  ])("%s", async (_, bytes) => {
    await refusal(read(concat(bytes)));
  });

  test("millions of fields, before they take long", async () => {
    const start = performance.now();
    const bytes = new Uint8Array(2 ** 24).fill(1);
    for (let at = 0; at < bytes.length; at += 2) bytes[at] = 0x08;
    expect((await refusal(read(bytes))).code).toBe("limit");
    expect(performance.now() - start).toBeLessThan(60_000);
  });

  test("nesting is not followed", async () => {
    let bytes: Uint8Array = new Uint8Array(0);
    for (let depth = 0; depth < 2000; depth++) bytes = lengthField(7, bytes);
    await refusal(read(concat(bytes, bytes)));
    expect((await read(bytes)).tensors).toEqual([]);
  });
});

describe("initializers that lie", () => {
  const FOUR = raw(1, 2, 3, 4);
  test.each([
    ["no name", tensor("", 3, [4], FOUR)],
    ["no type", concat(varint(1, 4), text(8, "a"), FOUR)],
    ["a negative extent", tensor("a", 3, [-4], FOUR)],
    ["two negative extents", tensor("a", 3, [-2, -2], FOUR)],
    ["an extent of 2^53", tensor("a", 3, [2 ** 53], FOUR)],
    ["a product beyond 2^53", tensor("a", 3, [2 ** 27, 2 ** 27], FOUR)],
    ["a product hidden by a zero", tensor("a", 3, [2 ** 52, 2 ** 52, 0])],
    ["a product that wraps", tensor("a", 3, [2 ** 32, 2 ** 32], FOUR)],
    ["17 dimensions", tensor("a", 3, new Array(17).fill(1), raw(1))],
    ["a packed list of 100 dimensions", concat(varints(1, new Array(100).fill(1)), varint(2, 3), text(8, "a"), raw(1))],
    ["packed dimensions cut short", concat(lengthField(1, Uint8Array.of(0x80)), varint(2, 3), text(8, "a"), raw(1))],
    ["too few bytes", tensor("a", 3, [5], FOUR)],
    ["too many bytes", tensor("a", 3, [3], FOUR)],
    ["no data", tensor("a", 1, [1])],
    ["raw_data twice", tensor("a", 3, [4], FOUR, FOUR)],
    ["data in two places", tensor("a", 3, [4], FOUR, varints(INT32S, [1, 2, 3, 4]))],
    ["data in another type's field", tensor("a", 3, [4], varints(INT64S, [1, 2, 3, 4]))],
    ["floats for integers", tensor("a", 3, [1], lengthField(FLOATS, new Uint8Array(4)))],
    ["too few floats", tensor("a", 1, [2], float(FLOATS, 1))],
    ["floats of five bytes", tensor("a", 1, [1], lengthField(FLOATS, new Uint8Array(5)))],
    ["float_data of another wire type", tensor("a", 1, [1], varint(FLOATS, 1))],
    ["too few varints", tensor("a", 6, [3], varints(INT32S, [300, 1]))],
    ["too many varints", tensor("a", 6, [1], varints(INT32S, [1, 1]))],
    ["varints cut short", tensor("a", 6, [2], lengthField(INT32S, Uint8Array.of(1, 0x80)))],
    ["a varint of eleven bytes", tensor("a", 6, [2], lengthField(INT32S, new Uint8Array(11).fill(0x80)))],
    ["an int8 of 128", tensor("a", 3, [1], varints(INT32S, [128]))],
    ["a uint8 of -1", tensor("a", 2, [1], varints(INT32S, [-1]))],
    ["a bool of 2", tensor("a", 9, [1], varints(INT32S, [2]))],
    ["a half of 65536", tensor("a", 10, [1], varints(INT32S, [65536]))],
    ["a segment", tensor("a", 3, [4], FOUR, lengthField(3, varint(1, 0)))],
    ["a name twice in it", tensor("a", 3, [4], FOUR, text(8, "b"))],
    ["varints beyond 64 MiB", tensor("a", 6, [2 ** 26], lengthField(INT32S, new Uint8Array(2 ** 26 + 1)))],
  ])("%s", async (_, initializer) => {
    const problem = await refusal(read(withTensor(initializer)));
    expect(problem.field).toMatch(/initializer/);
  });

  test("a name that two have", async () => {
    const problem = await refusal(read(withTensor(tensor("a", 3, [4], FOUR), tensor("a", 3, [4], FOUR))));
    expect(problem).toMatchObject({ code: "duplicate", field: "initializer names", actual: '"a"' });
  });

  test.each([
    [4, "UINT16 (4)"],
    [8, "STRING (8)"],
    [12, "UINT32 (12)"],
    [21, "UINT4 (21)"],
    [22, "INT4 (22)"],
    [0, "UNDEFINED (0)"],
    [1000, "an unknown type (1000)"],
  ])("type %d, by the tensor's name and its own", async (type, actual) => {
    const problem = await refusal(read(withTensor(tensor("conv.w", type, [4], FOUR))));
    expect(problem).toMatchObject({ code: "onnx-dtype", field: 'data_type of initializer "conv.w"', actual });
  });
});

describe("external data", () => {
  test.each([
    "/etc/passwd",
    "../data",
    "sub/../../data",
    "..",
    "sub/..",
    "",
    "sub//data",
    "data/",
    ".",
    "sub/.",
    "C:/data",
    "C:data",
    "file:///etc/passwd",
    "https://example.com/data",
    "..\\data",
    "\\\\server\\share",
    "data\0",
    "data\n",
    "a".repeat(5000),
  ])("location %j", async (location) => {
    const folder = memoryFolder({});
    const problem = await refusal(read(withTensor(outside("a", [1], { location })), folder));
    expect(problem).toMatchObject({ code: "path", field: 'location of data of initializer "a"' });
    expect(folder.asked).toEqual([]);
  });

  test.each([
    ["no location", {}],
    ["an offset that is no number", { location: "data", offset: "0x8" }],
    ["a negative offset", { location: "data", offset: "-8" }],
    ["an offset beyond the file", { location: "data", offset: "17" }],
    ["an offset of 10^15", { location: "data", offset: "1000000000000000" }],
    ["an offset of 10^30", { location: "data", offset: "1000000000000000000000000000000" }],
    ["a range that leaves the file", { location: "data", offset: "13", length: "4" }],
    ["a length that the shape does not have", { location: "data", length: "8" }],
    ["a length of nothing", { location: "data", length: "" }],
    ["a file that is too short", { location: "sub/data", offset: "4" }],
  ])("%s", async (_, entries) => {
    await refusal(read(withTensor(outside("a", [1], entries)), FOLDER));
  });

  test("a key that stands twice, and data inside and outside", async () => {
    const twice = tensor(
      "a",
      1,
      [1],
      entry(13, "location", "data"),
      entry(13, "location", "data"),
      varint(LOCATION, 1),
    );
    expect((await refusal(read(withTensor(twice), FOLDER))).code).toBe("duplicate");
    const both = tensor("a", 1, [1], raw(1, 2, 3, 4), entry(13, "location", "data"), varint(LOCATION, 1));
    expect((await refusal(read(withTensor(both), FOLDER))).actual).toBe("in 2");
  });
});

describe("mutations", () => {
  async function survives(bytes: Uint8Array): Promise<void> {
    const sink = memorySink();
    try {
      const model = await readOnnx(bytesSource(bytes), FOLDER);
      for (const item of model.tensors) await elementBytes(item);
      await writeOnnx(bytesSource(bytes), model, sink);
      const again = await readOnnx(bytesSource(sink.bytes()), FOLDER);
      expect((await contentOf(again)).tensors).toEqual((await contentOf(model)).tensors);
    } catch (error) {
      if (!(error instanceof FormatError || error instanceof DataError || /no file/.test(String(error)))) throw error;
    }
  }

  test("every byte changed, five ways", async () => {
    await everyByteChanged(SMALL, SMALL.length, [1, 2, 8, 0x80, 0xff], survives);
  });

  test("several bytes changed, put in or taken out at random", async () => {
    await editedAtRandom(SMALL, SMALL.length, 4, 3000, survives);
  });

  test("a malformed original leaves the sink as it was", async () => {
    const sink = memorySink();
    for (const original of [SMALL.slice(0, 60), new Uint8Array(0), bytesOf(Uint8Array.of(1, 2, 3))]) {
      await expect(writeOnnx(bytesSource(original), modelOf([]), sink)).rejects.toThrow(FormatError);
    }
    expect(sink.bytes()).toHaveLength(0);
  });
});
