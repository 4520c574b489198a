import { describe, expect, test } from "vitest";
import { open } from "../src/index.ts";
import { DECODERS } from "./files.ts";
import { bytesTarget, fileOf, problem, stream, type Target, taken } from "./forge.ts";
import { randomBytes } from "./helpers.ts";
import { u24 } from "./reference/bits.ts";
import { concat } from "./reference/huffman.ts";
import { CODE, classesEncode, entriesOf, fromWide, huffmanEncode, pack4, pivotEncode, streamOf } from "./reference.ts";

// Each rule of docs/FORMAT.md on classes and on int16 codes, broken on purpose in a file whose checksums are all right.

interface Classes {
  width: number;
  head: number;
  map: Uint8Array;
  lists: readonly Uint8Array[];
  behind?: number[];
}

const raw = (...bytes: number[]) => stream(0, bytes);

function classes({ width, head, map, lists, behind = [] }: Classes): Uint8Array {
  return stream(7, concat(Uint8Array.from([...u24(width), head]), map, ...lists, Uint8Array.from(behind)));
}

// 1 2 3 | 4 5 6 | 7, rows of classes 1 0 1; and the same by columns of classes 2 0 2.
const ROWS: Classes = { width: 3, head: 2, map: raw(1, 0, 1), lists: [raw(4, 5, 6), raw(1, 2, 3, 7)] };
const COLUMNS: Classes = {
  width: 3,
  head: 128 + 3,
  map: raw(2, 0, 2),
  lists: [raw(2, 5), raw(), raw(1, 3, 4, 6, 7)],
};
const SEVEN = bytesTarget(7);
const BY_HAND = [1, 2, 3, 4, 5, 6, 7];

