import { describe, expect, test } from "vitest";
import { bytesTarget, int4Target, problem, stream, taken } from "./forge.ts";
import { randomBytes } from "./helpers.ts";
import { bytesOfBits, u24 } from "./reference/bits.ts";
import { concat } from "./reference/huffman.ts";
import { huffmanEncode, pack4, zrlEncode } from "./reference.ts";

// Each rule of docs/FORMAT.md on zrl and on quantized chunks, broken on purpose in a file whose checksums are all right.

interface Zrl {
  categories: number;
  group: number;
  symbols: number[];
  bits: number[];
  count?: number;
  coded?: number;
}

function zrl({ categories, group, symbols, bits, count, coded }: Zrl): Uint8Array {
  const payload = symbols.length > 0 ? huffmanEncode(Uint8Array.from(symbols)) : new Uint8Array(0);
  const head = [categories, ...u24(group), ...u24(count ?? symbols.length)];
  return stream(3, [...head, ...stream(2, payload, coded), ...bytesOfBits(bits)]);
}

describe("zrl", () => {
  // Two categories: 127 runs, escape 254, end 255. The values 0 0 -1 | 3 0 0 in two groups of three.
  const good: Zrl = { categories: 2, group: 3, symbols: [4, 1, 255], bits: [1, 1, 0] };
  const six = bytesTarget(6);

  test("is taken as the twin writes it", async () => {
    expect([...(await taken(six, zrl(good)))]).toEqual([0, 0, 255, 3, 0, 0]);
    const values = Int8Array.from(randomBytes(3000, 5), (byte) => (byte < 200 ? 0 : byte));
    expect([...(await taken(bytesTarget(3000), stream(3, zrlEncode(values, 100))))]).toEqual([
      ...new Uint8Array(values.buffer),
    ]);
  });

  test.each<[string, Partial<Zrl>, string]>([
    ["categories 0", { categories: 0 }, "categories"],
    ["categories 9", { categories: 9 }, "categories"],
    ["categories 255", { categories: 255 }, "categories"],
    ["group 0", { group: 0 }, "group"],
    ["group beyond the chunk", { group: 7 }, "group"],
    ["group 2^24 - 1", { group: 0xffffff }, "group"],
    ["no symbols", { count: 0 }, "symbols"],
    ["more symbols than values", { count: 7 }, "symbols"],
    ["symbols that are not there", { count: 6 }, "count"],
    ["symbol bytes beyond the payload", { coded: 200 }, "truncated"],
    ["a symbol beyond the alphabet", { categories: 5, symbols: [252, 1, 253] }, "symbol"],
    ["a run past the group", { symbols: [6, 1, 255] }, "run"],
    ["a run past the chunk", { group: 6, symbols: [12, 1, 255] }, "count"],
    ["an escape that fills the group", { group: 6, symbols: [254, 1], bits: [0, 0] }, "run"],
    ["an end behind a full group", { symbols: [4, 255, 1] }, "count"],
    ["an end behind the last group", { symbols: [4, 1, 255, 255] }, "count"],
    ["too few values", { symbols: [4, 1], bits: [1, 1, 0] }, "count"],
    ["too many values", { symbols: [4, 1, 1, 1, 1], bits: [1, 1, 0, 1, 0, 1, 0, 1, 0] }, "count"],
    ["too few raw bits", { bits: [] }, "bits"],
    ["a raw byte too many", { bits: [1, 1, 0, 0, 0, 0, 0, 0, 0] }, "bits"],
    ["raw bits that do not end in zeros", { bits: [1, 1, 0, 1] }, "padding"],
  ])("refuses %s", async (_, fields, code) => {
    expect((await problem(six, zrl({ ...good, ...fields }))).code).toBe(code);
  });

  test("refuses an end behind an escape", async () => {
    const zeros = { categories: 8, group: 64, symbols: [248, 249], bits: [] };
    expect((await problem(bytesTarget(64), zrl(zeros))).code).toBe("run");
    expect(await taken(bytesTarget(64), zrl({ ...zeros, symbols: [249] }))).toEqual(new Uint8Array(64));
  });

  test("knows -128, but not +128", async () => {
    const least: Zrl = { categories: 8, group: 1, symbols: [7], bits: [0, 0, 0, 0, 0, 0, 0, 1] };
    expect([...(await taken(bytesTarget(1), zrl(least)))]).toEqual([128]);
    expect((await problem(bytesTarget(1), zrl({ ...least, bits: [0, 0, 0, 0, 0, 0, 0, 0] }))).code).toBe("level");
    expect((await problem(bytesTarget(1), zrl({ ...least, bits: [1, 0, 0, 0, 0, 0, 0, 1] }))).code).toBe("level");
    expect((await problem(bytesTarget(1), zrl({ ...least, bits: [1, 1, 1, 1, 1, 1, 1, 0] }))).code).toBe("level");
  });

  test("refuses a head cut short", async () => {
    for (let size = 0; size < 11; size++) {
      expect((await problem(six, stream(3, zrl(good).subarray(4, 4 + size)))).code).toBe("truncated");
    }
  });
});

describe("quantized chunks", () => {
  const scale = (value: number) => stream(0, new Uint8Array(Float32Array.of(value).buffer));

  test("int4 codes are in -8..7, in four categories at most, and end in a zero nibble", async () => {
    const chunk = (codes: Uint8Array) => concat(scale(1), codes);
    const three = int4Target(3);
    const raw = (...bytes: number[]) => chunk(stream(0, bytes));
    expect([...(await taken(three, raw(0x87, 0x0f)))]).toEqual([...pack4(Int8Array.of(7, -8, -1))]);
    expect((await problem(three, raw(0x87, 0x1f), 0)).code).toBe("padding");
    expect((await problem(three, chunk(stream(1, [0x33])), 1)).code).toBe("padding");
    const five = zrl({ categories: 5, group: 3, symbols: [4, 251], bits: [0, 0, 0, 0, 0] });
    expect((await problem(three, chunk(five), 3)).code).toBe("categories");
    const value = (bits: number[]) => chunk(zrl({ categories: 4, group: 3, symbols: [3, 253], bits }));
    expect([...(await taken(three, value([0, 0, 0, 1]), 3))]).toEqual([0x08, 0]);
    for (const bits of [
      [0, 0, 0, 0],
      [1, 0, 0, 1],
      [1, 1, 1, 0],
    ]) {
      expect((await problem(three, value(bits), 3)).code).toBe("level");
    }
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("a scale is not %d", async (value) => {
    expect((await problem(int4Target(2), concat(scale(value), stream(0, [0])), 0)).code).toBe("not-finite");
  });

  test("scales and codes are both there", async () => {
    await problem(int4Target(2), scale(1), 0);
    await problem(int4Target(2), stream(0, [0]), 0);
    await problem(int4Target(2), concat(scale(1), stream(0, [])), 0);
    await problem(int4Target(2), concat(stream(0, []), stream(0, [0])), 0);
  });
});
