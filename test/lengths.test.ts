import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeTiers,
  expectSame,
  fibonacci,
  has,
  nameOf,
  out,
  outcome,
  readTable,
  run,
  STATUS,
  type Tier,
  tiers,
} from "./helpers.ts";
import { codeLengths, histogram, readLengths, tableOf, writeLengths } from "./reference.ts";

function lengthsOf(...pairs: [symbol: number, length: number][]): Uint8Array {
  const lengths = new Uint8Array(256);
  for (const [symbol, length] of pairs) lengths[symbol] = length;
  return lengths;
}

// Table, and its bytes by hand.
const TABLES: [name: string, lengths: Uint8Array, onlySymbol: number, bytes: number[]][] = [
  ["three in a row", lengthsOf([0, 1], [1, 2], [2, 2]), -1, [0x21, 0x02]],
  ["with gaps", lengthsOf([2, 2], [5, 2], [255, 1]), -1, [0x10, 0x02, 0x21, 0xf0, 0xe9, 0x01]],
  ["a gap of 15", lengthsOf([15, 1], [16, 1]), -1, [0xe0, 0x11]],
  ["a gap of 16", lengthsOf([16, 1], [17, 1]), -1, [0xf0, 0x00, 0x11]],
  ["only symbol 0", new Uint8Array(256), 0, [0x0f]],
  ["only symbol 7", new Uint8Array(256), 7, [0x60, 0x0f]],
  ["only symbol 255", new Uint8Array(256), 255, [0xf0, 0xef, 0x0f]],
];

// What is wrong with it, the bytes, the status.
const BAD_TABLES: [name: string, bytes: number[], status: number][] = [
  ["nothing", [], STATUS.LENGTHS],
  ["a table cut short", [0x21], STATUS.LENGTHS],
  ["a run cut short", [0xf0], STATUS.LENGTHS],
  ["a run behind a run", [0x00, 0x00, 0x11], STATUS.LENGTHS],
  ["a run behind a run, then an only symbol", [0x00, 0x00, 0x0f], STATUS.LENGTHS],
  ["a run behind a long run", [0xf0, 0x00, 0xf0, 0x00, 0x11], STATUS.LENGTHS],
  ["a long run cut short", [0xf0, 0xe0], STATUS.LENGTHS],
  ["a nibble 12", [0xc1, 0x01], STATUS.LENGTHS],
  ["a nibble 13", [0x0d, 0x00], STATUS.LENGTHS],
  ["a nibble 14", [0x21, 0x2e], STATUS.LENGTHS],
  ["an only symbol behind another", [0xf1, 0x01], STATUS.LENGTHS],
  ["too many codes", [0x21, 0x01], STATUS.KRAFT],
  ["too many codes at the last length", [0x21, 0xb3, 0x03], STATUS.KRAFT],
  ["a symbol 256", [0xf0, 0xef, 0x11], STATUS.LENGTHS],
  ["a run beyond symbol 255", [0xf0, 0xff, 0x11], STATUS.LENGTHS],
  ["an only symbol 256", [0xf0, 0xf0, 0x0f], STATUS.LENGTHS],
  ["a fill nibble that is not 0", [0x21, 0x12], STATUS.LENGTHS],
  ["a fill nibble behind an only symbol", [0x1f], STATUS.LENGTHS],
];

// The same up to 12 bits, where there is no only symbol.
const BAD_TABLES_12: [name: string, bytes: number[], status: number][] = [
  ["nothing", [], STATUS.LENGTHS],
  ["a table cut short", [0x21], STATUS.LENGTHS],
  ["a repetition of nothing", [0x3d, 0x00], STATUS.LENGTHS],
  ["a repetition behind absent symbols", [0x02, 0xd1, 0x00], STATUS.LENGTHS],
  ["a repetition behind another", [0xd8, 0xd0, 0x00], STATUS.LENGTHS],
  ["a repetition cut short", [0xd8], STATUS.LENGTHS],
  ["a long repetition cut short", [0xd8, 0x1f], STATUS.LENGTHS],
  ["a repetition beyond the last symbol", [0xdc, 0xff, 0xff], STATUS.LENGTHS],
  ["a repetition of too many codes", [0xd2, 0x02], STATUS.KRAFT],
  ["an only symbol", [0x0f], STATUS.LENGTHS],
  ["an only symbol behind a run", [0x60, 0x0f], STATUS.LENGTHS],
  ["a nibble 13", [0x0d, 0x00], STATUS.LENGTHS],
  ["a nibble 14", [0x21, 0x2e], STATUS.LENGTHS],
  ["a nibble 15 behind a length", [0xf1, 0x01], STATUS.LENGTHS],
  ["too many codes", [0x21, 0x01], STATUS.KRAFT],
  ["a fill nibble that is not 0", [0x21, 0x12], STATUS.LENGTHS],
];

