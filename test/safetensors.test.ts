import { describe, expect, test } from "vitest";
import {
  bytesSource,
  FormatError,
  lazyTensor,
  type Model,
  memorySink,
  readSafetensors,
  writeSafetensors,
} from "../src/index.ts";
import { contentOf, counting, DTYPES, elementBytes, modelOf, noise, tensorOf } from "./files.ts";
import { expectSame, randomBytes } from "./helpers.ts";

/** A file by hand: length, header text, data. */
function fileOf(header: string | Uint8Array, data: Uint8Array = new Uint8Array(0)): Uint8Array<ArrayBuffer> {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(text.length), true);
  return Uint8Array.from([...length, ...text, ...data]);
}

/** The header of one tensor "a" of four bytes, with other fields. */
function header(fields: object): string {
  return JSON.stringify({ a: { dtype: "F32", shape: [1], data_offsets: [0, 4], ...fields } });
}

const FOUR = Uint8Array.of(1, 2, 3, 4);

function read(bytes: Uint8Array): Promise<Model> {
  return readSafetensors(bytesSource(bytes));
}

async function written(model: Model): Promise<Uint8Array> {
  const sink = memorySink();
  const length = await writeSafetensors(model, sink);
  expect(length).toBe(sink.bytes().length);
  return sink.bytes();
}

async function refusal(bytes: Uint8Array, what = ""): Promise<FormatError> {
  const error = await read(bytes).then(
    () => new Error("it was taken"),
    (e: unknown) => e,
  );
  expect(error, what).toBeInstanceOf(FormatError);
  const problem = error as FormatError;
  for (const part of [problem.code, problem.field, problem.expected, problem.actual]) expect(part, what).not.toBe("");
  expect(problem.offset, what).toBeGreaterThanOrEqual(0);
  return problem;
}

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

/** A source that claims to be larger than it is; reading beyond its bytes is a fault of the reader. */
function pretending(bytes: Uint8Array, byteLength: number) {
  const slice = async (start: number, end: number) => {
    if (end > bytes.length) throw new Error(`asked for ${start}..${end}`);
    return bytes.slice(start, end);
  };
  return { byteLength, slice };
}

