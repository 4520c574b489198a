import { compress, init } from "@bokuweb/zstd-wasm";
import { beforeAll, describe, expect, test } from "vitest";
import { measureHuffman } from "../src/codec/huffman.ts";
import { measureMask } from "../src/codec/mask.ts";
import { measurePivot } from "../src/codec/pivot.ts";
import { measureZrl } from "../src/codec/tokens.ts";
import { CHUNK_BYTES, type Kernels, loadKernels } from "../src/kernels.ts";
import { bytesOf, codes } from "./helpers.ts";
import { histogram, zrlTokens } from "./reference.ts";

// Sizes are exact, so what is promised of them can be a test. Measured sizes are those written: writeStream checks it.

let kernels: Kernels;

beforeAll(async () => {
  kernels = await loadKernels();
  await init();
});

/** Order-0 entropy in bytes. */
function entropy(counts: Uint32Array): number {
  const total = counts.reduce((a, b) => a + b, 0);
  const bits = Array.from(counts, (count) => (count === 0 ? 0 : -count * Math.log2(count / total)));
  return bits.reduce((a, b) => a + b, 0) / 8;
}

function place(values: Int8Array): number {
  const { plain } = kernels.arena(CHUNK_BYTES, "encode");
  kernels.bytes().set(bytesOf(values), plain);
  return plain;
}

describe("huffman", () => {
  // Not below 4.6 bits: there no code with a whole number of bits per symbol comes within 1 %.
  test.each([6, 10, 20])("is within 1 % of the entropy of a chunk of codes of sigma %d", (sigma) => {
    const values = codes(CHUNK_BYTES, sigma, 5);
    const { bytes, counts } = measureHuffman(kernels, place(values), values.length);
    expect(bytes).toBeLessThan(1.01 * entropy(counts));
  });
});

describe("pivot", () => {
  test.each([
    [30, 0],
    [10, 0],
    [4, 0],
    [30, 0.5],
    [30, 0.8],
    [30, 0.9],
    [30, 0.95],
  ])("is at most 0.5 %% larger than huffman on a chunk of codes of sigma %d, pruned to %d", (sigma, sparsity) => {
    const values = codes(CHUNK_BYTES, sigma, 5, sparsity);
    const huffman = measureHuffman(kernels, place(values), values.length);
    const pivot = measurePivot(kernels, place(values), values.length);
    expect(pivot.counts).toEqual(huffman.counts);
    expect(pivot.bytes).toBeLessThanOrEqual(1.005 * huffman.bytes);
    expect(pivot.bytes).toBeGreaterThan(0.99 * entropy(pivot.counts));
  });
});

describe("mask", () => {
  test.each([0.8, 0.9, 0.95])("is smaller than zstd -19 on codes pruned to %d", (sparsity) => {
    const values = codes(CHUNK_BYTES, 30, 6, sparsity);
    const { bytes } = measureMask(kernels, place(values), values.length);
    expect(bytes).toBeLessThan(compress(bytesOf(values), 19).length);
  });
});

describe("zrl", () => {
  test.each([0.8, 0.9, 0.95])("is smaller than zstd -19 on codes pruned to %d", (sparsity) => {
    const values = codes(CHUNK_BYTES, 30, 6, sparsity);
    const counts = histogram(bytesOf(values));
    const { bytes } = measureZrl(kernels, place(values), values.length, values.length, counts);
    expect(bytes).toBeLessThan(compress(bytesOf(values), 19).length);
  });

  test.each([0.8, 0.9, 0.95])(
    "is within 3 % of its symbols' entropy and its raw bits on codes pruned to %d",
    (sparsity) => {
      const values = codes(CHUNK_BYTES, 30, 7, sparsity);
      const counts = histogram(bytesOf(values));
      const measure = measureZrl(kernels, place(values), values.length, values.length, counts);
      const { symbols } = zrlTokens(values, values.length, 7);
      expect(measure.bytes).toBeLessThan(1.03 * (entropy(histogram(symbols)) + measure.raw));
    },
  );
});
