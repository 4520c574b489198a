import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectSame, out, random, randomBytes, run, SIZES, SLACK, type Tier, tiers } from "./helpers.ts";
import { compareBits, maskCount, memberBits, setOf, split } from "./reference.ts";

const BITS = Uint8Array.of(0b01001010, 0b1);
const BYTES = Uint8Array.of(1, 101, 2, 102, 3, 4, 103, 5, 104);

test("the twin splits, compares and finds members by hand", () => {
  const [left, right] = [Uint8Array.of(1, 2, 3, 4, 5), Uint8Array.of(101, 102, 103, 104)];
  expect(split(BITS, BYTES)).toEqual({ left, right });
  expectSame(compareBits(BYTES, 101), BITS);
  expectSame(memberBits(BYTES, [...right]), BITS);
  const set = new Uint8Array(32);
  [set[0], set[5], set[31]] = [0b10, 0b1001, 0b10000000];
  expectSame(setOf([32, 5, 101, 255]), set);
});

function checkSplit(tier: Tier, bits: Uint8Array, bytes: Uint8Array, what: string): void {
  const { left, right } = split(bits, bytes);
  const parts = run(tier, "split", bits, bytes, bytes.length, out(left.length, SLACK), out(right.length, SLACK));
  expect(parts.status, what).toBe(bytes.length);
  expectSame(parts.out[0], left, `${what}: left`);
  expectSame(parts.out[1], right, `${what}: right`);
}

function checkCompare(tier: Tier, bytes: Uint8Array, pivot: number, what: string): void {
  const bits = compareBits(bytes, pivot);
  const compared = run(tier, "compareBits", bytes, bytes.length, pivot, out(bits.length, SLACK));
  expect(compared.status, what).toBe(maskCount(bits, bytes.length));
  expectSame(compared.out[0], bits, `${what}: compared with ${pivot}`);
}

function checkMembers(tier: Tier, bytes: Uint8Array, members: number[], what: string): void {
  const bits = memberBits(bytes, members);
  const found = run(tier, "memberBits", bytes, bytes.length, setOf(members), out(bits.length, SLACK));
  expect(found.status, what).toBe(maskCount(bits, bytes.length));
  expectSame(found.out[0], bits, `${what}: members ${members}`);
}

/** n bits, of which about the part `ones` is set. */
function bitsOf(n: number, ones: number, seed: number): Uint8Array {
  const next = random(seed);
  const bits = new Uint8Array(Math.ceil(n / 8));
  for (let i = 0; i < n; i++) if (next() < ones) bits[i >> 3] |= 1 << (i & 7);
  return bits;
}

const ALL = Array.from({ length: 256 }, (_, x) => x);
const SETS = [[], ALL, [0], [255], ALL.filter((x) => x % 3 === 0), ALL.filter((x) => x >= 100 && x < 180)];

describe.each(tiers())("split on $name", (tier) => {
  test.each([...SIZES, 7, 8, 9, 15, 16, 17, 32, 47, 48, 49, 63, 64, 65, 255, 32767, 32768])(
    "agrees with the twin on %i bytes",
    (n) => {
      const bytes = randomBytes(n, n + 2);
      for (const ones of [0, 0.01, 0.3, 0.5, 0.99, 1]) checkSplit(tier, bitsOf(n, ones, n + 1), bytes, `${ones}`);
      for (const pivot of [1, 127, 128, 129, 255]) checkCompare(tier, bytes, pivot, `${n} bytes`);
      for (const members of SETS) checkMembers(tier, bytes, members, `${n} bytes`);
    },
  );

  test("splits under every pair of bytes of bits", () => {
    const bytes = randomBytes(32, 1);
    for (let bits = 0; bits < 65536; bits += tier.name === "debug" ? 97 : 29) {
      checkSplit(tier, Uint8Array.of(bits & 255, bits >> 8, bits >> 8, bits & 255), bytes, `${bits}`);
    }
  });

  test("knows every byte from every other", () => {
    const bytes = Uint8Array.from(ALL);
    for (let x = 0; x < 256; x++) {
      checkMembers(tier, bytes, [x], `${x}`);
      if (x > 0) checkCompare(tier, bytes, x, `${x}`);
    }
  });

  test("splits any list by any set", () => {
    const any = (bytes: Uint8Array, members: number[], pivot: number) => {
      checkMembers(tier, bytes, members, `${bytes}`);
      checkCompare(tier, bytes, pivot, `${bytes}`);
      checkSplit(tier, memberBits(bytes, members), bytes, `${bytes}, ${members}`);
    };
    const byte = fc.nat({ max: 255 });
    const bytes = fc.uint8Array({ maxLength: 700, size: "max" });
    fc.assert(
      fc.property(bytes, fc.uniqueArray(byte, { maxLength: 256, size: "max" }), fc.integer({ min: 1, max: 255 }), any),
    );
  });
});
