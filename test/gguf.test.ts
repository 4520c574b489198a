import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type DType,
  diffModels,
  lazyTensor,
  memorySink,
  open,
  readGguf,
  readSafetensors,
  writeGguf,
  writeSafetensors,
} from "../src/index.ts";
import { as } from "../src/model/convert.ts";
import { decodeText, encodeText } from "../src/model/gguf/text.ts";
import { bytesOf as sizeOf } from "../src/tensor.ts";
import { contentOf, counting, elementBytes, modelOf, noise, packed, SIMD, tensorOf } from "./files.ts";
import { cannotWrite, fileOf, info, key, read, TYPES, text, u32, u64, VECTOR, written } from "./gguf.files.ts";
import { bytesOf, expectSame, randomBytes } from "./helpers.ts";
import { concat } from "./reference/huffman.ts";

const GGUF_DTYPES: DType[] = ["F32", "F16", "BF16", "F64", "I8", "I16", "I32", "I64", "Q8_0", "Q4_0", "Q4_1"];

function anyTensor(name: string, dtype: DType, shape: number[], seed = 1) {
  const bytes = randomBytes(
    sizeOf(
      dtype,
      shape.reduce((a, b) => a * b, 1),
    ),
    seed,
  );
  return lazyTensor({ name, dtype, shape, bytes });
}

describe("a file that a C program made from the specification", () => {
  const shapes: [string, DType, number[], number][] = [
    ["f32", "F32", [2, 3], 24],
    ["f16", "F16", [5], 10],
    ["q4_0", "Q4_0", [3, 64], 108],
    ["q4_1", "Q4_1", [32], 20],
    ["q8_0", "Q8_0", [2, 2, 32], 136],
    ["i8", "I8", [1, 3, 2, 1], 6],
    ["i16", "I16", [3], 6],
    ["i32", "I32", [1], 4],
    ["i64", "I64", [2], 16],
    ["f64", "F64", [2, 1], 16],
    ["bf16", "BF16", [7], 14],
    ["scalar", "F32", [], 4],
  ];

  test("has the tensors that the program wrote, shapes outermost first", async () => {
    const { tensors } = await contentOf(await read(VECTOR));
    const expected = shapes.map(([name, dtype, shape, count], t) => {
      const bytes = Uint8Array.from({ length: count }, (_, i) => 31 * i + 7 * t + 1);
      return { name, dtype, shape, bytes: Buffer.from(bytes).toString("hex") };
    });
    expect(tensors).toEqual(expected);
  });

  test("has its metadata as text, every value exactly", async () => {
    const { GGUF, ...metadata } = (await read(VECTOR)).metadata ?? {};
    expect(metadata).toEqual({
      "general.architecture": "test",
      "general.alignment": "64",
      "general.quantization_version": "2",
      "a.u8": "255",
      "a.i8": "-128",
      "a.u16": "65535",
      "a.i16": "-32768",
      "a.u32": "4294967295",
      "a.i32": "-2147483648",
      "a.f32": "0.00001",
      "a.true": "true",
      "a.false": "false",
      "a.string": "é😀",
      "a.empty": "",
      "a.bytes": "a\udcff\udcc3z\0",
      "a.u64": "18446744073709551615",
      "a.i64": "-9223372036854775808",
      "a.small": "42",
      "a.f64": "0.1",
      "a.zero": "-0",
      "a.nan": "NaN",
      "a.odd_nan": "NaN:fff0000000000001",
      "a.infinity": "-Infinity",
      "b.f32": '[0.1,"-Infinity",3]',
      "b.strings": '["<unk>","\\udce2\\udc96","\\""]',
      "b.bools": "[true,false]",
      "b.u64": '[1,"9007199254740993"]',
      "b.none": "[]",
      "b.nested": '[{"u8":[1,2]},{"array":[{"string":["x"]}]}]',
    });
    const { version, types } = JSON.parse(GGUF);
    expect(version).toBe(3);
    expect(types.map(([name]: [string]) => name)).toEqual(Object.keys(metadata));
    expect(Object.fromEntries(types)).toMatchObject({ "a.nan": "f32", "b.none": "[i16]", "b.nested": "[array]" });
  });

  test("is written again byte for byte, directly and after a way through safetensors", async () => {
    const model = await read(VECTOR);
    expectSame(await written(model), VECTOR);
    const plain = { ...model, tensors: model.tensors.filter(({ dtype }) => !dtype.startsWith("Q")) };
    const sink = memorySink();
    await writeSafetensors(plain, sink);
    const again = await readSafetensors({
      byteLength: sink.bytes().length,
      slice: async (a, b) => sink.bytes().slice(a, b),
    });
    expectSame(await written(again), await written(plain));
  });
});

