import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fibonacci } from "../helpers.ts";
import { histogram } from "./histogram.ts";
import { codeLengths } from "./huffman.ts";

function cost(hist: number[], lengths: ArrayLike<number>): number {
  return hist.reduce((sum, count, symbol) => sum + count * lengths[symbol], 0);
}

/** The least cost of any complete code, by trying all. */
function leastCost(hist: number[], limit: number, lengths: number[] = []): number {
  const kraft = lengths.reduce((sum, length) => sum + 2 ** -length, 0);
  if (lengths.length === hist.length) return kraft === 1 ? cost(hist, lengths) : Number.POSITIVE_INFINITY;
  const tries = Array.from({ length: limit }, (_, i) => leastCost(hist, limit, [...lengths, i + 1]));
  return Math.min(...tries);
}

/** The cost of Huffman's own tree, whose depth nothing limits: the sum of its inner nodes. */
function unlimitedCost(hist: number[]): number {
  const nodes = hist.filter((count) => count > 0);
  let sum = 0;
  while (nodes.length > 1) {
    nodes.sort((a, b) => b - a);
    const node = (nodes.pop() ?? 0) + (nodes.pop() ?? 0);
    sum += node;
    nodes.push(node);
  }
  return sum;
}

describe("package-merge", () => {
  test("finds the cheapest lengths under a limit", () => {
    const counts = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 2, maxLength: 6 });
    fc.assert(
      fc.property(counts, fc.constantFrom(3, 4), (hist, limit) => {
        const lengths = codeLengths(Uint32Array.from(hist), limit);
        expect(cost(hist, lengths)).toBe(leastCost(hist, limit));
      }),
    );
  });

  test("is as good as Huffman's tree where the limit does not bite", () => {
    const counts = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 2, maxLength: 100, size: "max" });
    fc.assert(
      fc.property(counts, (hist) => {
        const present = hist.filter((count) => count > 0).length;
        fc.pre(present > 1);
        expect(cost(hist, codeLengths(Uint32Array.from(hist)))).toBe(unlimitedCost(hist));
      }),
    );
  });

  test("keeps to 11 bits, with a complete code, where Huffman's tree is deeper", () => {
    const lengths = codeLengths(histogram(fibonacci())).filter((length) => length > 0);
    expect(Math.max(...lengths)).toBe(11);
    expect(lengths.reduce((sum, length) => sum + 2 ** (11 - length), 0)).toBe(2048);
  });
});
