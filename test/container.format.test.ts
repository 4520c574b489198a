import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { open, verify } from "../src/index.ts";
import {
  BOTH,
  counting,
  DECODERS,
  ENTRY,
  modelOf,
  noise,
  PRELUDE,
  packed,
  partsOf,
  sealed,
  sha256,
  specimens,
  tensorOf,
} from "./files.ts";
import { expectSame, weights } from "./helpers.ts";
import { BLOCK, CODE, cutStream, readBlock, xxh64 } from "./reference.ts";
import { EXAMPLE_PLAN, exampleBytes, exampleDump, exampleModel } from "./vectors/example.ts";
import { actualTensor, type ExpectedFile, expectedFile } from "./vectors/expected.ts";
import { vectors } from "./vectors/models.ts";

// The bytes of a file, against docs/FORMAT.md and against files that were frozen.

const HASH = 56;

function preludeOf(file: Uint8Array) {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const u64 = (at: number) => Number(view.getBigUint64(at, true));
  return {
    magic: Buffer.from(file.subarray(0, 8)).toString("hex"),
    version: view.getUint16(8, true),
    reserved: view.getUint16(10, true),
    required: view.getUint32(12, true),
    optional: view.getUint32(16, true),
    json: view.getUint32(20, true),
    records: view.getUint32(24, true),
    chunks: view.getUint32(28, true),
    largestStored: view.getUint32(32, true),
    largestDecoded: view.getUint32(36, true),
    file: u64(40),
    decoded: u64(48),
  };
}

const model = modelOf(
  [
    tensorOf("long", "F32", [3, 100_003], weights(300_009, 1)),
    tensorOf("wide", "F64", [40_000], Float64Array.from(weights(40_000, 2))),
    noise("gr\u00fc\u00dfe", "U8", [5]),
    noise("gr\u00fc\u00dfn", "U8", [7, 1]),
  ],
  { k: "\u{1f600}" },
);
const { bytes, report } = await packed(model, "int8 channel > auto");
const parts = partsOf(bytes);
const sizes = parts.chunks.map((chunk) => chunk.bytes.length);

