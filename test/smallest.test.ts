import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { costsOf } from "../src/cli/verbose.ts";
import { chooseClasses } from "../src/codec/partition.ts";
import { BYTES, type Content, type Geometry, NO_GEOMETRY, readStream, writeStream } from "../src/codec/planes.ts";
import type { CodeName } from "../src/codec/stream.ts";
import { open } from "../src/index.ts";
import { CHUNK_BYTES } from "../src/kernels.ts";
import type { Code } from "../src/plan.ts";
import { BOTH, DECODERS, modelOf, packed, SIMD, spread, tensorOf } from "./files.ts";
import { byteCases, bytesOf, codes, expectSame, random, randomBytes } from "./helpers.ts";
import { classesDecode, cutStream, pack4 } from "./reference.ts";

// The code word "smallest": the fewest bytes of all that there is, classes of rows or columns among them.

const PLACE = { offset: 0, field: "stream" };

/** The stream that a code word makes of bytes, the same on both tiers, which every decoder reads back. */
function written(code: Code, bytes: Uint8Array, geometry: Geometry = NO_GEOMETRY, content: Content = BYTES) {
  const step = { op: "code", code, grouping: { by: "chunk", size: 0 } } as const;
  const n = bytes.length;
  const [stream, again] = BOTH.map((kernels) => {
    const { stored, plain, values } = kernels.arena(CHUNK_BYTES, "encode");
    kernels.bytes().set(bytes, plain);
    if (content.nibbles > 0) kernels.run.unpack4(plain, content.nibbles, values);
    const { bytes: size } = writeStream(kernels, { at: plain, n, content }, step, geometry, stored);
    return kernels.bytes().slice(stored, stored + size);
  });
  expectSame(again, stream, code);
  let name: CodeName = "raw";
  for (const kernels of DECODERS) {
    const { stored: at, plain } = kernels.arena(CHUNK_BYTES, "decode");
    kernels.bytes().set(stream, at);
    name = readStream(kernels, at, at + stream.length, { at: plain, n, content }, PLACE).code;
    expectSame(kernels.bytes().slice(plain, plain + n), bytes, code);
  }
  return { name, size: stream.length, stream };
}

const SINGLE: readonly Code[] = ["raw", "huffman", "pivot", "mask", "zrl", "auto"];

/** Rows over alphabets of eight symbols, of which there are five: every row repeats the kind of another. */
function repeated(rows: number, width: number): Uint8Array {
  const next = random(5);
  const kinds = Array.from({ length: rows }, () => Math.floor(5 * next()));
  return new Uint8Array(rows * width).map((_, i) => 37 * kinds[Math.floor(i / width)] + Math.floor(8 * next()));
}

describe("on data that has a structure, classes are chosen, and save", () => {
  const kinds = (count: number) => (i: number) => (i * 7) % count;
  const of = (rows: number, width: number, kind: (row: number, column: number) => number) =>
    bytesOf(spread(rows, width, kind));
  test.each<[string, Uint8Array, readonly number[], boolean, number]>([
    ["rows of different spread", of(64, 500, kinds(3)), [500], false, 0.88],
    ["rows of different spread, the last cut off", of(64, 500, kinds(3)).subarray(0, 31_777), [500], false, 0.88],
    ["columns of different spread", of(500, 64, (_, column) => kinds(3)(column)), [64], true, 0.88],
    [
      "columns, the last row cut off",
      of(500, 67, (_, column) => kinds(2)(column)).subarray(0, 33_333),
      [67],
      true,
      0.88,
    ],
    ["rows that repeat others", repeated(200, 100), [100], false, 0.7],
    ["kernels of 9, with other widths to choose from", of(3000, 9, kinds(3)), [576, 3, 9], false, 0.97],
    [
      "columns, with other widths to choose from",
      of(300, 90, (_, column) => kinds(3)(column)),
      [45, 90, 10],
      true,
      0.9,
    ],
  ])("%s", (_, bytes, widths, columns, share) => {
    const without = written("smallest", bytes);
    const { name, size, stream } = written("smallest", bytes, { kernel: 1, widths });
    expect(name).toBe("classes");
    expect(size).toBeLessThan(share * without.size);
    const { payload } = cutStream(stream);
    expect([widths.includes(payload[0] + 256 * payload[1]), payload[3] >= 128]).toEqual([true, columns]);
    expectSame(classesDecode(payload, bytes.length), bytes);
  });

  test("not on data that has none, however it is cut", () => {
    const flat = bytesOf(codes(40_000, 12, 3));
    const same = written("smallest", flat);
    expect(written("smallest", flat, { kernel: 9, widths: [200, 9] })).toEqual(same);
    expect(chooseClasses(flat, [200, 9])).toBeUndefined();
    expect(chooseClasses(randomBytes(65_536, 3), [256])).toBeUndefined();
    expect(chooseClasses(new Uint8Array(65_536), [256])).toBeUndefined();
    for (const n of [1, 2, 15, 127]) expect(chooseClasses(randomBytes(n, n), [1, 2, 8, n])).toBeUndefined();
  });
});

