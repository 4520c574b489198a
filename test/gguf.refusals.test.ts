import { describe, expect, test } from "vitest";
import { DataError, FormatError, memorySink, readGguf, writeGguf } from "../src/index.ts";
import { contentOf, elementBytes } from "./files.ts";
import { fileOf, info, key, read, refusal, TYPES, text, u32, u64, VECTOR } from "./gguf.files.ts";
import { editedAtRandom, everyByteChanged } from "./hostile.ts";
import { concat } from "./reference/huffman.ts";

/** A source that claims to be larger than it is; reading far beyond its bytes is a fault of the reader. */
function pretending(bytes: Uint8Array, byteLength: number, most: number) {
  const slice = async (start: number, end: number) => {
    if (end > most) throw new Error(`asked for ${start}..${end}`);
    const out = new Uint8Array(end - start);
    out.set(bytes.subarray(start, end));
    return out;
  };
  return { byteLength, slice };
}

function codeOf(source: Parameters<typeof readGguf>[0]): Promise<string> {
  return readGguf(source).then(
    () => "taken",
    (error: FormatError) => error.code ?? String(error),
  );
}

describe("truncation", () => {
  test("every prefix is refused, or lacks only padding and reads the same", async () => {
    const whole = await contentOf(await read(VECTOR));
    const end = VECTOR.length - 60;
    for (let length = 0; length < VECTOR.length; length++) {
      if (length < end) await refusal(VECTOR.slice(0, length), `${length} bytes`);
      else expect(await contentOf(await read(VECTOR.slice(0, length)))).toEqual(whole);
    }
  });

  test("bytes behind the last tensor are not read", async () => {
    const longer = concat(VECTOR, new Uint8Array(100).fill(7));
    expect(await contentOf(await read(longer))).toEqual(await contentOf(await read(VECTOR)));
  });
});

describe("bombs are refused before anything of their size is read", () => {
  const HUGE = [2n ** 24n + 1n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];
  const cases: [string, (n: bigint) => Uint8Array][] = [
    ["tensors", (n) => fileOf({ tensorCount: n })],
    ["keys", (n) => fileOf({ keyCount: n })],
    ["bytes of a key", (n) => fileOf({ keys: [u64(n)], keyCount: 1 })],
    ["bytes of a string", (n) => fileOf({ keys: [key("a", TYPES.string, u64(n))] })],
    ["values of a list", (n) => fileOf({ keys: [key("a", TYPES.array, u32(TYPES.u8), u64(n))] })],
    ["strings of a list", (n) => fileOf({ keys: [key("a", TYPES.array, u32(TYPES.string), u64(n))] })],
    ["lists of a list", (n) => fileOf({ keys: [key("a", TYPES.array, u32(TYPES.array), u64(n))] })],
    ["bytes of a tensor's name", (n) => fileOf({ tensors: [u64(n)], tensorCount: 1 })],
  ];
  test.each(cases)("%s", async (_, make) => {
    for (const n of HUGE) {
      const bytes = make(n);
      expect(await codeOf(pretending(bytes, Number.MAX_SAFE_INTEGER, 65536)), `${n}`).toBe("limit");
      await refusal(bytes, `${n}`);
    }
  });

  test("a header above 100 MB, however it gets there", async () => {
    const string = (name: string) => concat(text(name), u32(TYPES.string), u64(2 ** 24));
    const head = fileOf({ keyCount: 9 }).slice(0, 24);
    const slice = async (start: number, end: number) => {
      if (end > 100_000_000) throw new Error(`asked for ${start}..${end}`);
      const out = new Uint8Array(end - start);
      out.set(head);
      for (let i = 0, at = 24; at + 21 <= end; i++, at += 21 + 2 ** 24) out.set(string(String(i)), at);
      return out;
    };
    expect(await codeOf({ byteLength: 2 ** 40, slice })).toBe("header-length");
    const dimensions = concat(text("a"), u32(2 ** 32 - 1));
    expect((await refusal(fileOf({ tensors: [dimensions], data: 64 }))).field).toContain("dimension count");
  });

  test("lists that are small each and huge together", async () => {
    const one = key("x", TYPES.array, u32(TYPES.u8), u64(2 ** 21), new Uint8Array(2 ** 21));
    const name = (i: number) => concat(one.slice(0, 8), Uint8Array.of(97 + i), one.slice(9));
    expect((await read(fileOf({ keys: [name(0), name(1)] }))).metadata?.a).toHaveLength(2 ** 22 + 1);
    expect((await refusal(fileOf({ keys: [name(0), name(1), name(2)] }))).code).toBe("limit");
  });

  test("nesting without end", async () => {
    const nested = (depth: number) => {
      const lists = Array.from({ length: depth - 1 }, () => concat(u32(TYPES.array), u64(1)));
      return fileOf({ keys: [key("a", TYPES.array, ...lists, u32(TYPES.u8), u64(0))] });
    };
    expect((await read(nested(4))).metadata?.a).toBe('[{"array":[{"array":[{"u8":[]}]}]}]');
    for (const depth of [5, 6, 1000, 100_000]) expect((await refusal(nested(depth))).code).toBe("limit");
  });
});

