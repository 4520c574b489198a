import fc from "fast-check";
import { expect, test } from "vitest";
import { byteCases, codes, expectSame, fibonacci, out, random, run, type Tier, tiers } from "./helpers.ts";
import { codeLengths, histogram, PIVOT_LIMIT, pivotCost } from "./reference.ts";

const WORK = 81920;
const SCRATCH = 131072;

function countsOf(...pairs: [symbol: number, count: number][]): Uint32Array {
  const counts = new Uint32Array(256);
  for (const [symbol, count] of pairs) counts[symbol] = count;
  return counts;
}

function fill(count: (symbol: number) => number): Uint32Array {
  return new Uint32Array(256).map((_, symbol) => count(symbol));
}

function bellCounts(sigma: number, n: number): Uint32Array {
  return histogram(new Uint8Array(codes(n, sigma, 3).buffer));
}

const NONE: [name: string, counts: Uint32Array][] = [
  ["nothing", fill(() => 0)],
  ["one symbol", countsOf([77, 1])],
  ["one symbol, often", countsOf([255, 2 ** 20])],
];

const SOME: [name: string, counts: Uint32Array][] = [
  ["two symbols", countsOf([0, 1], [255, 1])],
  ["two symbols, one rare", countsOf([3, 1], [4, 2 ** 20])],
  ["three symbols", countsOf([128, 5], [0, 5], [127, 5])],
  ["every symbol once", fill(() => 1)],
  ["every symbol, all equal", fill(() => 4096)],
  ["255 symbols, all equal", fill((symbol) => (symbol === 9 ? 0 : 100))],
  ["129 symbols, all equal", fill((symbol) => (symbol < 129 ? 100 : 0))],
  ["every other symbol", fill((symbol) => 50 * (symbol & 1))],
  ["one huge spike", fill((symbol) => (symbol === 0 ? 2 ** 20 : 1))],
  ["two huge spikes", fill((symbol) => (symbol % 128 === 5 ? 2 ** 19 : 1))],
  ["a spike and two others", countsOf([0, 2 ** 20], [1, 1], [200, 1])],
  ["Fibonacci", histogram(fibonacci())],
  ["powers of two", fill((symbol) => (symbol < 20 ? 2 ** symbol : 0))],
  ["powers of two, all symbols", fill((symbol) => Math.floor(2 ** (symbol / 13)))],
  ["rising", fill((symbol) => symbol + 1)],
  ["falling", fill((symbol) => 256 - symbol)],
  ["a comb of 13", fill((symbol) => (symbol < 13 ? 4 ** (12 - symbol) : 0))],
  ...[0.3, 1, 4, 10, 30, 60].flatMap((sigma): [string, Uint32Array][] => [
    [`sigma ${sigma}, a chunk`, bellCounts(sigma, 262_144)],
    [`sigma ${sigma}, a block`, bellCounts(sigma, 32_768)],
    [`sigma ${sigma}, few`, bellCounts(sigma, 300)],
  ]),
  ...byteCases(5000).map(([name, bytes]): [string, Uint32Array] => [`bytes: ${name}`, histogram(bytes)]),
];

/** No chunk is that large, but the ABI takes any count. */
const HUGE: [name: string, counts: Uint32Array][] = [
  ["one near 2^32", countsOf([0, 2 ** 32 - 1], [1, 1], [2, 77])],
  ["all near 2^32", fill((symbol) => 2 ** 32 - 1 - symbol)],
  ["some near 2^32", fill((symbol) => (symbol % 9 === 0 ? 2 ** 32 - 1 : symbol))],
  ["falling from 2^32", fill((symbol) => Math.floor((2 ** 32 - 1) / 1.2 ** symbol))],
];

function presentIn(counts: Uint32Array): number {
  return counts.filter((count) => count > 0).length;
}