test("metadata and tensors survive a .quern file", async () => {
  const model = await read(VECTOR);
  const plain = { ...model, tensors: model.tensors.filter(({ dtype }) => !dtype.startsWith("Q")) };
  for (const plan of ["raw", "lossless"]) {
    const { bytes } = await packed(plain, plan);
    const file = await open(bytes, { kernels: SIMD });
    expect(file.metadata).toEqual(model.metadata);
    expectSame(await written(file.model()), await written(plain));
  }
});

describe("reading", () => {
  test("names come from a window that grows, elements from their range alone", async () => {
    const tokens = Array.from({ length: 40_000 }, (_, i) => text(`token ${i}`));
    const list = key("tokenizer.ggml.tokens", TYPES.array, u32(TYPES.string), u64(tokens.length), ...tokens);
    const bytes = fileOf({ keys: [list], tensors: [info("a", 0, [8]), info("b", 8, [32], 32)], data: 66 });
    const source = counting(bytes);
    const model = await readGguf(source);
    const ends = source.ranges.map(([, end]) => end);
    expect(source.ranges.every(([start]) => start === 0)).toBe(true);
    expect(ends[0]).toBe(65536);
    expect(ends.length).toBeLessThanOrEqual(5);
    for (const [i, end] of ends.slice(1, -1).entries()) expect(end).toBeGreaterThanOrEqual(2 * ends[i]);
    source.ranges.length = 0;
    await model.tensors[1].read(0, 32);
    await model.tensors[0].read(2, 5);
    const start = bytes.length - 66;
    expect(source.ranges).toEqual([
      [start + 32, start + 66],
      [start + 8, start + 20],
    ]);
    expect(JSON.parse(model.metadata?.["tokenizer.ggml.tokens"] ?? "")).toHaveLength(40_000);
  });

  test("a file of terabytes is listed from one window", async () => {
    const [a, b] = [2 ** 41, 2 ** 40];
    const head = fileOf({ tensors: [info("a", 24, [2 ** 20, 2 ** 21]), info("b", 27, [b], a)] });
    const ranges: [number, number][] = [];
    const slice = async (start: number, end: number) => {
      ranges.push([start, end]);
      const out = new Uint8Array(end - start);
      if (start < head.length) out.set(head.subarray(start, end));
      return out;
    };
    const { tensors } = await readGguf({ byteLength: head.length + a + 8 * b, slice });
    expect(tensors.map(({ shape }) => shape)).toEqual([[2 ** 21, 2 ** 20], [b]]);
    await tensors[1].read(b - 1, b);
    expect(ranges).toEqual([
      [0, 65536],
      [head.length + a + 8 * b - 8, head.length + a + 8 * b],
    ]);
  });

  test("takes version 2, no tensors, no keys, and a file that ends with its last tensor", async () => {
    for (const version of [2, 3]) {
      const bytes = fileOf({ version, tensors: [info("a", 24, [3])], data: 32 });
      expectSame(await written(await read(bytes.subarray(0, -29))), bytes);
      expectSame(await written(await read(fileOf({ version }))), fileOf({ version }));
      expectSame(await written(await read(fileOf({ version }).subarray(0, 24))), fileOf({ version }));
    }
  });
});

