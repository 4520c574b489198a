import { describe, expect, test } from "vitest";
import { FormatError, type Model, readSafetensors } from "../src/index.ts";
import { contentOf, modelOf, noise } from "./files.ts";
import { editedAtRandom } from "./hostile.ts";
import { FOUR, fileOf, header, read, refusal, written } from "./safetensors.files.ts";

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

  test("a key of a tensor that stands twice", async () => {
    const error = await refusal(fileOf('{"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}'));
    expect(error.field).toBe("keys of a tensor");
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

  test("several bytes changed, put in or taken out at random", async () => {
    const small = await written(modelOf([noise("a", "F32", [2]), noise("b", "U8", [3])], { k: "v" }));
    await editedAtRandom(small, small.length, 4, 3000, async (bytes) => {
      const model = await read(bytes).catch((e: unknown) => e);
      if (model instanceof Error) expect(model).toBeInstanceOf(FormatError);
      else {
        const content = await contentOf(model as Model);
        expect(await contentOf(await read(await written(model as Model)))).toEqual(content);
      }
    });
  });
});
