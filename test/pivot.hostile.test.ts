import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeTiers,
  expectSame,
  inout,
  nameOf,
  out,
  outcome,
  random,
  run,
  SLACK,
  STATUS,
  type Tier,
} from "./helpers.ts";
import { concat } from "./reference/huffman.ts";
import { BLOCK, pivotDecode, pivotEncode, writeLengths, writeNodes } from "./reference.ts";
import { completeCode, drawn, grownLengths, shapes } from "./trees.ts";

const WORK = 81920;

/** As the caller of the kernel decodes a payload: the symbols, or the status it refuses with. */
function decode(tier: Tier, payload: Uint8Array, n: number): Uint8Array | number {
  const parts: Uint8Array[] = [];
  let work = new Uint8Array(WORK).fill(payload.length);
  let at = 0;
  for (let start = 0; start < n; start += BLOCK) {
    const rest = payload.subarray(at);
    const count = Math.min(BLOCK, n - start);
    const first = start === 0 ? 1 : 0;
    const block = run(tier, "pivotBlock", rest, rest.length, count, first, out(count, SLACK), inout(work));
    if (block.status < 0) return block.status;
    expect(block.status).toBeGreaterThan(0);
    expect(block.status).toBeLessThanOrEqual(rest.length);
    parts.push(block.out[0]);
    work = block.out[1];
    at += block.status;
  }
  return at === payload.length ? concat(...parts) : STATUS.SIZES;
}

/** Accepts and refuses what the twin does, for the same reason. True if accepted. */
function check(tier: Tier, payload: Uint8Array, n: number): boolean {
  const expected = outcome(() => pivotDecode(payload, n));
  const actual = decode(tier, payload, n);
  const what = `n = ${n}, payload ${payload.length < 200 ? payload : `of ${payload.length} bytes`}`;
  if (typeof expected === "number" || typeof actual === "number") {
    const name = (result: Uint8Array | number) => (typeof result === "number" ? nameOf(result) : "accepted");
    expect(name(actual), what).toBe(name(expected));
    return false;
  }
  expectSame(actual, expected, what);
  return true;
}

// One flat of four symbols; a leaf and a flat of two.
const FOUR = [0x22, 0x22];
const ONE_TWO_TWO = [0x21, 0x02];

// What is wrong, the payload, the count, the status.
const BAD: [name: string, payload: number[], n: number, status: number][] = [
  ["nothing", [], 1, STATUS.SIZES],
  ["kind 4", [4, 0, 0, 0], 1, STATUS.KIND],
  ["kind 255", [255, ...ONE_TWO_TWO, 0], 1, STATUS.KIND],
  ["kind 3 without a table", [3, 0, 0, 0], 1, STATUS.KIND],
  ["a raw block cut short", [0, 1, 2], 3, STATUS.SIZES],
  ["a constant cut short", [1], 3, STATUS.SIZES],
  ["a byte behind the last block", [1, 5, 0], 3, STATUS.SIZES],
  ["no table", [2], 1, STATUS.LENGTHS],
  ["a table cut short", [2, 0x21], 1, STATUS.LENGTHS],
  ["an only symbol", [2, 0x0f], 1, STATUS.LENGTHS],
  ["a nibble 13", [2, 0x0d, 0], 1, STATUS.LENGTHS],
  ["a nibble 14", [2, 0x2e, 0], 1, STATUS.LENGTHS],
  ["a fill nibble that is not 0", [2, 0x21, 0x12, 0], 1, STATUS.LENGTHS],
  ["too many codes", [2, 0x21, 0x01, 0], 1, STATUS.KRAFT],
  ["no root", [2, ...ONE_TWO_TWO], 1, STATUS.SIZES],
  ["a root cut short", [2, ...ONE_TWO_TWO, 0], 9, STATUS.SIZES],
  ["a fill bit of the root", [2, ...ONE_TWO_TWO, 0x80], 7, STATUS.PADDING],
  ["a fill bit of a root cut short", [2, ...ONE_TWO_TWO, 0x80], 9, STATUS.SIZES],
  ["a flat cut short", [2, ...ONE_TWO_TWO, 0x02], 2, STATUS.SIZES],
  ["a fill bit of a flat", [2, ...ONE_TWO_TWO, 0x02, 0x02], 2, STATUS.PADDING],
  ["a fill bit of a flat that is the root", [2, ...FOUR, 0x10], 2, STATUS.PADDING],
  ["a flat that no symbol reaches, written", [2, ...ONE_TWO_TWO, 0x00, 0x00], 2, STATUS.SIZES],
];

const SMALL: [name: string, lengths: Uint8Array, n: number][] = [
  ["few symbols", grownLengths(random(1), 6, "any"), 21],
  ["a comb", grownLengths(random(2), 13, "comb"), 30],
  ["many symbols", grownLengths(random(3), 60, "any"), 50],
  ["one flat", grownLengths(random(4), 8, "bush"), 13],
  ["a bush", grownLengths(random(5), 23, "bush"), 27],
];