describe("writing", () => {
  test.each(GGUF_DTYPES)(
    "round trips %s in one to four dimensions, tensors without elements, and a scalar",
    async (dtype) => {
      const blocks = dtype.startsWith("Q");
      const shapes = blocks
        ? [[32], [3, 64], [2, 1, 32], [2, 2, 2, 32], [0, 32]]
        : [[], [1], [2, 3], [2, 0, 4], [1, 2, 3, 4]];
      const model = modelOf(shapes.map((shape, i) => anyTensor(`${dtype} ${i}`, dtype, shape, i)));
      const bytes = await written(model);
      const again = await read(bytes);
      expect((await contentOf(again)).tensors).toEqual((await contentOf(model)).tensors);
      expectSame(await written(again), bytes);
    },
  );

  test("large tensors go in pieces, and abort stops between them", async () => {
    const model = modelOf([anyTensor("q", "Q8_0", [1000, 4096]), anyTensor("f", "F32", [300_000])]);
    const steps: { done: number; total: number }[] = [];
    const sink = memorySink();
    const total = await writeGguf(model, sink, { onProgress: (step) => steps.push(step) });
    expect(steps.at(-1)).toEqual({ done: total, total });
    expect(steps).toHaveLength(7);
    const again = await read(sink.bytes());
    for (const [i, tensor] of model.tensors.entries()) {
      expectSame(await elementBytes(again.tensors[i]), await elementBytes(tensor));
    }
    const stopped = writeGguf(model, memorySink(), { signal: AbortSignal.abort(new Error("enough")) });
    await expect(stopped).rejects.toThrow("enough");
  });

  test("metadata of other formats become strings, and what is added or gone is", async () => {
    const { metadata } = await read(await written(modelOf([], { format: "pt", note: "é" })));
    expect(metadata).toEqual({ format: "pt", note: "é", GGUF: expect.any(String) });
    const rest: Record<string, string> = { ...(await read(VECTOR)).metadata, "new.key": "u32 7" };
    delete rest["a.u8"];
    const changed = (await read(await written(modelOf([], rest)))).metadata;
    expect(changed).toEqual({ ...rest, GGUF: expect.any(String) });
    expect(JSON.parse(changed?.GGUF ?? "").types).toHaveLength(29);
  });

  test("quantized tensors get the version that the specification asks for", async () => {
    const { metadata } = await read(await written(modelOf([anyTensor("q", "Q4_0", [32])], { a: "b" })));
    expect(metadata).toMatchObject({ a: "b", "general.quantization_version": "2" });
  });

  test.each([
    ["U8", modelOf([noise("bytes", "U8", [3])]), /"bytes" cannot be written as GGUF: GGUF has no type for U8/],
    ["BOOL", modelOf([noise("flags", "BOOL", [3])]), /no type for BOOL/],
    ["five dimensions", modelOf([noise("a", "I8", [1, 1, 1, 1, 1])]), /5 dimensions, more than 4/],
    ["a long name", modelOf([noise("a".repeat(64), "I8", [1])]), /more than 63 bytes/],
    ["a name twice", modelOf([noise("a", "I8", [1]), noise("a", "I8", [1])]), /"a" stands twice/],
    ["a key that is not ASCII", modelOf([], { é: "x" }), /ASCII/],
    ["an empty key", modelOf([], { "": "x" }), /ASCII/],
    ["text that no bytes give", modelOf([], { a: "\ud800" }), /metadata "a".*type string/],
    ["an alignment of 7", modelOf([], { "general.alignment": "7" }), /multiple of 8/],
    ["a record that is no JSON", modelOf([], { GGUF: "{" }), /record of a GGUF file/],
    ["a record of version 1", modelOf([], { GGUF: '{"version":1,"types":[]}' }), /version 1/],
    [
      "a record with a key twice",
      modelOf([], { a: "", GGUF: '{"version":3,"types":[["a","u8"],["a","u8"]]}' }),
      /twice/,
    ],
  ])("refuses %s", async (_, model, message) => {
    await cannotWrite(model, message);
  });

  test.each([
    ["u8", "256"],
    ["u8", "-1"],
    ["i8", "128"],
    ["u64", "18446744073709551616"],
    ["i64", "9223372036854775808"],
    ["i32", "1.5"],
    ["u32", ""],
    ["u32", "0x10"],
    ["f32", "x"],
    ["f32", ""],
    ["f32", "NaN:7fc0000000"],
    ["bool", "1"],
    ["u128", "1"],
    ["array", "[]"],
    ["[u8]", "[256]"],
    ["[u8]", "7"],
    ["[u8]", "["],
    ["[string]", "[1]"],
    ["[array]", "[[1]]"],
    ["[array]", '[{"u8":[1],"i8":[1]}]'],
  ])("refuses a value of type %s that is %j", async (type, value) => {
    await cannotWrite(modelOf([], { a: value, GGUF: JSON.stringify({ version: 3, types: [["a", type]] }) }), /"a"/);
  });
});

