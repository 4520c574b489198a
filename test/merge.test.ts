import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeTiers, expectSame, out, random, randomBytes, run, SIZES, SLACK, type Tier } from "./helpers.ts";
import { maskCount, merge } from "./reference.ts";

const BITS = Uint8Array.of(0b01001010, 0b1);
const LEFT = Uint8Array.of(1, 2, 3, 4, 5);
const RIGHT = Uint8Array.of(101, 102, 103, 104);
const MERGED = Uint8Array.of(1, 101, 2, 102, 3, 4, 103, 5, 104);

test("the twin merges by hand", () => expectSame(merge(BITS, 9, LEFT, RIGHT), MERGED));

interface Lists {
  bits: Uint8Array;
  left: Uint8Array;
  right: Uint8Array;
}

/** n bits, of which about the part `ones` is set, and two lists that hold just as many bytes. */
function listsOf(n: number, ones: number, seed: number): Lists {
  const next = random(seed);
  const bits = new Uint8Array(Math.ceil(n / 8));
  for (let i = 0; i < n; i++) if (next() < ones) bits[i >> 3] |= 1 << (i & 7);
  const count = maskCount(bits, n);
  return { bits, left: randomBytes(n - count, seed + 1), right: randomBytes(count, seed + 2) };
}

function check(tier: Tier, { bits, left, right }: Lists, expected: Uint8Array, what: string): void {
  const n = expected.length;
  const merged = run(tier, "merge", bits, n, left, right, out(n, SLACK));
  expect(merged.status, what).toBe(n);
  expectSame(merged.out[0], expected, `${what}: merged`);
}

function checkExpand(tier: Tier, { bits, right }: Lists, n: number, leaf: number, what: string): void {
  const expanded = run(tier, "expand", bits, n, right, leaf, out(n, SLACK));
  expect(expanded.status, what).toBe(right.length);
  const left = new Uint8Array(n - right.length).fill(leaf);
  expectSame(expanded.out[0], merge(bits, n, left, right), `${what}: expanded`);
}

test.each([...SIZES, 7, 8, 9, 15, 16, 17, 32, 47, 48, 49, 255, 32767, 32768])(
  "every tier agrees with the twin on %i bits",
  (n) => {
    for (const ones of [0, 0.01, 0.3, 0.5, 0.99, 1]) {
      const lists = listsOf(n, ones, n + 1);
      const expected = merge(lists.bits, n, lists.left, lists.right);
      for (const tier of decodeTiers()) {
        check(tier, lists, expected, `${ones} on ${tier.name}`);
        for (const leaf of [0, 200]) checkExpand(tier, lists, n, leaf, `${ones}, ${leaf} on ${tier.name}`);
      }
    }
  },
);

describe.each(decodeTiers())("merge on $name", (tier) => {
  test("merges by hand", () => {
    check(tier, { bits: BITS, left: LEFT, right: RIGHT }, MERGED, "by hand");
    const expanded = run(tier, "expand", BITS, 9, RIGHT, 7, out(9, SLACK));
    expect(expanded.status).toBe(4);
    expectSame(expanded.out[0], Uint8Array.of(7, 101, 7, 102, 7, 7, 103, 7, 104));
  });

  test("merges under every pair of bytes of bits", () => {
    const [left, right] = [randomBytes(16, 1), randomBytes(16, 2)];
    for (let bits = 0; bits < 65536; bits += tier.name === "debug" ? 97 : 7) {
      const pair = Uint8Array.of(bits & 255, bits >> 8);
      const ones = maskCount(pair, 16);
      const lists = { bits: pair, left: left.subarray(0, 16 - ones), right: right.subarray(0, ones) };
      check(tier, lists, merge(pair, 16, left, right), `${bits}`);
      checkExpand(tier, lists, 16, 99, `${bits}`);
    }
  });

  test("merges any lists", () => {
    const any = (n: number, ones: number, seed: number, leaf: number) => {
      const lists = listsOf(n, ones / 10, seed);
      const merged = merge(lists.bits, n, lists.left, lists.right);
      check(tier, lists, merged, `n = ${n}, seed ${seed}`);
      checkExpand(tier, lists, n, leaf, `n = ${n}, seed ${seed}`);
    };
    const count = fc.oneof(fc.nat({ max: 80 }), fc.nat({ max: 3000 }));
    fc.assert(fc.property(count, fc.nat({ max: 10 }), fc.nat(), fc.nat({ max: 255 }), any), { numRuns: 200 });
  });
});