describe("by hand, as docs/FORMAT.md says", () => {
  test("the prelude", () => {
    const start = PRELUDE + parts.json.length + ENTRY * sizes.length;
    expect(preludeOf(bytes)).toEqual({
      magic: "8951524e0d0a1a0a",
      version: 1,
      reserved: 0,
      required: 0,
      optional: 0,
      json: parts.json.length,
      records: 0,
      chunks: 2 + 2 + 1,
      largestStored: Math.max(...sizes),
      largestDecoded: 256 * 1024,
      file: bytes.length,
      // Three scales, codes, and three tensors as they are.
      decoded: 4 * 3 + 300_009 + 8 * 40_000 + 5 + 7,
    });
    expect(start + sizes.reduce((a, b) => a + b, 0)).toBe(bytes.length);
    expect(report.headerBytes).toBe(start);
    const hash = sha256(bytes.subarray(0, HASH), bytes.subarray(PRELUDE, start));
    expectSame(bytes.subarray(HASH, PRELUDE), hash);
    expect(Buffer.from(hash).toString("hex")).toBe(report.sha256);
  });

  test("the JSON part", () => {
    expect(parts.json.length % 8).toBe(0);
    expect(parts.json).toMatch(/^\{"plan":"[ -~]*\} *$/);
    const text = parts.json.trimEnd();
    const value = {
      plan: "small 1024=lossless; int8 channel > auto",
      metadata: { k: "\u{1f600}" },
      sections: [
        ["F32", "int8 channel > auto", 200_006],
        ["F64", "lossless", 32_768],
        ["U8", "lossless", 5 + 7],
      ],
      tensors: [
        [0, "long", [3, 100_003], 0],
        [0, "wide", [40_000], 1],
        [0, "gr\u00fc\u00dfe", [5], 2],
        [4, "n", [7, 1], 2],
      ],
    };
    expect(JSON.parse(text)).toEqual(value);
    const ascii = JSON.stringify(value).replace(
      /[^ -~]/g,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
    expect(text).toBe(ascii);
  });

  test("the chunk table", () => {
    const view = new DataView(bytes.buffer);
    const table = PRELUDE + parts.json.length;
    parts.chunks.forEach((chunk, i) => {
      const entry = bytes.subarray(table + ENTRY * i, table + ENTRY * (i + 1));
      expect(view.getUint32(table + ENTRY * i, true)).toBe(chunk.bytes.length);
      expect([...entry.subarray(5, 8)]).toEqual([0, 0, 0]);
      expectSame(entry.subarray(8, 16), BigUint64Array.of(xxh64(chunk.bytes)));
      expectSame(entry.subarray(16), sha256(chunk.bytes).subarray(0, 16));
    });
    expect(parts.chunks.map(({ code }) => code)).toEqual([5, 5, 4, 4, 0]);
  });

  test("sealing a file that was taken apart gives it back, so the tests may rely on it", async () => {
    const all = [...(await specimens()).map(([, file]) => file), bytes];
    for (const file of all) expectSame(sealed(partsOf(file)), file);
  });
});

describe.each(vectors().map((vector) => [vector.name, vector] as const))("the frozen file %s", (name, vector) => {
  const place = (extension: string) => new URL(`./vectors/${name}.${extension}`, import.meta.url);
  const frozen = () => new Uint8Array(readFileSync(place("quern")));
  const content = () => JSON.parse(readFileSync(place("json"), "utf8")) as ExpectedFile;

  test.each(DECODERS.map((kernels) => [kernels.tier, kernels] as const))(
    "decodes to what it always did: %s",
    async (_, kernels) => {
      const file = await open(frozen(), { kernels });
      const expected = content();
      expect(Object.entries(file.metadata ?? {})).toEqual(Object.entries(expected.metadata ?? {}));
      expect(file.index.map((entry) => entry.name)).toEqual(expected.tensors.map((tensor) => tensor.name));
      for (const tensor of expected.tensors) {
        const stored = await file.tensor(tensor.name, { as: "stored" });
        expect(actualTensor(stored, (await file.tensor(tensor.name)).data)).toEqual(tensor);
      }
      expect((await verify(file)).bytes).toBe(frozen().length);
    },
  );

  test("is what packing makes today, on both tiers", async () => {
    for (const kernels of BOTH) {
      const today = await packed(vector.model, vector.plan, { kernels });
      expectSame(today.bytes, frozen());
    }
  });

  test("says what the twins make of its source today, and is small", async () => {
    const today = await expectedFile(vector);
    expect(JSON.parse(JSON.stringify(today))).toEqual(content());
    expect(frozen().length).toBeLessThan(8192);
  });
});

test("the frozen files are those that are checked, and have every code between them", () => {
  const files = readdirSync(new URL("./vectors", import.meta.url)).filter((file) => file.endsWith(".quern"));
  expect(files.sort()).toEqual(
    vectors()
      .map(({ name }) => `${name}.quern`)
      .sort(),
  );
  const chunks = files.flatMap((file) => {
    const frozen = new Uint8Array(readFileSync(new URL(`./vectors/${file}`, import.meta.url)));
    return partsOf(frozen).chunks;
  });
  const { RAW, CONSTANT, HUFFMAN, ZRL, PLANES, PIVOT, MASK, CLASSES } = CODE;
  const last = new Set(chunks.map(({ code }) => code));
  expect([...last].sort()).toEqual([RAW, CONSTANT, HUFFMAN, ZRL, PLANES, PIVOT, MASK, CLASSES]);
  const streams = chunks.flatMap(({ bytes }) => streamsIn(bytes, 0));
  const inside = (code: number) =>
    [...new Set(streams.filter(({ within }) => within === code).map((s) => s.code))].sort();
  expect(inside(PLANES)).toEqual([RAW, CONSTANT, HUFFMAN, ZRL, PIVOT, MASK, CLASSES]);
  expect(inside(ZRL)).toEqual([RAW, CONSTANT, PIVOT]);
  expect(inside(MASK)).toEqual([RAW, CONSTANT, PIVOT]);
  expect(inside(CLASSES)).toEqual([RAW, PIVOT]);
});

interface Found {
  readonly code: number;
  /** The code of the stream that it lies in. */
  readonly within: number | undefined;
}

/** All streams of bytes from `at` on that hold nothing but streams, and those inside them. */
function streamsIn(bytes: Uint8Array, at: number, within?: number): Found[] {
  if (at >= bytes.length) return [];
  const { code, payload, size } = cutStream(bytes.subarray(at));
  // Behind the symbols of zrl lie raw bits.
  const inner = code === CODE.ZRL ? [{ code: payload[7], within: code }] : [];
  const start = { [CODE.PLANES]: 0, [CODE.MASK]: 0, [CODE.CLASSES]: 4 }[code];
  const nested = start === undefined ? inner : streamsIn(payload, start, code);
  return [{ code, within }, ...nested, ...streamsIn(bytes, at + size, within)];
}

test("the frozen files have every kind of block of pivot", async () => {
  const frozen = new Uint8Array(readFileSync(new URL("./vectors/chunks.quern", import.meta.url)));
  const names = (await open(frozen)).index.map(({ name }) => name);
  const blocks = (name: string, n: number) => {
    const { payload } = cutStream(partsOf(frozen).chunks.at(names.indexOf(name) - names.length)?.bytes ?? frozen);
    return blocksOf(payload, n);
  };
  expect(blocks("pivot blocks", 3 * BLOCK + 100)).toEqual([1, 2, 1, 3]);
  expect(blocks("pivot raw block", BLOCK + 50)).toEqual([1, 0]);
});

/** Kinds of the blocks of a payload of n symbols. */
function blocksOf(payload: Uint8Array, n: number): number[] {
  const kinds: number[] = [];
  let lengths: Uint8Array | undefined;
  for (let [at, start] = [0, 0]; start < n; start += BLOCK) {
    const block = readBlock(payload.subarray(at), Math.min(BLOCK, n - start), lengths);
    kinds.push(payload[at]);
    at += block.used;
    lengths = block.lengths;
  }
  return kinds;
}

/** The bytes of a dump: `offset  hex bytes  | comment` in every line. */
function bytesOfDump(dump: string): Uint8Array {
  const bytes: number[] = [];
  for (const line of dump.split("\n")) {
    const [, offset, pairs] = /^([0-9a-f]{4,}) {2}((?:[0-9a-f]{2} )*[0-9a-f]{2})(?: *$| {2,}\| .*$)/.exec(line) ?? [];
    expect(offset, `a line of the dump: ${line}`).toBeDefined();
    expect(Number.parseInt(offset, 16), line).toBe(bytes.length);
    bytes.push(...pairs.split(" ").map((pair) => Number.parseInt(pair, 16)));
  }
  return Uint8Array.from(bytes);
}

describe("the worked example", () => {
  test("is printed so that it reads back", async () => {
    const file = await exampleBytes();
    expectSame(bytesOfDump(exampleDump(file)), file);
  });

  test("of docs/FORMAT.md is a file of the tensors it names, and what packing makes", async () => {
    const text = readFileSync(new URL("../docs/FORMAT.md", import.meta.url), "utf8");
    const [, section = ""] = text.split(/^## Worked example$/m);
    const [, dump] = /```hex\n([\s\S]*?)\n```/.exec(section) ?? [];
    expect(dump, 'a block "```hex" under "## Worked example"').toBeDefined();
    const documented = bytesOfDump(dump);
    const file = await open(counting(documented));
    expect(file.metadata).toEqual({ task: "demo" });
    expect(file.index.map(({ name, dtype, shape }) => [name, dtype, shape])).toEqual([
      ["w", "F32", [2, 4]],
      ["b", "F32", [2]],
    ]);
    const w = await file.tensor("w", { as: "stored" });
    expect([...new Int8Array(w.bytes.slice().buffer)]).toEqual([0, 64, 0, -127, 0, 0, 127, 0]);
    expect(w.quantization?.scales).toEqual(Float32Array.of(1 / 127, 0.25 / 127));
    expect((await file.tensor("b")).data).toEqual(Float32Array.of(0.5, -0.5));
    await verify(file);
    expectSame(documented, (await packed(exampleModel(), EXAMPLE_PLAN)).bytes);
  });
});