describe("any bytes at all", () => {
  const bits = (type: number, count: number) =>
    fc.uint8Array({ minLength: count, maxLength: count }).map((b) => ({ type, b }));
  const WIDTHS: [number, number][] = [
    [0, 1],
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 4],
    [5, 4],
    [6, 4],
    [10, 8],
    [11, 8],
    [12, 8],
  ];

  test("numbers of every type survive as text, alone and in lists", async () => {
    const number = fc.constantFrom(...WIDTHS).chain(([type, width]) => bits(type, width));
    await fc.assert(
      fc.asyncProperty(number, fc.integer({ min: 1, max: 3 }), async ({ type, b }, n) => {
        const list = key("b", TYPES.array, u32(type), u64(n), ...Array.from({ length: n }, () => b));
        const bytes = fileOf({ keys: [key("a", type, b), list] });
        expectSame(await written(await read(bytes)), bytes);
      }),
      { numRuns: 2000 },
    );
  });

  test("NaN with every payload", async () => {
    for (const bit of [0, 1, 5, 21, 22, 31]) {
      const b = u32((0x7f800001 | (1 << bit)) >>> 0);
      const bytes = fileOf({ keys: [key("a", TYPES.f32, b), key("b", TYPES.array, u32(TYPES.f32), u64(1), b)] });
      expectSame(await written(await read(bytes)), bytes);
    }
  });

  test("strings survive, whatever their bytes", async () => {
    const awkward = fc.constantFrom(
      ...[
        [0xed, 0xb2, 0x80],
        [0xef, 0xbf, 0xbd],
        [0xef, 0xbb, 0xbf],
        [0xf4, 0x90, 0x80, 0x80],
        [0xc0, 0x80],
        [0xf0, 0x9f, 0x98, 0x80],
        [0xe0, 0x80],
      ],
    );
    const pieces = fc.array(fc.oneof(awkward, fc.array(fc.nat(255), { maxLength: 3 })), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(pieces, async (parts) => {
        const bytes = Uint8Array.from(parts.flat());
        expectSame(encodeText(decodeText(bytes)) ?? new Uint8Array(0), bytes);
        const file = fileOf({ keys: [concat(text("a"), u32(TYPES.string), u64(bytes.length), bytes)] });
        expectSame(await written(await read(file)), file);
      }),
      { numRuns: 1000 },
    );
    expect(decodeText(Uint8Array.of(0xef, 0xbf, 0xbd))).toBe("\ufffd");
  });
});

test("tensors of all dtypes beside each other keep their places", async () => {
  const model = modelOf(GGUF_DTYPES.map((dtype, i) => anyTensor(dtype, dtype, [i + 1, 32], i)));
  expect((await contentOf(await read(await written(model)))).tensors).toEqual((await contentOf(model)).tensors);
  expect(tensorOf("x", "I8", [1], Int8Array.of(1)).dtype).toBe("I8");
});

test("tensors of blocks are compared by their values, and become floats where floats are asked for", async () => {
  // Two rows: d = 0.5 and codes -16..15, d = -2 and codes all 3.
  const rows = [
    [0x00, 0x38, ...Array.from({ length: 32 }, (_, i) => (i - 16) & 255)],
    [0x00, 0xc0, ...new Array(32).fill(3)],
  ];
  const blocks = lazyTensor({ name: "w", dtype: "Q8_0", shape: [2, 32], bytes: Uint8Array.from(rows.flat()) });
  const values = Float32Array.from({ length: 64 }, (_, i) => (i < 32 ? (i - 16) / 2 : -6));
  const floats = modelOf([tensorOf("w", "F32", [2, 32], values)]);
  const again = await read(await written(modelOf([blocks])));
  expect((await diffModels(floats, again)).total).toMatchObject({ elements: 64, maxAbs: 0, identical: false });
  const other = modelOf([
    tensorOf(
      "w",
      "F32",
      [2, 32],
      values.map((x, i) => (i === 40 ? x + 1 : x)),
    ),
  ]);
  expect((await diffModels(other, again)).total.maxAbs).toBe(1);
  expectSame(await elementBytes(as("F32", again.tensors[0], "a test")), bytesOf(values));
});
