import { demand } from "../errors.ts";
import { type Arena, checked, type Kernels } from "../kernels.ts";
import { countsOf, sumCounts } from "./huffman.ts";
import { type Candidate, fileOffset, LAMBDA, type OnPart, type Place, STEPS } from "./stream.ts";

// Bytes to a pivot payload and back (docs/FORMAT.md): blocks under one code, its bits laid out by node of the code's tree.

/** Symbols in a block. */
export const BLOCK = 32768;
const LIMIT = 12;

const RAW = 0;
const CONSTANT = 1;
/** The first kind of block that has nodes. */
export const TABLE = 2;
const NODES = 3;

/** A pivot payload that has been measured, not written. */
export interface PivotCandidate extends Candidate {
  /** Counts of the 256 symbols. */
  readonly counts: Uint32Array;
  /** The only symbol, or -1. */
  readonly only: number;
}

interface Block {
  readonly kind: number;
  readonly at: number;
  readonly n: number;
}

/**
 * Measures n >= 1 bytes at src. One histogram per block makes the size exact to the byte.
 * @param lambda - bytes that a step is worth; 0: lengths by bytes alone, the better of two kinds
 */
export function measurePivot(kernels: Kernels, src: number, n: number, lambda = LAMBDA): PivotCandidate {
  const places = blocksOf(n);
  const parts = places.map(({ start, count }) => countsOf(kernels, src + start, count));
  const shaped = measureLengths(kernels, src, n, parts, shapedLengths);
  if (lambda > 0 || shaped.only >= 0) return shaped;
  const plain = measureLengths(kernels, src, n, parts, plainLengths);
  return plain.bytes < shaped.bytes ? plain : shaped;
}

/** Finds lengths from arena.histogram and returns how many symbols occur. */
type FindLengths = (kernels: Kernels, arena: Arena, blocks: number) => number;

const shapedLengths: FindLengths = ({ run }, { histogram, lengths, scratch, work }, blocks) =>
  run.pivotLengths(histogram, blocks, lengths, scratch, work);

const plainLengths: FindLengths = ({ run }, { histogram, lengths, scratch }) =>
  run.codeLengths(histogram, LIMIT, lengths, scratch);

function measureLengths(
  kernels: Kernels,
  src: number,
  n: number,
  parts: readonly Uint32Array[],
  find: FindLengths,
): PivotCandidate {
  const { run } = kernels;
  const arena = kernels.arena(0, "encode");
  const counts = sumCounts(parts);
  kernels.bytes().set(new Uint8Array(counts.buffer), arena.histogram);
  const present = find(kernels, arena, parts.length);
  const only = present === 1 ? counts.findIndex((c) => c > 0) : -1;
  const lengths = kernels.bytes().slice(arena.lengths, arena.lengths + 256);
  const table = only < 0 ? run.writeLengths(arena.lengths, -1, LIMIT, arena.scratch) : 0;
  const steps = only < 0 ? run.pivotSteps(arena.histogram, arena.lengths, arena.work) : STEPS.constant * n;
  let bytes = 0;
  let coded = false;
  const blocks = blocksOf(n).map(({ start, count }, i): Block => {
    const part = parts[i] as Uint32Array;
    const nodes = only < 0 ? blockSize(kernels, part) : 0;
    let kind = coded ? NODES : TABLE;
    let size = nodes + (coded ? 0 : table);
    if (part.includes(count)) [kind, size] = [CONSTANT, 1];
    else if (size >= count) [kind, size] = [RAW, count];
    else coded = true;
    bytes += 1 + size;
    return { kind, at: src + start, n: count };
  });
  const write = (dst: number) => writePivot(kernels, blocks, lengths, dst);
  return { code: "pivot", bytes, steps, counts, only, write };
}

function blockSize(kernels: Kernels, counts: Uint32Array): number {
  const { scratch, lengths, work } = kernels.arena(0, "encode");
  kernels.bytes().set(new Uint8Array(counts.buffer), scratch);
  return kernels.run.pivotSize(scratch, lengths, work);
}

/** Where the blocks of n symbols lie. */
export function blocksOf(n: number): { start: number; count: number }[] {
  const blocks = Array.from({ length: Math.ceil(n / BLOCK) }, (_, i) => i * BLOCK);
  return blocks.map((start) => ({ start, count: Math.min(BLOCK, n - start) }));
}

function writePivot(kernels: Kernels, blocks: readonly Block[], lengths: Uint8Array, dst: number): number {
  const { run } = kernels;
  const arena = kernels.arena(0, "encode");
  const bytes = kernels.bytes();
  bytes.set(lengths, arena.lengths);
  let at = dst;
  for (const { kind, at: src, n } of blocks) {
    bytes[at++] = kind;
    if (kind === RAW) {
      bytes.copyWithin(at, src, src + n);
      at += n;
    } else if (kind === CONSTANT) {
      bytes[at++] = bytes[src] as number;
    } else {
      if (kind === TABLE) at += run.writeLengths(arena.lengths, -1, LIMIT, at);
      at += run.pivotNodes(src, n, arena.lengths, at, arena.work);
    }
  }
  return at - dst;
}

/** Reads the payload of `size` bytes at `at` into n >= 1 symbols at dst, a block at a time. @throws FormatError */
export function readPivot(
  kernels: Kernels,
  at: number,
  size: number,
  n: number,
  dst: number,
  place: Place,
  onPart: OnPart,
): void {
  const { run } = kernels;
  const arena = kernels.arena(0, "decode");
  const end = at + size;
  for (const { start, count } of blocksOf(n)) {
    const used = run.pivotBlock(at, end - at, count, start === 0 ? 1 : 0, dst + start, arena.work);
    at += used < 0 ? checked(used, fileOffset(place, arena, at), `${place.field}, block at ${start}`) : used;
    onPart(start, count);
  }
  const offset = fileOffset(place, arena, at);
  demand(at === end, "trailing", offset, place.field, "the end of the blocks", `${end - at} bytes`);
}
