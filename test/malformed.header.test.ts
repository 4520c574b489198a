import { describe, expect, test } from "vitest";
import { FormatError, open } from "../src/index.ts";
import {
  BOTH,
  counting,
  ENTRY,
  modelOf,
  noise,
  type Parts,
  PRELUDE,
  packed,
  partsOf,
  readAll,
  SIMD,
  sealed,
  tensorOf,
} from "./files.ts";
import { weights } from "./helpers.ts";

// Headers that lie, their hash being right: refused before anything large is read or allocated.

const MODEL = modelOf([tensorOf("w", "F32", [4, 75], weights(300, 1)), noise("b", "U8", [40])], { k: "v" });
const { bytes: FILE } = await packed(MODEL, "small 0=raw; int8 group 33 asymmetric > huffman");
const PARTS = partsOf(FILE);

interface Description {
  plan: unknown;
  metadata: unknown;
  sections: unknown[][];
  tensors: unknown[][];
}

function described(edit: (value: Description) => unknown): Parts {
  const value = JSON.parse(PARTS.json) as Description;
  const result = edit(value);
  return { ...PARTS, json: JSON.stringify(result ?? value) };
}

async function refusal(file: Uint8Array): Promise<FormatError> {
  const source = counting(file);
  const before = process.memoryUsage().arrayBuffers;
  const error: unknown = await open(source, { kernels: SIMD }).then(
    () => new Error("it was taken"),
    (e: unknown) => e,
  );
  if (!(error instanceof FormatError)) throw error;
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32e6);
  for (const [start, end] of source.ranges) expect([start >= 0, end <= file.length]).toEqual([true, true]);
  const again: unknown = await open(file, { kernels: BOTH[1] }).catch((e: unknown) => e);
  expect(again).toEqual(error);
  for (const part of [error.field, error.expected, error.actual, error.code]) expect(part).not.toBe("");
  return error;
}

test("the file that is forged below is good", async () => {
  expect(await readAll(sealed(PARTS), BOTH[0])).toBe(await readAll(FILE, BOTH[1]));
  expect(sealed(described(() => undefined))).toEqual(FILE);
});

describe("the prelude", () => {
  const lies = (at: number, value: number | bigint) => (header: DataView) => {
    if (typeof value === "bigint") header.setBigUint64(at, BigInt.asUintN(64, value), true);
    else header.setUint32(at, value, true);
  };
  const [json, chunks] = [PARTS.json.length, PARTS.chunks.length];
  const decoded = Number(new DataView(FILE.buffer).getBigUint64(48, true));
  const [stored, largest] = [32, 36].map((at) => new DataView(FILE.buffer).getUint32(at, true));

  test.each<[string, number, (number | bigint)[]]>([
    ["JSON length", 20, [0, json - 8, json + 8, json + 1, 2 ** 31, 2 ** 32 - 8, 2 ** 32 - 1]],
    ["record length", 24, [8, 4, 32, 2 ** 32 - 8, 2 ** 32 - 1]],
    ["chunk count", 28, [0, chunks - 1, chunks + 1, 2 ** 27, 2 ** 31, 2 ** 32 - 1]],
    ["largest stored chunk", 32, [0, stored - 1, stored + 1, largest + 129, 2 ** 32 - 1]],
    ["largest decoded chunk", 36, [0, largest - 1, largest + 1, 2 ** 20, 2 ** 20 + 1, 2 ** 32 - 1]],
    ["file length", 40, [0n, BigInt(FILE.length - 1), BigInt(FILE.length) + 2n ** 32n, 2n ** 53n, 2n ** 64n - 1n]],
    [
      "decoded total",
      48,
      [0n, BigInt(decoded - 1), BigInt(decoded + 1), BigInt(decoded) + 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n],
    ],
  ])("%s", async (_, at, values) => {
    for (const value of values) await refusal(sealed(PARTS, lies(at, value)));
  });

  test("reserved bytes and versions", async () => {
    for (const at of [8, 9, 10, 11]) {
      const { offset } = await refusal(sealed(PARTS, (header) => header.setUint8(at, header.getUint8(at) ^ 4)));
      expect(offset).toBe(at - (at % 2));
    }
  });

  test("a required feature is refused by the number of its bit", async () => {
    for (let bit = 0; bit < 32; bit++) {
      const error = await refusal(sealed(PARTS, lies(12, 2 ** bit)));
      expect(error.code).toBe("feature");
      expect(error.message).toMatch(new RegExp(`\\bbit ${bit}\\b`));
    }
  });

  test("optional features are ignored", async () => {
    for (const bits of [1, 2 ** 31, 2 ** 32 - 1]) {
      expect(await readAll(sealed(PARTS, lies(16, bits)), SIMD)).toBe(await readAll(FILE, SIMD));
    }
  });

  test("a source that claims to be endless", async () => {
    for (const byteLength of [2 ** 40, Number.MAX_SAFE_INTEGER]) {
      for (const [at, value] of [
        [28, 2 ** 32 - 1],
        [20, 2 ** 32 - 8],
        [24, 2 ** 32 - 8],
        [28, 3_125_001],
      ]) {
        const head = sealed(PARTS, lies(40, BigInt(byteLength)));
        new DataView(head.buffer).setUint32(at, value, true);
        const slice = async (start: number, end: number) => {
          if (end > PRELUDE) throw new Error(`asked for ${start}..${end}`);
          return head.slice(start, end);
        };
        await expect(open({ byteLength, slice }, { kernels: SIMD })).rejects.toMatchObject({ code: "header-length" });
      }
    }
  });
});

