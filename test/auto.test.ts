import { describe, expect, test } from "vitest";
import { constantCandidate, rawCandidate } from "../src/codec/entropy.ts";
import { measureHuffman } from "../src/codec/huffman.ts";
import { measureMask } from "../src/codec/mask.ts";
import { measurePivot } from "../src/codec/pivot.ts";
import { BYTES, type Content, readStream, writeStream } from "../src/codec/planes.ts";
import { type Candidate, type CodeName, costOf, HEADER_BYTES, LAMBDA } from "../src/codec/stream.ts";
import { measureZrl } from "../src/codec/tokens.ts";
import { CHUNK_BYTES } from "../src/kernels.ts";
import type { CodeStep, Grouping } from "../src/plan.ts";
import { BOTH, SIMD } from "./files.ts";
import { byteCases, bytesOf, codes, expectSame, randomBytes } from "./helpers.ts";
import { histogram, pack4, splitPlanes, streamOf } from "./reference.ts";

// What auto decides for a stream: the least of bytes + LAMBDA * steps, which the measures of src tell of every code. That bytes are
// right is checked whenever a stream is written, steps by test/cost.test.ts and the bench.

const AUTO: CodeStep = { op: "code", code: "auto", grouping: { by: "chunk", size: 0 } };
const PLACE = { offset: 0, field: "stream" };

interface Stream {
  readonly bytes: Uint8Array;
  /** int4 codes, one to a byte, that the bytes hold two of each. */
  readonly nibbles?: Int8Array | undefined;
  readonly content?: Content;
  readonly step?: CodeStep;
  readonly kernel?: number;
}

function place({ bytes, nibbles }: Stream): number {
  const { plain, values } = SIMD.arena(CHUNK_BYTES, "encode");
  SIMD.bytes().set(bytes, plain);
  if (nibbles) SIMD.bytes().set(bytesOf(nibbles), values);
  return plain;
}

/** The stream that auto makes, which both tiers read back. */
function written(stream: Stream): { code: CodeName; bytes: Uint8Array } {
  const { bytes, nibbles, content = { ...BYTES, nibbles: nibbles?.length ?? 0 }, step = AUTO, kernel = 1 } = stream;
  const { stored } = SIMD.arena(CHUNK_BYTES, "encode");
  const n = bytes.length;
  const { code, bytes: size } = writeStream(
    SIMD,
    { at: place(stream), n, content },
    step,
    { kernel, widths: [] },
    stored,
  );
  const result = SIMD.bytes().slice(stored, stored + size);
  for (const kernels of BOTH) {
    const { stored: at, plain } = kernels.arena(CHUNK_BYTES, "decode");
    kernels.bytes().set(result, at);
    expect(readStream(kernels, at, at + size, { at: plain, n, content }, PLACE)).toEqual({ next: at + size, code });
    expectSame(kernels.bytes().slice(plain, plain + n), bytes);
  }
  return { code, bytes: result };
}

/** Every single code for the same bytes; raw where a code does not pay. */
function singles(stream: Stream): Candidate[] {
  const at = place(stream);
  const { values } = SIMD.arena(CHUNK_BYTES, "encode");
  const { bytes, nibbles } = stream;
  const n = bytes.length;
  const raw = rawCandidate(SIMD, at, n);
  const pivot = measurePivot(SIMD, at, n);
  const counts = histogram(nibbles ? bytesOf(nibbles) : bytes);
  const [from, count] = nibbles ? [values, nibbles.length] : [at, n];
  const zrl = measureZrl(SIMD, from, count, count, counts);
  const all = [raw, measureHuffman(SIMD, at, n), pivot, measureMask(SIMD, at, n), zrl];
  if (pivot.only >= 0) all.push(constantCandidate(SIMD, pivot.only, n));
  return all.filter((candidate) => candidate === raw || candidate.bytes < n);
}

function chosenOf(stream: Stream, all: readonly Candidate[]): Candidate {
  const { code, bytes } = written(stream);
  const chosen = all.find((candidate) => candidate.code === code);
  expect(chosen?.bytes, code).toBe(bytes.length - HEADER_BYTES);
  return chosen as Candidate;
}

const COUNTS = [1, 5, 20, 50, 100, 200, 400, 1000, 1024, 2000, 5000, 20_000, 65_537, CHUNK_BYTES];
const SIGMAS = [0.3, 0.6, 1, 2, 4, 10, 30, 60];
const SPARSITIES = [0.3, 0.5, 0.7, 0.74, 0.8, 0.9, 0.95, 0.99, 0.999];

function streams(n: number): [name: string, stream: Stream][] {
  const gaussian = SIGMAS.map((sigma) => [`sigma ${sigma}`, codes(n, sigma, 7)] as const);
  const pruned = SPARSITIES.flatMap((share) =>
    [2, 10, 30].map((sigma) => [`sigma ${sigma}, pruned to ${share}`, codes(n, sigma, 7, share)] as const),
  );
  const int4 = [0, ...SPARSITIES].map((share) => {
    const nibbles = codes(n, 2.7, 9, share).map((code) => Math.max(-8, Math.min(7, code)));
    return [`int4, pruned to ${share}`, { bytes: pack4(nibbles), nibbles }] as [string, Stream];
  });
  const bytes = [...gaussian, ...pruned, ...byteCases(n)].map(([name, values]): [string, Stream] => [
    name,
    { bytes: bytesOf(values) },
  ]);
  return [...bytes, ...int4];
}