describe("the twin", () => {
  test.each(TABLES)("writes and reads a table by hand: %s", (_, lengths, onlySymbol, bytes) => {
    expectSame(writeLengths(lengths, onlySymbol), Uint8Array.from(bytes));
    expect(readLengths(Uint8Array.from(bytes))).toEqual({ lengths, onlySymbol, size: bytes.length });
  });

  test.each(BAD_TABLES)("refuses %s", (_, bytes, status) => {
    expect(() => readLengths(Uint8Array.from(bytes))).toThrow(nameOf(status));
  });

  test.each(BAD_TABLES_12)("refuses, up to 12 bits, %s", (_, bytes, status) => {
    expect(() => readLengths(Uint8Array.from(bytes), 12)).toThrow(nameOf(status));
  });

  test("gives the later of equals the shorter code", () => {
    expect([...codeLengths(Uint32Array.of(1, 1, 1)).subarray(0, 3)]).toEqual([2, 2, 1]);
  });
});

function checkTable(tier: Tier, hist: Uint32Array): void {
  for (const limit of [11, 12]) checkLimited(tier, hist, limit);
}

function checkLimited(tier: Tier, hist: Uint32Array, limit: number): void {
  const expected = codeLengths(hist, limit);
  const present = [...hist.keys()].filter((symbol) => hist[symbol] > 0);
  const counted = run(tier, "codeLengths", hist, limit, out(256), out(32768));
  expect(counted.status).toBe(present.length);
  expectSame(counted.out[0], expected, `lengths up to ${limit} of ${hist}`);
  const only = present.length === 1 ? present[0] : -1;
  if (present.length === 0 || (only >= 0 && limit === 12)) return;
  const bytes = writeLengths(expected, only, limit);
  const written = run(tier, "writeLengths", expected, only, limit, out(bytes.length));
  expect(written.status).toBe(bytes.length);
  expectSame(written.out[0], bytes, `table of ${hist}`);
  const table = { status: bytes.length, lengths: expected, onlySymbol: only };
  expect(readTable(tier, bytes, limit)).toEqual(table);
}

describe.each(tiers())("code lengths on $name", (tier) => {
  test("agree with the twin on the awkward histograms", () => {
    const all = new Uint32Array(256);
    for (const hist of [
      all,
      all.map(() => 1),
      all.map((_, i) => i + 1),
      all.map((_, i) => 256 - i),
      all.map((_, i) => Math.floor(2 ** (i / 13))),
      all.map((_, i) => (i % 2 ? 1 << (i >> 4) : 0)),
      all.map((_, i) => (i < 2 ? 1048576 : 1)),
      all.map((_, i) => (i === 200 ? 5 : 0)),
      histogram(fibonacci()),
    ]) {
      checkTable(tier, hist);
    }
  });

  test("agree with the twin on one and two symbols anywhere", () => {
    for (let symbol = 0; symbol < 256; symbol++) {
      checkTable(tier, histogram(Uint8Array.of(symbol)));
      checkTable(tier, histogram(Uint8Array.of(symbol, (symbol * 37 + 1) & 255)));
    }
  });

  test("agree with the twin on any histogram, equal counts included", () => {
    const count = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 1048576 }));
    const counts = fc.array(count, { maxLength: 256, size: "max" });
    const check = (some: number[]) => {
      const hist = new Uint32Array(256);
      hist.set(some);
      checkTable(tier, hist);
    };
    fc.assert(fc.property(counts, check), { numRuns: 150 });
  });
});

