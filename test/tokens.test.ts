import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  accepted,
  bytesOf,
  decodeTiers,
  expectSame,
  has,
  int8Cases,
  nameOf,
  out,
  random,
  randomBytes,
  run,
  SIZES,
  SLACK,
  STATUS,
  type Tier,
} from "./helpers.ts";
import { largestCategory, runsOf, type Tokens, zrlTokens, zrlValues } from "./reference.ts";

interface Example {
  name: string;
  values: Int8Array;
  group: number;
  categories: number;
  symbols: number[];
  raw: number[];
}

const zeros = (n: number) => new Array<number>(n).fill(0);

const BY_HAND: Example[] = [
  {
    // 3 = category 2 behind 2 zeros, low bit 1, sign 0; -1 = category 1 behind 1 zero, sign 1; end.
    name: "two values",
    values: Int8Array.of(0, 0, 3, 0, -1, 0, 0, 0),
    group: 8,
    categories: 2,
    symbols: [5, 2, 255],
    raw: [0b101],
  },
  {
    name: "no end symbol in a full group, a short last group",
    values: Int8Array.of(0, 1, 0, 0, 1, 0, 0),
    group: 2,
    categories: 1,
    symbols: [1, 255, 0, 255, 255],
    raw: [0],
  },
  {
    name: "an escape up to the last place of a group",
    values: Int8Array.of(...zeros(31), 1, ...zeros(31)),
    group: 32,
    categories: 8,
    symbols: [248, 0, 249],
    raw: [0],
  },
  {
    name: "two escapes",
    values: Int8Array.of(...zeros(63), -128, ...zeros(1)),
    group: 100,
    categories: 8,
    symbols: [248, 248, 15, 249],
    raw: [0x80],
  },
  {
    // 5 = 101 without its leading one, least significant first: 1 0; -6 = 110: 0 1.
    name: "levels",
    values: Int8Array.of(5, -6, 127),
    group: 3,
    categories: 7,
    symbols: [2, 2, 6],
    raw: [0b11110001, 0b1111],
  },
];

// What is wrong, the symbols, the raw bytes, G, C, n, and the status unless two would do.
type Bad = [name: string, symbols: number[], raw: number[], G: number, C: number, n: number, status?: number];

const BAD: Bad[] = [
  ["a symbol above the end symbol", [254], [], 9, 3, 9, STATUS.SYMBOL],
  ["a run that fills its group", [4], [0], 4, 1, 8, STATUS.RUN],
  ["a run that leaves its group", [5], [0], 4, 1, 8, STATUS.RUN],
  ["a run that leaves the last group", [4], [0], 9, 1, 4],
  ["an escape that fills its group", [248], [], 31, 8, 31, STATUS.RUN],
  ["an escape that fills the last group", [248], [], 40, 8, 31, STATUS.RUN],
  ["an escape that leaves its group", [248], [], 30, 8, 60, STATUS.RUN],
  ["an end behind an escape", [248, 249], [], 40, 8, 40, STATUS.RUN],
  ["no symbols", [], [], 1, 1, 1, STATUS.COUNT],
  ["too few values", [0, 0], [0], 4, 1, 3, STATUS.COUNT],
  ["too many values", [0, 0], [0], 4, 1, 1, STATUS.COUNT],
  ["an escape at the end", [248], [], 40, 8, 40, STATUS.COUNT],
  ["+128", [7], [0], 4, 8, 1, STATUS.LEVEL],
  ["-129", [7], [0x81], 4, 8, 1, STATUS.LEVEL],
  ["129", [7], [0x01], 4, 8, 1, STATUS.LEVEL],
  ["no raw bits", [0], [], 4, 1, 1, STATUS.BITS],
  ["too few raw bits", [7, 7], [0x80], 4, 8, 2, STATUS.BITS],
  ["a raw byte too many", [0], [0, 0], 4, 1, 1, STATUS.BITS],
  ["raw bytes and no values", [255], [0], 4, 1, 4, STATUS.BITS],
  ["fill bits that are not 0", [0], [2], 4, 1, 1, STATUS.PADDING],
];