const LONG = 2 ** 40;

describe("the JSON part", () => {
  /** The first tensor or its section with other fields; more of them stand behind the others. */
  const first = (fields: object) =>
    described(({ sections, tensors }) => {
      const [[dtype, plan, chunk], [kept, rest, shape, section]] = [sections[0], tensors[0]];
      const all: Record<string, unknown> = { dtype, plan, chunk, kept, rest, shape, section, ...fields };
      const { more = [], after = [] } = all as Record<string, unknown[]>;
      sections[0] = [all.dtype, all.plan, all.chunk, ...after];
      tensors[0] = [all.kept, all.rest, all.shape, all.section, ...more];
    });

  test.each<[string, object]>([
    ["2^40 elements in too few chunks", { shape: [LONG] }],
    ["2^40 elements in one chunk", { shape: [LONG], chunk: LONG }],
    ["2^53 - 1 elements, one to a chunk", { shape: [2 ** 53 - 1], chunk: 1 }],
    ["a product beyond 2^53", { shape: [LONG, LONG] }],
    ["a product hidden by a zero", { shape: [LONG, LONG, 0] }],
    ["17 dimensions", { shape: new Array(17).fill(1) }],
    ["100000 dimensions", { shape: new Array(100_000).fill(1) }],
    ["a negative extent", { shape: [-4, -75] }],
    ["an extent with a fraction", { shape: [4, 75.5] }],
    ["an extent of 1e300", { shape: [1e300] }],
    ["text as extent", { shape: ["4", 75] }],
    ["no shape", { shape: null }],
    ["another count of elements", { shape: [4, 74] }],
    ["chunk 0", { chunk: 0 }],
    ["chunk -1", { chunk: -1 }],
    ["chunk 1.5", { chunk: 1.5 }],
    ["chunk 2^53", { chunk: 2 ** 53 }],
    ["chunk as text", { chunk: "300" }],
    ["one element to a chunk", { chunk: 1 }],
    ["an unknown dtype", { dtype: "F8" }],
    ["another dtype", { dtype: "I32" }],
    ["a name that is a number", { rest: 7 }],
    ["no name", { rest: undefined }],
    ["the same name", { rest: "b" }],
    ["an unknown plan", { plan: "int8 > lzma" }],
    ["a plan in another spelling", { plan: "int8  group 33 asymmetric > huffman" }],
    ["a shorter plan", { plan: "int8 group 33 asymmetric" }],
    ["no plan", { plan: undefined }],
    ["a plan of rules", { plan: "w=raw; raw" }],
    ["rows of another length", { plan: "int8 group 8 asymmetric > huffman" }],
    ["another field", { more: [1] }],
    ["another field of its section", { after: [1] }],
    ["an enormous name", { rest: "x".repeat(4096) }],
    ["a name that keeps what there is not", { kept: 1 }],
    ["less than nothing kept", { kept: -1 }],
    ["half a character kept", { kept: 0.5 }],
    ["kept as text", { kept: "0" }],
    ["a section that is not the first", { section: 1 }],
    ["a section before the first", { section: -1 }],
    ["half a section", { section: 0.5 }],
    ["a section beyond all", { section: 2 ** 53 }],
    ["no section", { section: null }],
  ])("refuses a tensor with %s", async (_, fields) => {
    const { code } = await refusal(sealed(first(fields)));
    expect(["json", "duplicate", "count", "limit", "total"]).toContain(code);
  });

  test.each<[string, (value: Description) => unknown]>([
    ["no plan", (value) => void Reflect.deleteProperty(value, "plan")],
    ["a plan that is none", (value) => ({ ...value, plan: 7 })],
    ["no metadata", (value) => void Reflect.deleteProperty(value, "metadata")],
    ["metadata that is a list", (value) => ({ ...value, metadata: [] })],
    ["metadata that is text", (value) => ({ ...value, metadata: "text" })],
    ["metadata with a number", (value) => ({ ...value, metadata: { k: 1 } })],
    ["tensors that are no list", (value) => ({ ...value, tensors: {} })],
    ["a tensor that is null", (value) => ({ ...value, tensors: [null] })],
    ["a tensor that is an empty list", (value) => ({ ...value, tensors: [[]] })],
    ["a tensor that is an object", (value) => ({ ...value, tensors: [{}] })],
    ["a section that is null", (value) => ({ ...value, sections: [null] })],
    ["sections that are no list", (value) => ({ ...value, sections: {} })],
    ["no sections", (value) => void Reflect.deleteProperty(value, "sections")],
    ["a section without a tensor", (value) => void value.sections.push(["U8", "raw", 1])],
    ["sections the other way round", (value) => void value.sections.reverse()],
    ["too few tensors", (value) => ({ ...value, tensors: value.tensors.slice(1) })],
    ["another key", (value) => ({ ...value, more: 1 })],
    ["keys in another order", ({ plan, ...rest }) => ({ ...rest, plan })],
    ["a list", () => []],
    ["text", () => "text"],
    ["the tensors the other way round", (value) => void value.tensors.reverse()],
  ])("refuses %s", async (_, edit) => {
    await refusal(sealed(described(edit)));
  });

  const text = PARTS.json.trimEnd();
  test.each([
    ["a space", text.replace(":", ": ")],
    ["a line feed behind it", `${text}\n`],
    ["a duplicate key", text.replace('"metadata"', '"plan":"raw","metadata"')],
    ["a tensor as an object", text.replace('[0,"w",[4,75],0]', '{"0":0,"1":"w","2":[4,75],"3":0}')],
    ["an escape that is not needed", text.replace('"w"', '"\\u0077"')],
    ["a number with a fraction", text.replace("[4,75]", "[4.0,75]")],
    ["a negative zero", text.replace("[40]", "[-0]")],
    ["a negative zero kept", text.replace('[0,"b"', '[-0,"b"')],
    ["a byte above 127", text.replace('"v"', '"\u00fc"')],
    ["more padding than it needs", `${PARTS.json}        `],
    ["padding with zeros", text.padEnd(PARTS.json.length + 8, "\0")],
    ["no end", text.slice(0, -1)],
    ["nothing", ""],
    ["null", "null"],
    ["something behind it", `${text}{}`],
    ["NaN", text.replace("75", "NaN")],
  ])("refuses %s", async (_, json) => {
    expect((await refusal(sealed({ ...PARTS, json }))).code).toBe("json");
  });

  test("refuses nesting without end wherever it is", async () => {
    const deep = "[".repeat(200_000) + "]".repeat(200_000);
    const places = ["[4,75]", '"F32"', '"w"', '{"k":"v"}', '"v"', '"small 0=raw; int8 group 33 asymmetric > huffman"'];
    for (const place of places) {
      expect(text).toContain(place);
      await refusal(sealed({ ...PARTS, json: text.replace(place, deep) }));
    }
    await refusal(sealed({ ...PARTS, json: deep }));
  });

  test("refuses thousands of tensors with the same name as soon as the second", async () => {
    const tensors = [[0, "a", [1], 0], ...new Array(50_000).fill([1, "", [1], 0])];
    const file = sealed(described((value) => ({ ...value, sections: [["U8", "raw", 50_001]], tensors })));
    expect((await refusal(file)).code).toBe("duplicate");
  });
});