describe("classes", () => {
  test("are taken as written by hand, on every tier", async () => {
    const inFormat = "071a00000300000200030000010001000300000405060004000001020307";
    expect(Buffer.from(classes(ROWS)).toString("hex")).toBe(inFormat);
    for (const made of [ROWS, COLUMNS]) {
      expect([...(await taken(SEVEN, classes(made)))]).toEqual(BY_HAND);
      const file = await fileOf(SEVEN, classes(made));
      for (const kernels of DECODERS) {
        expect([...(await (await open(file, { kernels })).tensor("w", { as: "stored" })).bytes]).toEqual(BY_HAND);
      }
    }
  });

  test("are taken in any rows, with any code that may stand inside", async () => {
    const bytes = randomBytes(3000, 4).map((byte) => byte & 7);
    const lengths = new Uint8Array(256).fill(3, 0, 8);
    const inner = [
      (list: Uint8Array) => (list.length > 0 ? streamOf(CODE.HUFFMAN, huffmanEncode(list)) : raw()),
      (list: Uint8Array) => (list.length > 0 ? streamOf(CODE.PIVOT, pivotEncode(list, lengths)) : raw()),
    ];
    for (const width of [1, 9, 16, 100, 2999, 3000]) {
      for (const columns of [false, true]) {
        const map = randomBytes(entriesOf(3000, width, columns), width).map((byte) => (byte & 7) % 7);
        for (const way of inner) {
          const payload = classesEncode(bytes, { width, columns, map }, 8, way);
          expect(await taken(bytesTarget(3000), stream(7, payload))).toEqual(bytes);
        }
      }
    }
  });

  test("may be of one byte only, and all but one empty", async () => {
    const one = { width: 1, head: 8, map: raw(7), lists: [...Array(7).fill(raw()), raw(5)] };
    expect([...(await taken(bytesTarget(1), classes(one)))]).toEqual([5]);
    expect([...(await taken(bytesTarget(1), classes({ ...one, head: 128 + 8 })))]).toEqual([5]);
    const same = { width: 3, head: 2, map: stream(1, [1]), lists: [raw(), stream(1, [9])] };
    expect([...(await taken(SEVEN, classes(same)))]).toEqual([9, 9, 9, 9, 9, 9, 9]);
  });

  test.each<[string, Partial<Classes>, string]>([
    ["rows of no bytes", { width: 0 }, "width"],
    ["rows longer than the stream", { width: 8 }, "width"],
    ["rows of 2^24 - 1 bytes", { width: 0xffffff }, "width"],
    ["columns beyond the stream", { width: 8, head: 128 + 2 }, "width"],
    ["no class", { head: 0 }, "classes"],
    ["no class of columns", { head: 128 }, "classes"],
    ["one class", { head: 1 }, "classes"],
    ["nine classes", { head: 9 }, "classes"],
    ["127 classes", { head: 127 }, "classes"],
    ["127 classes of columns", { head: 255 }, "classes"],
    ["a class beyond the count", { map: raw(1, 2, 1) }, "symbol"],
    ["class 255", { map: raw(1, 0, 255) }, "symbol"],
    ["a map too short", { map: raw(1, 0) }, "length"],
    ["a map too long", { map: raw(1, 0, 1, 0) }, "length"],
    ["a map of rows for columns", { head: 128 + 2, width: 2 }, "length"],
    ["a list too short", { lists: [raw(4, 5), raw(1, 2, 3, 7)] }, "length"],
    ["a list too long", { lists: [raw(4, 5, 6, 6), raw(1, 2, 3, 7)] }, "length"],
    ["a list too few", { lists: [raw(4, 5, 6)] }, "truncated"],
    ["a list too many", { lists: [...ROWS.lists, raw()] }, "trailing"],
    ["a byte behind", { behind: [0] }, "trailing"],
    ["an empty class that is not raw", { map: raw(1, 1, 1), lists: [stream(1, [0]), raw(...BY_HAND)] }, "code"],
    ["an empty class with a byte", { map: raw(1, 1, 1), lists: [raw(0), raw(...BY_HAND)] }, "length"],
    ["a map of zrl", { map: stream(3, [1, 0, 0, 1]) }, "code"],
    ["a list of mask", { lists: [stream(6, raw(7)), ROWS.lists[1]] }, "code"],
    ["a list of planes", { lists: [stream(4, raw(7)), ROWS.lists[1]] }, "code"],
    ["a list of classes", { lists: [classes(ROWS), ROWS.lists[1]] }, "code"],
    ["a list of no known code", { lists: [stream(8, [7]), ROWS.lists[1]] }, "code"],
  ])("refuses %s", async (_, fields, code) => {
    expect((await problem(SEVEN, classes({ ...ROWS, ...fields }))).code).toBe(code);
  });

  test("refuses a payload cut anywhere", async () => {
    for (const made of [ROWS, COLUMNS]) {
      const whole = classes(made);
      for (let end = 4; end < whole.length; end++) {
        const { code, field } = await problem(SEVEN, stream(7, whole.subarray(4, end)));
        expect(code).toBe("truncated");
        expect(field).toContain("elements");
      }
    }
  });

  test("says which class is at fault, and where", async () => {
    const found = await problem(SEVEN, classes({ ...ROWS, lists: [ROWS.lists[0], raw(1)] }));
    expect(found.field).toContain("class 1");
    expect((await problem(SEVEN, classes({ ...ROWS, map: raw(9, 9, 9) }))).field).toContain("classes of rows");
    expect((await problem(SEVEN, classes({ ...ROWS, head: 128 + 9 }))).field).toContain("count of classes");
  });

  test("are no stream of nothing", async () => {
    const none: Target = { dtype: "U8", shape: [0], plan: "lossless" };
    expect((await fileOf(none, new Uint8Array(0), 0)).length).toBeGreaterThan(88);
    const scales: Target = { dtype: "F32", shape: [2], plan: "w=int8 tensor asymmetric > raw; raw" };
    // Scales and zero points are streams like any other.
    const zeros = concat(stream(0, [0, 0, 128, 63]), classes({ ...ROWS, width: 1 }), raw(0, 0));
    expect((await problem(scales, zeros, 0)).code).toBe("length");
  });

  test("may stand for a plane, but not inside zrl and mask", async () => {
    const brain: Target = { dtype: "BF16", shape: [7], plan: "lossless" };
    const planes = stream(4, concat(classes(ROWS), classes(COLUMNS)));
    expect(await taken(brain, planes)).toHaveLength(14);
    expect((await problem(SEVEN, stream(6, concat(classes({ ...ROWS, width: 1 }), raw())))).code).toBe("code");
    const zrl = Uint8Array.from([1, ...u24(7), ...u24(3)]);
    expect((await problem(SEVEN, stream(3, concat(zrl, classes({ ...ROWS, width: 1 }))))).code).toBe("code");
  });

  test("may hold int4 codes, two to a byte", async () => {
    const target: Target = { dtype: "F32", shape: [5], plan: "w=int4 tensor > raw; raw" };
    const bytes = pack4(Int8Array.of(1, -2, 3, -4, 5));
    const scale = stream(0, new Uint8Array(Float32Array.of(1).buffer));
    const made = (last: number) =>
      concat(scale, classes({ width: 1, head: 2, map: raw(0, 1, 0), lists: [raw(bytes[0], last), raw(bytes[1])] }));
    expect(await taken(target, made(bytes[2]), 7)).toEqual(bytes);
    expect((await problem(target, made(bytes[2] | 16), 7)).code).toBe("padding");
  });
});