/** As many nibbles as make whole bytes. */
function bytesOfNibbles(nibbles: number[]): Uint8Array {
  return new Uint8Array(nibbles.length >> 1).map((_, i) => nibbles[2 * i] | (nibbles[2 * i + 1] << 4));
}

/** True if the table can be read under both limits. */
function checkRead(tier: Tier, bytes: Uint8Array): boolean {
  const read = [11, 12].map((limit) => {
    const expected = outcome(() => readLengths(bytes, limit));
    const { status, lengths, onlySymbol } = readTable(tier, bytes, limit);
    const actual = status < 0 ? status : { lengths, onlySymbol, size: status };
    expect(actual, `table ${bytes}, up to ${limit}`).toEqual(expected);
    return typeof expected !== "number";
  });
  return read[0] && read[1];
}

// Sixteen symbols of length 4 from -128 on: 4, then 15 more as 13 and 12. All 256 symbols: 8, then 255 more as 13, 15, 237.
const REPEATED: [first: number, end: number, length: number, bytes: number[]][] = [
  [128, 144, 4, [0xd4, 0x0c]],
  [0, 256, 8, [0xd8, 0xdf, 0x0e]],
  [128, 132, 2, [0xd2, 0x00]],
];

describe.each(decodeTiers())("tables on $name", (tier) => {
  test.each(REPEATED)("repeat a length up to 12 bits: symbols %i to %i", (first, end, length, bytes) => {
    const lengths = new Uint8Array(256).fill(length, first, end);
    const table = Uint8Array.from(bytes);
    expectSame(writeLengths(lengths, -1, 12), table);
    if (has(tier, "writeLengths"))
      expectSame(run(tier, "writeLengths", lengths, -1, 12, out(bytes.length)).out[0], table);
    expect(readTable(tier, table, 12)).toEqual({ status: bytes.length, lengths, onlySymbol: -1 });
  });

  test.each(TABLES)("are written and read by hand: %s", (_, lengths, onlySymbol, bytes) => {
    if (has(tier, "writeLengths"))
      expectSame(run(tier, "writeLengths", lengths, onlySymbol, 11, out(bytes.length)).out[0], Uint8Array.from(bytes));
    const table = readTable(tier, Uint8Array.from(bytes));
    expect(table).toEqual({ status: bytes.length, lengths, onlySymbol });
  });

  test.each(BAD_TABLES)("are refused: %s", (_, bytes, status) => {
    expect(readTable(tier, Uint8Array.from(bytes)).status).toBe(status);
  });

  test.each(BAD_TABLES_12)("are refused up to 12 bits: %s", (_, bytes, status) => {
    expect(readTable(tier, Uint8Array.from(bytes), 12).status).toBe(status);
  });

  test("are read or refused as by the twin, whatever the bytes", () => {
    // Mostly long codes, or no table would get far enough to end.
    const nibble = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 15 }), fc.integer({ min: 5, max: 12 }));
    const nibbles = fc.array(nibble, { maxLength: 400, size: "max" });
    const check = (some: number[]) => void checkRead(tier, bytesOfNibbles(some));
    fc.assert(fc.property(nibbles, check), { numRuns: 400 });
  });

  test("are read or refused as by the twin when changed", () => {
    let read = 0;
    const check = (symbols: Uint8Array, at: number, cut: number, put: number[]) => {
      const table = Array.from(writeLengths(tableOf(symbols).lengths, tableOf(symbols).onlySymbol));
      const nibbles = table.flatMap((byte) => [byte & 15, byte >> 4]);
      nibbles.splice(at % nibbles.length, cut, ...put);
      if (checkRead(tier, bytesOfNibbles([...nibbles, 0]))) read++;
    };
    const few = fc.array(fc.nat({ max: 15 }), { maxLength: 3 });
    const symbols = fc.uint8Array({ minLength: 1, maxLength: 60, size: "max" });
    fc.assert(fc.property(symbols, fc.nat(), fc.nat({ max: 3 }), few, check), { numRuns: 400 });
    expect(read, "some of the changed tables can be read").toBeGreaterThan(20);
  });
});