/**
 * What auto may lose against a code, as a share and in bytes. It does not try huffman, whose table and six streams are smaller than a
 * small block of pivot, and tries zrl only where most values are zero.
 */
const LOSS: Record<CodeName, [share: number, bytes: number]> = {
  raw: [0, 0],
  constant: [0, 0],
  pivot: [0, 0],
  mask: [0, 0],
  huffman: [0.01, 8],
  zrl: [0.01, 0],
  planes: [0, 0],
  classes: [0, 0],
};

describe.each(COUNTS)("of %d values, auto", (n) => {
  test("costs at most what any single code does", { timeout: 60_000 }, () => {
    const dear: string[] = [];
    for (const [name, stream] of streams(n)) {
      const all = singles(stream);
      const chosen = chosenOf(stream, all);
      for (const other of all) {
        const [share, bytes] = LOSS[other.code];
        const [mine, its] = [chosen, other].map((one) => costOf(one));
        if (mine > (1 + share) * its + bytes) {
          dear.push(`${name}: ${chosen.code} ${mine.toFixed(1)}, ${other.code} ${its.toFixed(1)}`);
        }
      }
    }
    expect(dear).toEqual([]);
  });
});

describe("of a chunk, auto", () => {
  /** Bytes over the least of the single codes. */
  function excess(values: Int8Array): number {
    const stream = { bytes: bytesOf(values) };
    const all = singles(stream);
    const least = all.filter(({ code }) => code !== "zrl").reduce((a, b) => (b.bytes < a.bytes ? b : a));
    return chosenOf(stream, all).bytes / least.bytes - 1;
  }

  test.each([30, 10, 4, 2])("takes at most 1 % more than the smallest code: sigma %d", (sigma) => {
    expect(excess(codes(CHUNK_BYTES, sigma, 7))).toBeLessThan(0.01);
  });

  test.each([0.5, 0.8, 0.9, 0.95])("takes at most 1 % more than the smallest code: pruned to %d", (share) => {
    for (const sigma of [10, 30]) expect(excess(codes(CHUNK_BYTES, sigma, 7, share))).toBeLessThan(0.01);
  });

  // What is decoded very fast may cost LAMBDA times the steps that it saves: raw bytes 3 % and codes of 2 bits 2 %.
  test.each([
    [60, 0.03],
    [1, 0.02],
  ])("gives away little for speed: sigma %d, %d", (sigma, most) => {
    expect(excess(codes(CHUNK_BYTES, sigma, 7))).toBeLessThan(most);
  });

  test("never takes more than raw, whose steps are fewest", () => {
    for (const [name, stream] of streams(CHUNK_BYTES)) {
      expect(written(stream).bytes.length, name).toBeLessThanOrEqual(HEADER_BYTES + stream.bytes.length);
    }
  });
});

test.each<Grouping>([
  { by: "chunk", size: 0 },
  { by: "kernel", size: 4 },
  { by: "count", size: 7 },
])("with the grouping $by $size, auto costs at most what zrl does in one group, by kernel, and by this", (grouping) => {
  for (const share of [0.8, 0.9, 0.99]) {
    for (const n of [900, 36_000, 9 * 29_000]) {
      const values = codes(n, 30, 5, share).map((code, i) => (Math.floor(i / 9) % 3 === 0 ? 0 : code));
      const stream = { bytes: bytesOf(values), step: { ...AUTO, grouping }, kernel: 9 };
      const counts = histogram(stream.bytes);
      const groups = [n, 9, grouping.by === "count" ? grouping.size : 9 * Math.max(1, grouping.size)];
      const zrl = groups.map((group) => measureZrl(SIMD, place(stream), n, group, counts));
      const { code, bytes } = written(stream);
      const chosen = [...singles(stream), ...zrl].filter(
        (c) => c.code === code && c.bytes === bytes.length - HEADER_BYTES,
      );
      expect(chosen).not.toEqual([]);
      expect(Math.min(...chosen.map((one) => costOf(one)))).toBeLessThanOrEqual(
        Math.min(...zrl.map((one) => costOf(one))),
      );
    }
  }
});

test("a step is worth so little that a byte decoded in the slowest way costs less than the eighth of one", () => {
  const { bytes, steps } = measureHuffman(SIMD, place({ bytes: randomBytes(CHUNK_BYTES, 1) }), CHUNK_BYTES);
  expect(costOf({ bytes, steps })).toBe(bytes + LAMBDA * steps);
  expect(LAMBDA * steps).toBeLessThan(CHUNK_BYTES / 8);
});

test.each([2, 4, 8] as const)("planes of %d-byte elements are each decided alone", (width) => {
  const count = 9000;
  const bytes = bytesOf(codes(width * count, 9, 3)).map((byte, i) => (i % width === 1 ? byte & (i >> 9) & 1 : byte));
  for (const float of [false, true]) {
    const planes = splitPlanes(bytes, width, float);
    const parts = Array.from({ length: width }, (_, k) => planes.slice(k * count, (k + 1) * count));
    const expected = streamOf(4, Uint8Array.from(parts.flatMap((part) => [...written({ bytes: part }).bytes])));
    expectSame(written({ bytes, content: { width, float, nibbles: 0 } }).bytes, expected);
  }
});