describe("the twin", () => {
  test.each(BY_HAND)("cuts by hand: $name", ({ values, group, categories, symbols, raw }) => {
    const tokens = { symbols: Uint8Array.from(symbols), raw: Uint8Array.from(raw) };
    expect(zrlTokens(values, group, categories)).toEqual(tokens);
    expectSame(zrlValues(tokens, group, categories, values.length), values);
  });

  test.each(BAD)("refuses %s", (_, symbols, raw, group, categories, n, status) => {
    const tokens = { symbols: Uint8Array.from(symbols), raw: Uint8Array.from(raw) };
    expect(() => zrlValues(tokens, group, categories, n)).toThrow(status ? nameOf(status) : undefined);
  });
});

function runValues(tier: Tier, { symbols, raw }: Tokens, group: number, categories: number, n: number) {
  return run(tier, "zrlValues", symbols, symbols.length, raw, raw.length, group, categories, n, out(n));
}

function check(tier: Tier, values: Int8Array, group: number, categories: number, tokens: Tokens, what: string): void {
  const n = values.length;
  if (has(tier, "zrlTokens")) {
    const cut = run(tier, "zrlTokens", values, n, group, categories, out(n, SLACK), out(n, SLACK));
    expect(cut.status, what).toBe(tokens.symbols.length);
    expectSame(cut.out[0].subarray(0, cut.status), tokens.symbols, `${what}: symbols`);
    expectSame(cut.out[1].subarray(0, tokens.raw.length), tokens.raw, `${what}: raw bits`);
  }
  const back = runValues(tier, tokens, group, categories, n);
  expect(back.status, what).toBe(n);
  expectSame(back.out[0], values, `${what}: values`);
}

/** Accepts and refuses what the twin does. */
function checkValues(tier: Tier, tokens: Tokens, group: number, categories: number, n: number): boolean {
  const expected = accepted(() => zrlValues(tokens, group, categories, n));
  const {
    status,
    out: [actual],
  } = runValues(tier, tokens, group, categories, n);
  const what = `G = ${group}, C = ${categories}, n = ${n}, symbols ${tokens.symbols}, raw ${tokens.raw}`;
  expect(status, what).toBe(expected ? n : Math.min(-1, status));
  if (expected) expectSame(actual, expected, what);
  return expected !== undefined;
}

test.each(SIZES)("every tier agrees with the twin on %i values", { timeout: 30000 }, (n) => {
  for (const [name, values] of int8Cases(n)) {
    const least = largestCategory(values);
    for (const group of n < 2000 ? [1, 3, 64, 1000, 0xffffff] : [64, n]) {
      for (const categories of n < 2000 ? new Set([least, 8]) : [least]) {
        const tokens = zrlTokens(values, group, categories);
        const what = `${name}, groups of ${group}, ${categories} categories`;
        for (const tier of decodeTiers()) check(tier, values, group, categories, tokens, `${what}, ${tier.name}`);
      }
    }
  }
});

/** Runs of zeros, some longer than one symbol holds, each before a value. */
const sets = fc.array(
  fc.tuple(
    fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 40 }), fc.integer({ min: 120, max: 600 })),
    fc.oneof(fc.constant(0), fc.integer({ min: -3, max: 3 }), fc.integer({ min: -128, max: 127 })),
  ),
  { maxLength: 40, size: "max" },
);
const groups = fc.oneof(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 2000 }), fc.constant(0xffffff));

function valuesOf(pairs: [run: number, value: number][]): Int8Array {
  return Int8Array.from(pairs.flatMap(([run, value]) => [...zeros(run), value]));
}

/** Symbols that fit their groups, whatever the raw bits may say of the levels. */
function fitting(seed: number, group: number, categories: number): { tokens: Tokens; n: number } {
  const next = random(seed);
  const below = (limit: number) => Math.floor(limit * next());
  const [runs, symbols] = [runsOf(categories), [] as number[]];
  let [at, bits] = [0, 0];
  for (let i = below(40); i >= 0; i--) {
    const left = group - (at % group);
    const kind = next();
    if (kind < 0.2 && runs < left) {
      symbols.push(runs * categories);
      at += runs;
    } else if (kind < 0.4) {
      symbols.push(runs * categories + 1);
      at += i === 0 ? 1 + below(left) : left;
    } else {
      const [zeros, category] = [below(Math.min(runs, left, 9)), 1 + below(categories)];
      symbols.push(zeros * categories + category - 1);
      at += zeros + 1;
      bits += category;
    }
  }
  const raw = randomBytes(Math.ceil(bits / 8), seed);
  if (bits % 8 > 0) raw[raw.length - 1] &= (1 << (bits % 8)) - 1;
  return { tokens: { symbols: Uint8Array.from(symbols), raw }, n: at };
}