describe("records", () => {
  const record = (type: number, payload: number[], length = payload.length) => {
    const bytes = new Uint8Array(8 + 8 * Math.ceil(payload.length / 8));
    new DataView(bytes.buffer).setUint32(0, type, true);
    new DataView(bytes.buffer).setUint32(4, length, true);
    bytes.set(payload, 8);
    return bytes;
  };
  const withRecords = (...records: Uint8Array[]) =>
    sealed({ ...PARTS, records: Uint8Array.from(records.flatMap((bytes) => [...bytes])) });

  test("that are optional are skipped, whatever they hold", async () => {
    const expected = await readAll(FILE, SIMD);
    for (const list of [
      [record(0, [])],
      [record(33, [1, 2, 3])],
      [record(0x7fffffff, new Array(16).fill(9)), record(33, [])],
    ]) {
      expect(await readAll(withRecords(...list), SIMD)).toBe(expected);
    }
  });

  test("that are required are refused by type", async () => {
    for (const type of [0, 1, 77, 0x7fffffff]) {
      const error = await refusal(withRecords(record(33, [1]), record(0x80000000 + type, [])));
      expect(error).toMatchObject({ code: "record", offset: PRELUDE + PARTS.json.length + 16 });
      expect(error.message).toContain(`required type ${type}`);
    }
  });

  test("end where they say, with zeros", async () => {
    for (const length of [9, 16, 2 ** 31, 2 ** 32 - 1]) await refusal(withRecords(record(33, [1, 2, 3], length)));
    expect((await refusal(withRecords(record(33, [1, 2, 3, 0, 9], 3)))).code).toBe("padding");
  });

  test("of type 2 are the graph, whatever is in it and beside it", async () => {
    for (const graph of [[], [0], [1, 2, 3, 4, 5, 6, 7, 8], new Array(1001).fill(255)]) {
      for (const more of [[], [record(33, [4]), record(4, [5, 6])]]) {
        const file = await open(withRecords(...more, record(2, graph), ...more), { kernels: SIMD });
        expect(Array.from(file.graph ?? [-1])).toEqual(graph);
      }
    }
    expect((await open(withRecords(record(33, [2])), { kernels: SIMD })).graph).toBeNull();
    expect((await open(FILE, { kernels: SIMD })).graph).toBeNull();
  });

  test("there is one graph at most", async () => {
    for (const [first, second] of [
      [[], []],
      [[1, 2, 3], [4]],
    ]) {
      const error = await refusal(withRecords(record(2, first), record(33, [7]), record(2, second)));
      const offset = PRELUDE + PARTS.json.length + record(2, first).length + 16;
      expect(error).toMatchObject({ code: "duplicate", field: "graph", offset });
    }
  });

  test("a graph that is cut anywhere, or says another length, is refused", async () => {
    const whole = record(2, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    for (let length = 1; length < whole.length; length++) {
      const error = await refusal(withRecords(whole.subarray(0, length)));
      expect(["alignment", "truncated"], `${length}`).toContain(error.code);
    }
    for (const length of [0, 3, 10, 17, 25, 2 ** 31, 2 ** 32 - 1]) {
      const lying = whole.slice();
      new DataView(lying.buffer).setUint32(4, length, true);
      await refusal(withRecords(lying));
    }
    const file = withRecords(whole);
    for (let length = 0; length < file.length; length += length < PRELUDE ? 1 : 7) {
      await refusal(file.subarray(0, length) as Uint8Array<ArrayBuffer>);
    }
    for (let at = PRELUDE + PARTS.json.length; at < PRELUDE + PARTS.json.length + whole.length; at++) {
      const damaged = file.slice();
      damaged[at] ^= 4;
      expect((await refusal(damaged)).code).toBe("checksum");
    }
  });
});

describe("the chunk table", () => {
  const table = PRELUDE + PARTS.json.length;

  test("sizes that do not add up, or lend bytes to the next chunk", async () => {
    const size = PARTS.chunks[0].bytes.length;
    for (const value of [0, size - 1, size + 1, 2 ** 32 - 1]) {
      await refusal(sealed(PARTS, (header) => header.setUint32(table, value, true)));
    }
    const borrowed = sealed(PARTS, (header) => {
      header.setUint32(table, size - 1, true);
      header.setUint32(table + ENTRY, PARTS.chunks[1].bytes.length + 1, true);
      header.setUint32(32, size - 1, true);
    });
    await expect(readAll(borrowed, SIMD)).rejects.toBeInstanceOf(FormatError);
  });

  test("codes and reserved bytes", async () => {
    for (const code of [8, 127, 255]) {
      const error = await refusal(sealed(PARTS, (header) => header.setUint8(table + 4, code)));
      expect(error).toMatchObject({ code: "code", offset: table + 4 });
    }
    for (const at of [5, 6, 7]) await refusal(sealed(PARTS, (header) => header.setUint8(table + ENTRY + at, 1)));
  });

  test("a chunk that is stored much larger than it decodes", async () => {
    const bytes = new Uint8Array(40 + 129);
    await refusal(sealed({ ...PARTS, chunks: [PARTS.chunks[0], { code: 0, bytes }] }));
  });
});