describe("headers that lie", () => {
  const KEY = key("a", TYPES.u32, u32(1));
  test.each([
    ["another magic", "magic", { magic: "GGML" }],
    ["version 1", "version", { version: 1 }],
    ["version 4", "version", { version: 4 }],
    ["big endian", "byte order", { version: 0x3000000 }],
    ["fewer keys than announced", "metadata key", { keys: [KEY], keyCount: 2 }],
    ["a key twice", "metadata keys", { keys: [KEY, KEY] }],
    ["a key without characters", "metadata key", { keys: [key("", 0, Uint8Array.of(1))] }],
    ["a key that is not ASCII", "metadata key", { keys: [key("é", 0, Uint8Array.of(1))] }],
    ["a key that quern keeps for itself", "metadata key", { keys: [key("GGUF", TYPES.string, text("x"))] }],
    ["a key of 65536 bytes", "metadata key", { keys: [key("a".repeat(65536), 0, Uint8Array.of(1))] }],
    ["a value of type 13", 'type of value of "a"', { keys: [key("a", 13, u32(1))] }],
    ["a list of type 13", 'type of value of "a"', { keys: [key("a", TYPES.array, u32(13), u64(0))] }],
    ["a bool of 2", 'value of "a"', { keys: [key("a", TYPES.bool, Uint8Array.of(2))] }],
    ["an alignment of 0", "general.alignment", { keys: [key("general.alignment", TYPES.u32, u32(0))] }],
    ["an alignment of 12", "general.alignment", { keys: [key("general.alignment", TYPES.u32, u32(12))] }],
    ["an alignment of 2^31", "general.alignment", { keys: [key("general.alignment", TYPES.u32, u32(2 ** 31))] }],
    ["an alignment that is text", "general.alignment", { keys: [key("general.alignment", TYPES.string, text("32"))] }],
  ])("%s", async (_, field, parts) => {
    expect((await refusal(fileOf({ data: 64, ...parts }))).field).toBe(field);
  });

  test.each([
    ["a name twice", "tensor names", [info("a", 24, [32]), info("a", 24, [32], 32)]],
    ["a name that is not UTF-8", "tensor name", [concat(u64(1), Uint8Array.of(255), u32(0), u32(24), u64(0))]],
    ["a name of 1025 characters", "tensor name", [info("a".repeat(1025), 24, [1])]],
    ["17 dimensions", "dimension count", [info("a", 24, new Array(17).fill(1))]],
    ["a row that is no whole count of blocks", "row", [info("a", 8, [33])]],
    ["a scalar of blocks", "row", [info("a", 8, [])]],
    ["a column of blocks", "row", [info("a", 2, [1, 32])]],
    ["an extent beyond 2^53", "shape", [info("a", 24, [2n ** 53n])]],
    ["an extent that looks negative", "shape", [info("a", 24, [2n ** 64n - 1n])]],
    ["a product beyond 2^53", "shape", [info("a", 24, [2 ** 30, 2 ** 30])]],
    ["a product hidden by a zero", "shape", [info("a", 24, [2 ** 30, 2 ** 30, 0])]],
    ["more bytes than the file", "offset", [info("a", 24, [65])]],
    ["the same bytes twice", "offset", [info("a", 24, [32]), info("b", 24, [32], 0)]],
    ["overlap", "offset", [info("a", 24, [33]), info("b", 24, [1], 32)]],
    ["a hole", "offset", [info("a", 24, [1], 32)]],
    ["a hole between", "offset", [info("a", 24, [1]), info("b", 24, [1], 64)]],
    ["an offset that is not aligned", "offset", [info("a", 24, [1]), info("b", 24, [1], 1)]],
    ["an offset beyond 2^53", "offset", [info("a", 24, [1], 2n ** 64n - 32n)]],
  ])("tensors with %s", async (_, field, tensors) => {
    expect((await refusal(fileOf({ tensors, data: 64 }))).field).toContain(field);
  });

  test.each([
    [6, "Q5_0 (6)"],
    [12, "Q4_K (12)"],
    [16, "IQ2_XXS (16)"],
    [31, "an unknown type (31)"],
    [39, "MXFP4 (39)"],
    [2 ** 32 - 1, "an unknown type (4294967295)"],
  ])("tensor type %d, by the tensor's name and its own", async (type, actual) => {
    const problem = await refusal(fileOf({ tensors: [info("blk.0.attn_q.weight", type, [256])], data: 512 }));
    expect(problem).toMatchObject({ code: "gguf-dtype", field: 'type of tensor "blk.0.attn_q.weight"', actual });
  });
});

describe("mutations", () => {
  /** Reads all that there is and writes it again; what comes out has to be one of the package's errors. */
  async function survives(bytes: Uint8Array): Promise<void> {
    try {
      const model = await read(bytes);
      for (const tensor of model.tensors) await elementBytes(tensor);
      await writeGguf(model, memorySink());
    } catch (error) {
      if (!(error instanceof FormatError || error instanceof DataError)) throw error;
    }
  }

  test("every byte changed, three ways", async () => {
    await everyByteChanged(VECTOR, 1536, [1, 0x80, 0xff], survives);
  });

  test("several bytes changed, put in or taken out at random", async () => {
    await editedAtRandom(VECTOR, 1536, 8, 2000, survives);
  });
});