describe("int16 codes", () => {
  const target = (n: number): Target => ({ dtype: "F32", shape: [n], plan: "w=int16 tensor step 1 > raw; raw" });
  const scale = stream(0, new Uint8Array(Float32Array.of(0.5).buffer));

  test("take every u16, the least and the greatest level too", async () => {
    const levels = [0, 1, -1, 127, -128, 128, -129, 32767, -32768, 32640, -32767];
    const bytes = levels.flatMap((level) => {
      const code = ((level + 128) ^ 128) & 0xffff;
      return [code & 255, code >> 8];
    });
    expect([...fromWide(Uint8Array.from(bytes))]).toEqual(levels);
    const file = await fileOf(target(levels.length), concat(scale, stream(0, bytes)), 0);
    for (const kernels of DECODERS) {
      const opened = await open(file, { kernels });
      expect([...(await opened.tensor("w")).data]).toEqual(levels.map((level) => level / 2));
      const stored = (await opened.tensor("w", { as: "stored" })).bytes;
      expect([...new Int16Array(new Uint8Array(stored).buffer)]).toEqual(levels);
    }
  });

  test.each([1, 2, 3, 33, 16383, 16384, 16385, 70001])("of %i elements are two bytes each", async (n) => {
    const bytes = randomBytes(2 * n, n);
    const file = await fileOf(target(n), concat(scale, stream(0, bytes)), 0);
    const expected = Float32Array.from(fromWide(bytes), (level) => level / 2);
    for (const kernels of DECODERS) expect((await (await open(file, { kernels })).tensor("w")).data).toEqual(expected);
    for (const wrong of [2 * n - 1, n, 2 * n + 1]) {
      expect((await problem(target(n), concat(scale, stream(0, new Uint8Array(wrong))), 0)).code).toBe("length");
    }
  });

  test("have one scale, which is finite", async () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const bad = stream(0, new Uint8Array(Float32Array.of(value).buffer));
      expect((await problem(target(1), concat(bad, raw(0, 0)), 0)).code).toBe("not-finite");
    }
    await problem(target(1), raw(0, 0), 0);
  });

  test("may be planes of classes, each plane by itself", async () => {
    const wide = target(7);
    const chunk = (low: Uint8Array) => concat(scale, stream(4, concat(low, stream(1, [0]))));
    const expected = BY_HAND.flatMap((byte) => [byte, 0]);
    expect([...(await taken(wide, chunk(classes(ROWS)), 4))]).toEqual(expected);
    expect((await problem(wide, chunk(classes({ ...ROWS, head: 9 })), 4)).field).toContain("plane 0");
  });

  test("are not named by a plan without a target", async () => {
    const bare: Target = { dtype: "F32", shape: [1], plan: "w=int16 tensor > raw; raw" };
    await expect(fileOf(bare, raw(0))).rejects.toThrow(/not a step/);
  });
});
