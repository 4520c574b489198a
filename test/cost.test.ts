import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  byteCases,
  codes,
  encodeNodes,
  inout,
  out,
  random,
  run,
  SLACK,
  type Tier,
  tiers,
  treeFor,
  WORK,
} from "./helpers.ts";
import { BLOCK, codeLengths, histogram, PIVOT_LIMIT, pivotCost, writeLengths, writeNodes } from "./reference.ts";
import { completeCode, drawn, shapes } from "./trees.ts";

describe("the twin", () => {
  // docs/FORMAT.md: the root passes all 8, the inner node beside {5} three, {6, 7} two.
  const symbols = Uint8Array.of(5, 7, 5, 6, 5, 5, 8, 5);
  const lengths = new Uint8Array(256).fill(1, 5, 6).fill(3, 6, 8).fill(2, 8, 9);

  test("costs by hand", () => {
    const steps = 3 * 100 + 0.75 * 8 + 0.75 * 3 + 0.3 * 2;
    expect(pivotCost(histogram(symbols), lengths)).toEqual({ bytes: 3, steps, cost: 3 + steps / 128 });
  });

  test("knows flats of one run, of two, and of more", () => {
    const all = pivotCost(new Uint32Array(256).fill(16), new Uint8Array(256).fill(8));
    expect(all).toMatchObject({ bytes: 4096, steps: 100 + 0.5 * 4096 });
    const counts = new Uint32Array(256).fill(1);
    const half = (take: (value: number) => boolean) =>
      pivotCost(
        counts,
        new Uint8Array(256).map((_, value) => (take(value) ? 7 : 0)),
      );
    // A flat that is the root.
    expect(half((value) => value < 128).steps).toBe(100 + 0.5 * 128);
    expect(half((value) => value < 64 || value >= 192).steps).toBe(100 + 0.5 * 128);
    expect(half((value) => value < 32 || (value >= 64 && value < 160)).steps).toBe(100 + 2.7 * 128);
  });
});

/** Bytes as written, by the kernel and by the twin, and both figures as the twin has them. */
function check(tier: Tier, symbols: Uint8Array, lengths: Uint8Array, what: string): void {
  const counts = histogram(symbols);
  const nodes = writeNodes(symbols, lengths);
  const written = encodeNodes(tier, symbols, lengths, nodes.length);
  const expected = pivotCost(counts, lengths);
  expect(expected.bytes, what).toBe(nodes.length);
  expect(written.status, what).toBe(nodes.length);
  checkCounts(tier, counts, lengths, what);
  const block = Uint8Array.of(2, ...writeLengths(lengths, -1, PIVOT_LIMIT), ...nodes);
  const decoded = run(
    tier,
    "pivotBlock",
    block,
    block.length,
    symbols.length,
    1,
    out(symbols.length, SLACK),
    out(WORK),
  );
  expect(decoded.status, what).toBe(block.length);
  const { status } = run(tier, "blockSteps", decoded.out[1]);
  expect(Math.abs(status - expected.steps), `${what}: ${status} steps of the block`).toBeLessThan(1);
}

/** Of the fraction of a step nothing is said. */
function checkCounts(tier: Tier, counts: Uint32Array, lengths: Uint8Array, what: string): void {
  const expected = pivotCost(counts, lengths);
  const work = treeFor(tier, lengths);
  expect(run(tier, "pivotSize", counts, inout(work)).status, what).toBe(expected.bytes);
  const { status } = run(tier, "pivotSteps", counts, inout(work));
  expect(Math.abs(status - expected.steps), `${what}: ${status} steps, ${expected.steps}`).toBeLessThan(1);
}

describe.each(tiers())("the cost on $name", (tier) => {
  test.each(shapes())("is exact: %s", (name, lengths) => {
    for (const n of [1, 7, 8, 9, 127, 128, 129, 1000, 4097]) {
      for (const likeBits of [true, false])
        check(tier, drawn(lengths, n, random(n), likeBits), lengths, `${name}, ${n}`);
    }
  });

  test("is exact on whole blocks", { timeout: 60_000 }, () => {
    for (const [name, bytes] of [
      ...byteCases(BLOCK),
      ["sigma 4", new Uint8Array(codes(BLOCK, 4, 6).buffer)] as const,
    ]) {
      const lengths = codeLengths(histogram(bytes), 12);
      if (lengths.some((length) => length > 0)) check(tier, bytes, lengths, name);
    }
  });

  test("is exact under any complete code", () => {
    const any = (lengths: Uint8Array, n: number, seed: number, likeBits: boolean) =>
      check(tier, drawn(lengths, n, random(seed), likeBits), lengths, `${n} of ${lengths}`);
    fc.assert(fc.property(completeCode, fc.integer({ min: 1, max: 2000 }), fc.nat(), fc.boolean(), any), {
      numRuns: 150,
    });
  });

  test("needs no symbols, only counts, up to those of the largest chunk and of none", () => {
    const next = random(5);
    for (const [name, lengths] of shapes()) {
      const present = [...lengths.keys()].filter((symbol) => lengths[symbol] > 0);
      const counts = new Uint32Array(256);
      checkCounts(tier, counts, lengths, `${name}, nothing`);
      for (const symbol of present) counts[symbol] = Math.floor((next() * 2 ** 20) / present.length);
      checkCounts(tier, counts, lengths, `${name}, many`);
      checkCounts(tier, counts.fill(0).fill(2 ** 20, present[0], present[0] + 1), lengths, `${name}, one symbol`);
    }
  });
});

test("a block is decoded in at most 12 steps a symbol, besides those of its nodes", () => {
  for (const [name, lengths] of shapes()) {
    const symbols = drawn(lengths, BLOCK, random(2), false);
    const { steps } = pivotCost(histogram(symbols), lengths);
    expect(steps, name).toBeLessThan(12 * BLOCK + 100 * 512);
  }
});