describe("refusals", () => {
  test("every prefix, and one byte more", async () => {
    const bytes = await written(modelOf([noise("a", "F32", [2]), noise("b", "U8", [3])], { k: "v" }));
    for (let end = 0; end < bytes.length; end++) await refusal(bytes.slice(0, end), `${end} bytes`);
    const error = await refusal(Uint8Array.from([...bytes, 0]));
    expect(error.expected).toContain("end with the file");
  });

  test.each([-1, 1, 2 ** 20, 2 ** 31, 2 ** 32 - 1])("a header length that is off by %d", async (by) => {
    const bytes = fileOf(header({}), FOUR);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, view.getBigUint64(0, true) + BigInt(by), true);
    await refusal(bytes);
  });

  test("a header above 100 MB, before it is read", async () => {
    for (const length of [100_000_001n, 2n ** 32n, 2n ** 53n, 2n ** 64n - 1n]) {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigUint64(0, length, true);
      const source = pretending(bytes, Number.MAX_SAFE_INTEGER);
      const error = await readSafetensors(source).then(String, (e: FormatError) => e.code);
      expect(error, `${length}`).toBe("header-length");
    }
  });

  test.each([
    ["overlap", [0, 4], [3, 7]],
    ["overlap of all", [0, 4], [0, 4]],
    ["hole", [0, 4], [5, 9]],
    ["hole before the first", [1, 5], [5, 9]],
  ])("%s", async (_, first, second) => {
    const text = JSON.stringify({
      a: { dtype: "F32", shape: [1], data_offsets: first },
      b: { dtype: "F32", shape: [1], data_offsets: second },
    });
    const error = await refusal(fileOf(text, new Uint8Array(second[1])));
    expect(error.field).toContain("data_offsets");
  });

  const A = '{"dtype":"U8","shape":[0],"data_offsets":[0,0]}';
  test.each([
    ["plain", `{"a":${A},"a":${A}}`],
    ["escaped", `{"a":${A},"\\u0061":${A}}`],
    ["spaced", `{"a" :${A} , "a"\n:${A}}`],
    ["of metadata", `{"__metadata__":{},"__metadata__":{}}`],
    ["of __proto__", `{"__proto__":${A},"__proto__":${A}}`],
    ["behind a value that looks like JSON", `{"__metadata__":{"x":"}{\\"a\\":"},"a":${A},"a":${A}}`],
    ["with quotes", `{"\\"":${A},"\\u0022":${A}}`],
  ])("duplicate names, %s", async (_, text) => {
    const error = await refusal(fileOf(text));
    expect(error.field).toBe("tensor names");
  });

  test("names that only look alike are none", async () => {
    const text = `{"__metadata__":{"a":"a\\":","b":"{"},"a":${A},"A":${A},"a ":${A},"dtype":${A},"\\\\u0061":${A}}`;
    expect((await read(fileOf(text))).tensors).toHaveLength(5);
  });

  test.each([
    ["an unknown dtype", { dtype: "F8_E4M3" }],
    ["a dtype of another case", { dtype: "f32" }],
    ["a dtype from the prototype", { dtype: "toString" }],
    ["no dtype", { dtype: undefined }],
    ["a dtype that is a list", { dtype: ["F32"] }],
    ["no shape", { shape: undefined }],
    ["a shape that is a number", { shape: 1 }],
    ["a negative extent", { shape: [-1] }],
    ["two negative extents", { shape: [-1, -1] }],
    ["an extent with a fraction", { shape: [1.5] }],
    ["an extent that is text", { shape: ["1"] }],
    ["an extent of 2^53", { shape: [2 ** 53] }],
    ["an extent of 1e300", { shape: [1e300] }],
    ["a product beyond 2^53", { shape: [2 ** 27, 2 ** 27] }],
    ["a product hidden by a zero", { shape: [2 ** 52, 2 ** 52, 0], data_offsets: [0, 0] }],
    ["a product that wraps to the right size", { shape: [2 ** 32, 2 ** 32 + 1] }],
    ["bytes beyond 2^53", { shape: [2 ** 52] }],
    ["no offsets", { data_offsets: undefined }],
    ["one offset", { data_offsets: [4] }],
    ["three offsets", { data_offsets: [0, 4, 4] }],
    ["offsets the wrong way round", { data_offsets: [4, 0] }],
    ["a negative offset", { data_offsets: [-4, 0] }],
    ["an offset with a fraction", { data_offsets: [0.5, 4.5] }],
    ["offsets that do not fit the shape", { shape: [2] }],
  ])("%s", async (_, fields) => {
    const error = await refusal(fileOf(header(fields), FOUR));
    expect(error.field).toContain('"a"');
  });

  test("offsets beyond the file", async () => {
    const error = await refusal(fileOf(header({ shape: [2 ** 40], data_offsets: [0, 2 ** 42] }), FOUR));
    expect(error.expected).toContain("end with the file");
  });

  test.each([
    ["that is no object", '{"a":7}'],
    ["that is null", '{"a":null}'],
    ["that is text", '{"a":"F32"}'],
    ["that is a list", '{"a":[]}'],
  ])("a tensor %s", async (_, text) => {
    await refusal(fileOf(text));
  });

  test.each([
    ["a list", "[]"],
    ["text", '"a"'],
    ["nothing", ""],
    ["spaces", "   "],
    ["a space before it", " {}"],
    ["a byte order mark before it", "\ufeff{}"],
    ["cut short", '{"a":'],
    ["something behind it", "{} x"],
    ["a comment", "{/**/}"],
    ["NaN", '{"a":NaN}'],
  ])("a header that is %s", async (_, text) => {
    await refusal(fileOf(text));
  });

  test("a header that is not UTF-8", async () => {
    for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82]]) {
      const text = Uint8Array.from([...Buffer.from('{"'), ...bytes, ...Buffer.from(`":${A}}`)]);
      expect((await refusal(fileOf(text))).expected).toBe("UTF-8 text");
    }
  });

  test.each(["7", "null", "[]", '{"a":1}', '{"a":null}', '{"a":{"b":"c"}}', '"text"'])(
    "metadata that is %s",
    async (metadata) => {
      expect((await refusal(fileOf(`{"__metadata__":${metadata}}`))).field).toBe("__metadata__");
    },
  );

  test("nesting without end", async () => {
    const deep = "[".repeat(200_000) + "]".repeat(200_000);
    for (const text of [`{"a":${deep}}`, `{"__metadata__":${deep}}`, header({}).replace("[1]", deep)]) {
      await refusal(fileOf(text, FOUR));
    }
    const fields = `{"dtype":${deep},"shape":[1],"data_offsets":[0,4]}`;
    await refusal(fileOf(`{"a":${fields}}`, FOUR));
  });

  test("every change of one byte of the header is refused or read as what it says", async () => {
    const text = header({ shape: [2, 2], data_offsets: [0, 16] });
    for (let at = 0; at < text.length; at++) {
      for (const by of [1, 32, 128]) {
        const bytes = fileOf(text, new Uint8Array(16));
        bytes[8 + at] ^= by;
        const result = await read(bytes).catch((e: unknown) => e);
        if (result instanceof Error) expect(result).toBeInstanceOf(FormatError);
        else expect((await contentOf(result as Model)).tensors.map((t) => t.bytes.length)).toEqual([32]);
      }
    }
  });
});