describe("the twin", () => {
  test.each(BAD)("refuses %s", (_, payload, n, status) => {
    expect(() => pivotDecode(Uint8Array.from(payload), n)).toThrow(nameOf(status));
  });
});

describe.each(decodeTiers())("hostile pivot payloads on $name", (tier) => {
  test.each(BAD)("are refused: %s", (_, payload, n, status) => {
    expect(decode(tier, Uint8Array.from(payload), n)).toBe(status);
  });

  test("may read kind 3 only behind a table, not behind that of another payload", () => {
    const [, lengths] = shapes()[2];
    const symbols = drawn(lengths, 20, random(1), true);
    const nodes = writeNodes(symbols, lengths);
    const table = concat(Uint8Array.of(2), writeLengths(lengths, -1, 12), nodes);
    const again = concat(Uint8Array.of(3), nodes);
    const work = run(tier, "pivotBlock", table, table.length, 20, 1, out(20, SLACK), out(WORK)).out[1];
    expect(run(tier, "pivotBlock", again, again.length, 20, 0, out(20, SLACK), inout(work)).status).toBe(again.length);
    expect(run(tier, "pivotBlock", again, again.length, 20, 1, out(20, SLACK), inout(work)).status).toBe(STATUS.KIND);
    const constant = run(tier, "pivotBlock", Uint8Array.of(1, 5), 2, 20, 1, out(20, SLACK), inout(work));
    const behind = run(tier, "pivotBlock", again, again.length, 20, 0, out(20, SLACK), inout(constant.out[1]));
    expect(behind.status).toBe(STATUS.KIND);
  });

  test.each(SMALL)(
    "are decoded or refused as by the twin: every prefix, one byte more, every bit of %s",
    (_, lengths, n) => {
      const payload = pivotEncode(drawn(lengths, n, random(n), true), lengths);
      expect(check(tier, payload, n)).toBe(true);
      for (let size = 0; size < payload.length; size++) {
        expect(check(tier, payload.subarray(0, size), n), `${size} bytes`).toBe(false);
      }
      for (const more of [0, 1, 255]) expect(check(tier, Uint8Array.of(...payload, more), n)).toBe(false);
      for (let bit = 0; bit < 8 * payload.length; bit++) {
        const changed = payload.slice();
        changed[bit >> 3] ^= 1 << (bit & 7);
        check(tier, changed, n);
      }
      for (let other = 1; other < 2 * n; other++) check(tier, payload, other);
    },
  );

  test("are decoded or refused as by the twin at the end of a block", () => {
    const [, lengths] = shapes()[4];
    for (const n of [BLOCK - 1, BLOCK, BLOCK + 1]) {
      const payload = pivotEncode(drawn(lengths, n, random(n), true), lengths);
      expect(check(tier, payload, n)).toBe(true);
      for (const size of [1, 40, payload.length - 2, payload.length - 1]) check(tier, payload.subarray(0, size), n);
      for (const other of [n - 1, n + 1]) check(tier, payload, other);
      for (const at of [5000, 20000, payload.length - 1]) {
        const changed = payload.slice();
        changed[at] ^= 16;
        check(tier, changed, n);
      }
    }
  });

  test("are decoded or refused as by the twin when changed", () => {
    let read = 0;
    const any = (lengths: Uint8Array, n: number, seed: number, edits: [at: number, bits: number][], grow: number) => {
      const payload = pivotEncode(drawn(lengths, n, random(seed), seed % 2 === 0), lengths);
      const changed = new Uint8Array(Math.max(0, payload.length + grow));
      changed.set(payload.subarray(0, changed.length));
      for (const [at, bits] of edits) changed[at % changed.length] ^= bits;
      if (check(tier, changed, n)) read++;
    };
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 });
    const grow = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: -3, max: 2 }));
    const count = fc.oneof(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 1, max: 900 }));
    fc.assert(fc.property(completeCode, count, fc.nat(), edits, grow, any), { numRuns: 400 });
    expect(read, "some of the changed payloads can be read").toBeGreaterThan(40);
  });

  test("are decoded or refused as by the twin when random behind a table", () => {
    const any = (lengths: Uint8Array, bytes: Uint8Array, n: number) => {
      check(tier, concat(Uint8Array.of(2), writeLengths(lengths, -1, 12), bytes), n);
    };
    const bytes = fc.uint8Array({ maxLength: 80, size: "max" });
    fc.assert(fc.property(completeCode, bytes, fc.integer({ min: 1, max: 200 }), any), { numRuns: 300 });
    const without = (some: Uint8Array, n: number) => void check(tier, Uint8Array.from(some), n);
    fc.assert(fc.property(bytes, fc.integer({ min: 1, max: 90 }), without), { numRuns: 200 });
  });
});