describe.each(decodeTiers())("tokens on $name", (tier) => {
  test.each(BY_HAND)("are cut by hand: $name", ({ values, group, categories, symbols, raw }) => {
    const tokens = { symbols: Uint8Array.from(symbols), raw: Uint8Array.from(raw) };
    check(tier, values, group, categories, tokens, "by hand");
  });

  test.each(BAD)("are refused: %s", (_, symbols, raw, group, categories, n, status) => {
    const tokens = { symbols: Uint8Array.from(symbols), raw: Uint8Array.from(raw) };
    const result = runValues(tier, tokens, group, categories, n).status;
    expect(result).toBe(status ?? Math.min(-1, result));
  });

  test("give every value back", () => {
    const values = new Int8Array(256).map((_, i) => i);
    check(tier, values, 256, 8, zrlTokens(values, 256, 8), "all values");
  });

  test("give any values back, in any groups", () => {
    const any = (pairs: [number, number][], group: number, more: number) => {
      const values = valuesOf(pairs);
      const categories = Math.min(8, largestCategory(values) + more);
      check(tier, values, group, categories, zrlTokens(values, group, categories), `${pairs}`);
    };
    fc.assert(fc.property(sets, groups, fc.nat({ max: 2 }), any), { numRuns: 200 });
  });
});

describe.each(decodeTiers())("hostile tokens on $name", (tier) => {
  test("are read or refused as by the twin when they fit their groups", () => {
    let read = 0;
    const any = (seed: number, group: number, categories: number) => {
      const { tokens, n } = fitting(seed, group, categories);
      if (checkValues(tier, tokens, group, categories, n)) read++;
    };
    const group = fc.integer({ min: 1, max: 400 });
    fc.assert(fc.property(fc.integer(), group, fc.integer({ min: 1, max: 8 }), any), { numRuns: 600 });
    expect(read, "this test is about tokens that can be read").toBeGreaterThan(200);
  });

  test("are read or refused as by the twin when changed", () => {
    const edit = fc.record({ at: fc.nat(), symbol: fc.nat({ max: 255 }), special: fc.boolean() });
    const any = (
      pairs: [number, number][],
      group: number,
      edits: { at: number; symbol: number; special: boolean }[],
      [symbolsMore, rawMore, nMore, groupMore, flip]: number[],
    ) => {
      const values = valuesOf(pairs);
      const categories = largestCategory(values);
      const tokens = zrlTokens(values, group, categories);
      const symbols = resized(tokens.symbols, symbolsMore);
      const raw = resized(tokens.raw, rawMore);
      const escapeSymbol = runsOf(categories) * categories;
      for (const e of edits) symbols[e.at % symbols.length] = e.special ? escapeSymbol + (e.symbol % 3) : e.symbol;
      raw[flip % raw.length] ^= flip >> 8;
      const n = Math.max(0, values.length + nMore);
      checkValues(tier, { symbols, raw }, Math.max(1, group + groupMore), categories, n);
    };
    const rarely = (arbitrary: fc.Arbitrary<number>) => fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, arbitrary);
    const little = rarely(fc.integer({ min: -2, max: 2 }));
    const changes = fc.tuple(little, little, little, little, rarely(fc.nat({ max: 65535 })));
    fc.assert(fc.property(sets, groups, fc.array(edit, { maxLength: 2 }), changes, any), { numRuns: 400 });
  });

  test("are read or refused as by the twin when random", () => {
    const bytes = fc.uint8Array({ maxLength: 40, size: "max" });
    const any = (symbols: Uint8Array, raw: Uint8Array, group: number, categories: number, n: number) => {
      checkValues(tier, { symbols: bytesOf(symbols), raw: bytesOf(raw) }, group, categories, n);
    };
    fc.assert(fc.property(bytes, bytes, groups, fc.integer({ min: 1, max: 8 }), fc.nat({ max: 300 }), any), {
      numRuns: 300,
    });
  });
});

function resized(bytes: Uint8Array, more: number): Uint8Array {
  const result = new Uint8Array(Math.max(0, bytes.length + more));
  result.set(bytes.subarray(0, result.length));
  return result;
}
