import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeTiers, expectSame, has, out, outcome, randomBytes, run, SLACK, type Tier, u32 } from "./helpers.ts";
import { classCounts, classGather, classScatter, entriesOf, type Parted } from "./reference.ts";

const WORK = 65536;
const BY_HAND = Uint8Array.of(1, 2, 3, 4, 5, 6, 7);

function starts(n: number, parted: Parted): Uint32Array {
  const counts = classCounts(n, parted, 8);
  return counts.map((_, k) => counts.slice(0, k).reduce((sum, count) => sum + count, 0));
}

function check(tier: Tier, bytes: Uint8Array, parted: Parted): void {
  const { width, columns, map } = parted;
  const n = bytes.length;
  const way = [n, width, Number(columns)] as const;
  const what = `${n} bytes, width ${width}, columns ${columns}, map ${map}`;
  for (const classes of [2, 8]) {
    const counted = run(tier, "classCounts", map, ...way, classes, out(32));
    const expected = outcome(() => classCounts(n, parted, classes));
    if (typeof expected === "number") expect(counted.status, what).toBe(expected);
    else {
      expect(counted.status, what).toBe(8);
      expectSame(u32(counted.out[0]), expected, what);
    }
  }
  const lists = classGather(bytes, parted);
  const from = starts(n, parted);
  if (has(tier, "classGather")) {
    const gathered = run(tier, "classGather", bytes, ...way, map, from, out(n, SLACK), out(WORK));
    expect(gathered.status, what).toBe(n);
    expectSame(gathered.out[0], lists, what);
  }
  const scattered = run(tier, "classScatter", lists, ...way, map, from, out(n), out(WORK));
  expect(scattered.status, what).toBe(n);
  expectSame(scattered.out[0], bytes, what);
}

test("the twin parts by hand", () => {
  const rows = { width: 3, columns: false, map: Uint8Array.of(1, 0, 1) };
  expect([...classGather(BY_HAND, rows)]).toEqual([4, 5, 6, 1, 2, 3, 7]);
  const columns = { width: 3, columns: true, map: Uint8Array.of(2, 0, 2) };
  expect([...classGather(BY_HAND, columns)]).toEqual([2, 5, 1, 3, 4, 6, 7]);
  expect([...classCounts(7, columns, 3)]).toEqual([2, 0, 5, 0, 0, 0, 0, 0]);
  expect([...classScatter(classGather(BY_HAND, columns), columns)]).toEqual([...BY_HAND]);
});

describe.each(decodeTiers())("classes on $name", (tier) => {
  test("by hand", () => {
    check(tier, BY_HAND, { width: 3, columns: false, map: Uint8Array.of(1, 0, 1) });
    check(tier, BY_HAND, { width: 3, columns: true, map: Uint8Array.of(2, 0, 2) });
  });

  test.each([1, 2, 31, 33, 1023, 1025, 4097])("of %i bytes in rows of many widths", (n) => {
    for (const width of [1, 2, 7, 16, 33, n - 1, n, n + 5].filter((w) => w >= 1)) {
      for (const columns of [false, true]) {
        const map = randomBytes(entriesOf(n, width, columns), width).map((byte) => byte & (n % 2 ? 7 : 1));
        check(tier, randomBytes(n, n), { width, columns, map });
      }
    }
  });

  // Blocks of sixteen columns, stripes of 2048, and more columns than blocks of a class have room for.
  test.each([15, 16, 17, 100, 2048, 2049, 2065, 4099])("of %i columns", (width) => {
    for (const rows of [1, 2.3, 5]) {
      const n = Math.ceil(rows * width);
      for (const classes of [1, 3, 8]) {
        const map = randomBytes(width, width + classes).map((byte) => byte % classes);
        check(tier, randomBytes(n, n), { width, columns: true, map });
      }
    }
  });

  test("of more columns than there is room to gather at once", () => {
    const map = randomBytes(32770, 1).map((byte) => byte & 7);
    check(tier, randomBytes(40000, 2), { width: 32770, columns: true, map });
  });

  test("of any bytes in any rows", () => {
    const any = (bytes: Uint8Array, width: number, columns: boolean, seed: number) => {
      const map = randomBytes(entriesOf(bytes.length, width, columns), seed).map((byte) => byte % 9);
      if (map.every((k) => k < 8)) check(tier, Uint8Array.from(bytes), { width, columns, map });
      else expect(run(tier, "classCounts", map, bytes.length, width, Number(columns), 8, out(32)).status).toBe(-7);
    };
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 300, size: "max" });
    fc.assert(fc.property(bytes, fc.integer({ min: 1, max: 320 }), fc.boolean(), fc.nat(), any));
  });
});
