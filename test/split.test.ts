import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectSame, out, random, randomBytes, run, SIZES, SLACK, type Tier, tiers } from "./helpers.ts";
import { compareBits, maskCount, rangeBits, split } from "./reference.ts";

const BITS = Uint8Array.of(0b01001010, 0b1);
const BYTES = Uint8Array.of(1, 101, 2, 102, 3, 4, 103, 5, 104);

test("the twin splits, compares and finds ranges by hand", () => {
  const [left, right] = [Uint8Array.of(1, 2, 3, 4, 5), Uint8Array.of(101, 102, 103, 104)];
  expect(split(BITS, BYTES)).toEqual({ left, right });
  expectSame(compareBits(BYTES, 101), BITS);
  expectSame(rangeBits(BYTES, [100], 0), BITS);
  // 1, 101 and 102 to the left, 2..5 to the right; 103, 104 to the left again.
  expectSame(rangeBits(Uint8Array.of(1, 101, 2, 5, 102, 255), [-1, 1, 5], 0), Uint8Array.of(0b010011));
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

function checkRanges(tier: Tier, bytes: Uint8Array, ends: number[], side: number, what: string): void {
  const bits = rangeBits(bytes, ends, side);
  const filled = new Int8Array(4 * Math.max(1, Math.ceil(ends.length / 4))).fill(127);
  filled.set(ends);
  const found = run(tier, "rangeBits", bytes, bytes.length, filled, ends.length, side, out(bits.length, SLACK));
  expect(found.status, what).toBe(maskCount(bits, bytes.length));
  expectSame(found.out[0], bits, `${what}: ends ${ends}, ${side}`);
}

/** n bits, of which about the part `ones` is set. */
function bitsOf(n: number, ones: number, seed: number): Uint8Array {
  const next = random(seed);
  const bits = new Uint8Array(Math.ceil(n / 8));
  for (let i = 0; i < n; i++) if (next() < ones) bits[i >> 3] |= 1 << (i & 7);
  return bits;
}

const ALL = Array.from({ length: 256 }, (_, x) => x);
const ENDS = [
  [],
  [-128],
  [126],
  [-1],
  [-30, 29],
  [-90, -30, 29, 80],
  [-90, -30, 0, 29, 80],
  [1, 2, 3, 5, 6, 7, 9, 10, 11],
];

describe.each(tiers())("split on $name", (tier) => {
  test.each([...SIZES, 7, 8, 9, 15, 16, 17, 32, 47, 48, 49, 63, 64, 65, 255, 32767, 32768])(
    "agrees with the twin on %i bytes",
    (n) => {
      const bytes = randomBytes(n, n + 2);
      for (const ones of [0, 0.01, 0.3, 0.5, 0.99, 1]) checkSplit(tier, bitsOf(n, ones, n + 1), bytes, `${ones}`);
      for (const pivot of [1, 127, 128, 129, 255]) checkCompare(tier, bytes, pivot, `${n} bytes`);
      ENDS.forEach((ends, i) => {
        checkRanges(tier, bytes, ends, i % 2, `${n} bytes`);
      });
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
      checkRanges(
        tier,
        bytes,
        [x - 129, x - 128].filter((end) => end > -129),
        x % 2,
        `${x}`,
      );
      if (x > 0) checkCompare(tier, bytes, x, `${x}`);
    }
  });

  test("splits any list by any ranges", () => {
    const any = (bytes: Uint8Array, ends: number[], side: number, pivot: number) => {
      checkRanges(tier, bytes, ends, side, `${bytes}`);
      checkCompare(tier, bytes, pivot, `${bytes}`);
      checkSplit(tier, rangeBits(bytes, ends, side), bytes, `${bytes}`);
    };
    const bytes = fc.uint8Array({ maxLength: 700, size: "max" });
    const ends = fc.uniqueArray(fc.integer({ min: -128, max: 126 }), { maxLength: 13 });
    fc.assert(fc.property(bytes, ends, fc.nat({ max: 1 }), fc.integer({ min: 1, max: 255 }), any));
  });
});