/** Lengths by the kernel; complete, at most 12, and none missing. Twice, with other rubbish in the scratch, they are the same. */
function lengthsOf(tier: Tier, counts: Uint32Array, blocks: number, what: string): Uint8Array {
  const once = () => run(tier, "pivotLengths", counts, blocks, out(256), out(SCRATCH), out(WORK));
  const [first, second] = [once(), once()];
  const lengths = first.out[0];
  expectSame(second.out[0], lengths, `${what}, again`);
  expect([first.status, second.status], what).toEqual([presentIn(counts), presentIn(counts)]);
  if (first.status < 2) {
    expectSame(lengths, new Uint8Array(256), what);
    return lengths;
  }
  expect(Math.max(...lengths), what).toBeLessThanOrEqual(PIVOT_LIMIT);
  const kraft = lengths.reduce((sum, length) => sum + (length > 0 ? 2 ** (PIVOT_LIMIT - length) : 0), 0);
  expect(kraft, what).toBe(2 ** PIVOT_LIMIT);
  const missing = [...counts.keys()].filter((symbol) => counts[symbol] > 0 && lengths[symbol] === 0);
  expect(missing, what).toEqual([]);
  return lengths;
}

/** The same lengths on every tier. Where they come within 1 % of the entropy, the kernel does not look at those of Huffman. */
function check(counts: Uint32Array, what: string, blocks = 1): void {
  const [simd, ...others] = tiers().map((tier) => lengthsOf(tier, counts, blocks, `${what}, ${tier.name}`));
  for (const lengths of others) expectSame(lengths, simd, what);
  if (presentIn(counts) < 2) return;
  const [mine, huffman] = [simd, codeLengths(counts, PIVOT_LIMIT)].map((lengths) => pivotCost(counts, lengths).cost);
  expect(mine, `${what}: cost ${mine}, of Huffman ${huffman}`).toBeLessThanOrEqual(1.01 * huffman);
}

test.each([...NONE, ...SOME])("lengths are complete, the same everywhere, and cheap: %s", (name, counts) => {
  for (const blocks of [1, 2, 8, 32]) check(counts, `${name}, ${blocks} blocks`, blocks);
});

test.each(HUGE)("lengths are complete and the same everywhere: %s", (name, counts) => {
  const [simd, ...others] = tiers().map((tier) => lengthsOf(tier, counts, 8, `${name}, ${tier.name}`));
  for (const lengths of others) expectSame(lengths, simd, name);
});

test("lengths are complete, the same everywhere, and cheap for any counts", { timeout: 60_000 }, () => {
  const count = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 1048576 }));
  const any = (some: number[], blocks: number) => {
    const counts = new Uint32Array(256);
    counts.set(some);
    check(counts, `${some}, ${blocks} blocks`, blocks);
  };
  fc.assert(fc.property(fc.array(count, { maxLength: 256, size: "max" }), fc.integer({ min: 1, max: 32 }), any), {
    numRuns: 100,
  });
});

test("lengths are complete, the same everywhere, and cheap for few symbols anywhere", { timeout: 60_000 }, () => {
  const next = random(9);
  for (let i = 0; i < 150; i++) {
    const pairs = Array.from({ length: 2 + Math.floor(6 * next()) }, (): [number, number] => [
      Math.floor(256 * next()),
      1 + Math.floor(2 ** (20 * next())),
    ]);
    check(countsOf(...pairs), `${pairs}`);
  }
});

// A merge takes one step, and Huffman codes of 2 to 6 bits have nearly as many on the way to a flat.
test.each([4, 8, 10, 16, 30, 40])(
  "few steps for hardly more bytes than with the lengths of Huffman: sigma %d",
  (sigma) => {
    const counts = bellCounts(sigma, 262_144);
    const mine = pivotCost(counts, lengthsOf(tiers()[0], counts, 8, `sigma ${sigma}`));
    const huffman = pivotCost(counts, codeLengths(counts, PIVOT_LIMIT));
    expect(mine.steps).toBeLessThan(2.5 * 262_144);
    expect(mine.bytes).toBeLessThan(1.005 * huffman.bytes);
  },
);