describe("never more than auto or any single code", () => {
  test.each([1, 2, 31, 33, 127, 1023, 1024, 1025, 8191, 33_000])("of %i bytes", (n) => {
    for (const [name, bytes] of byteCases(n)) {
      for (const widths of [[], [9, 100]]) {
        const { size } = written("smallest", bytes, { kernel: 9, widths });
        const least = Math.min(...SINGLE.map((code) => written(code, bytes, { kernel: 9, widths }).size));
        expect(size, `${name}, widths ${widths}`).toBeLessThanOrEqual(least);
      }
    }
  });

  test.each([1, 33, 2000, 16_001])("of %i int4 codes", (n) => {
    for (const pruned of [0, 0.5, 0.9, 0.99]) {
      const bytes = pack4(codes(n, 2.5, 4, pruned).map((code) => Math.max(-8, Math.min(7, code))));
      const content = { width: 1, float: false, nibbles: n } as const;
      const sizes = SINGLE.map((code) => written(code, bytes, NO_GEOMETRY, content).size);
      const { size } = written("smallest", bytes, { kernel: 1, widths: [50] }, content);
      expect(size, `pruned to ${pruned}`).toBeLessThanOrEqual(Math.min(...sizes));
    }
  });

  test("of elements of 2, 4 and 8 bytes", () => {
    for (const width of [2, 4, 8] as const) {
      const content = { width, float: width > 2, nibbles: 0 };
      const bytes = bytesOf(spread(60, 30 * width, (row, column) => (column % width === 0 ? row % 3 : 0)));
      const sizes = SINGLE.map((code) => written(code, bytes, NO_GEOMETRY, content).size);
      expect(written("smallest", bytes, NO_GEOMETRY, content).size).toBeLessThanOrEqual(Math.min(...sizes));
      const { size } = written("smallest", bytes, { kernel: 1, widths: [30] }, content);
      expect(size).toBeLessThan(0.97 * Math.min(...sizes));
    }
  });

  test("of any bytes in rows of any width", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 600, size: "max" }),
      fc
        .array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 600, size: "max" })
        .map(Uint8Array.from.bind(Uint8Array)),
    );
    fc.assert(
      fc.property(bytes, fc.integer({ min: 1, max: 80 }), (values, width) => {
        const exact = Uint8Array.from(values);
        const { size } = written("smallest", exact, { kernel: 1, widths: [width] });
        expect(size).toBeLessThanOrEqual(Math.min(...SINGLE.map((code) => written(code, exact).size)));
      }),
    );
  });
});

test("a partition names every row or column, by classes that all occur", () => {
  const bytes = bytesOf(spread(80, 90, (row) => (row * 7) % 3));
  for (const n of [7200, 7199, 7111]) {
    const partition = chooseClasses(bytes.subarray(0, n), [90]);
    expect(partition?.map).toHaveLength(80);
    expect([...new Set(partition?.map)].sort()).toEqual(Array.from({ length: partition?.classes ?? 0 }, (_, k) => k));
  }
});

describe("in a file", () => {
  const rows = tensorOf(
    "rows",
    "I8",
    [64, 500],
    spread(64, 500, (row) => row % 3),
  );
  const floats = tensorOf(
    "floats",
    "F32",
    [300, 96],
    Float32Array.from(
      spread(300, 96, (_, c) => c % 3),
      (x) => x / 99,
    ),
  );

  test("explain tells the map and each class", async () => {
    const { bytes } = await packed(modelOf([rows, floats]), "rows=smallest; int16 step 0.004 > smallest");
    const file = await open(bytes, { kernels: SIMD });
    const [{ code, inside }] = await file.explain(0);
    expect(code).toBe("classes");
    expect(inside.map(({ part }) => part)).toEqual(["classes of rows of 500", "class 0", "class 1", "class 2"]);
    expect(inside.map(({ decoded }) => decoded).reduce((a, b) => a + b)).toBe(64 + 64 * 500);
    const [, planes] = await file.explain(1);
    expect([planes.code, planes.inside[0].code]).toEqual(["planes", "classes"]);
    expect(planes.inside[0].inside[0].part).toBe("classes of columns of 96");
  });

  test("inspect --verbose tells them too", async () => {
    const { bytes } = await packed(modelOf([rows]), "smallest");
    const costs = await costsOf(await open(bytes, { kernels: SIMD }), new AbortController().signal, () => {});
    expect(costs.streams.map(({ streams }) => streams)).toEqual([
      expect.stringMatching(/^elements: classes\(classes of rows of 500: \w+, class 0: pivot, class 1: pivot/),
    ]);
    const [{ stored, steps, cost, decoded }] = costs.streams;
    expect(cost).toBe(stored + costs.lambda * steps);
    expect(steps).toBeGreaterThan(decoded);
  });

  test("chunks of a tensor are cut between rows", async () => {
    const n = 300 * 1003;
    const long = tensorOf(
      "w",
      "F32",
      [300, 1003],
      Float32Array.from(codes(n, 20, 3), (x) => x / 99),
    );
    const { bytes, report } = await packed(modelOf([long]), "int8 step 0.01 > smallest");
    const file = await open(bytes, { kernels: SIMD });
    expect(file.index[0].chunks).toBe(2);
    const plain = await packed(modelOf([long]), "int8 step 0.01 > auto");
    expect(report.fileBytes).toBeLessThan(1.001 * plain.report.fileBytes);
    expectSame((await file.tensor("w")).data, (await (await open(plain.bytes)).tensor("w")).data);
  });
});
