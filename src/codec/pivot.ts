import { demand } from "../errors.ts";
import { type Arena, checked, type Kernels } from "../kernels.ts";
import { sumCounts } from "./huffman.ts";
import { type Candidate, fileOffset, LAMBDA, type OnPart, type Place, STEPS } from "./stream.ts";

// Bytes to a pivot payload and back (docs/FORMAT.md): blocks under one code, its bits laid out by node of the code's tree.

/** Symbols in a block. */
export const BLOCK = 32768;
const LIMIT = 12;
/** 256 u32. */
const COUNTS_BYTES = 1024;

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
  const counted = countBlocks(kernels, src, n);
  const shaped = measureLengths(kernels, n, counted, shapedLengths);
  if (lambda > 0 || shaped.only >= 0) return shaped;
  const plain = measureLengths(kernels, n, counted, plainLengths);
  return plain.bytes < shaped.bytes ? plain : shaped;
}

interface Counted {
  /** Of all blocks together. */
  readonly counts: Uint32Array;
  readonly blocks: readonly { readonly at: number; readonly n: number; readonly constant: boolean }[];
}

// Leaves the counts of each block in arena.counts, those of all in arena.histogram.
function countBlocks(kernels: Kernels, src: number, n: number): Counted {
  const { counts: at, histogram } = kernels.arena(0, "encode");
  const symbols = kernels.bytes();
  const parts = blocksOf(n).map(({ start, count }, i) => {
    const part = at + COUNTS_BYTES * i;
    kernels.run.histogram(src + start, count, part);
    return { at: src + start, n: count, counts: new Uint32Array(symbols.buffer, part, 256) };
  });
  const counts = sumCounts(parts.map((part) => part.counts));
  new Uint32Array(symbols.buffer, histogram, 256).set(counts);
  const blocks = parts.map((part) => ({ ...part, constant: part.counts[symbols[part.at] as number] === part.n }));
  return { counts, blocks };
}

/** Finds lengths from arena.histogram and returns how many symbols occur. */
type FindLengths = (kernels: Kernels, arena: Arena, blocks: number) => number;

const shapedLengths: FindLengths = ({ run }, { histogram, lengths, scratch, work }, blocks) =>
  run.pivotLengths(histogram, blocks, lengths, scratch, work);

const plainLengths: FindLengths = ({ run }, { histogram, lengths, scratch }) =>
  run.codeLengths(histogram, LIMIT, lengths, scratch);

function measureLengths(kernels: Kernels, n: number, counted: Counted, find: FindLengths): PivotCandidate {
  const { run } = kernels;
  const { counts } = counted;
  const arena = kernels.arena(0, "encode");
  const present = find(kernels, arena, counted.blocks.length);
  const only = present === 1 ? counts.findIndex((c) => c > 0) : -1;
  const lengths = kernels.bytes().slice(arena.lengths, arena.lengths + 256);
  const table = only < 0 ? run.writeLengths(arena.lengths, -1, LIMIT, arena.scratch) : 0;
  if (only < 0) run.pivotTree(arena.lengths, arena.work);
  const steps = only < 0 ? run.pivotSteps(arena.histogram, arena.work) : STEPS.constant * n;
  let bytes = 0;
  let coded = false;
  const blocks = counted.blocks.map(({ at, n: count, constant }, i): Block => {
    const nodes = only < 0 ? run.pivotSize(arena.counts + COUNTS_BYTES * i, arena.work) : 0;
    let kind = coded ? NODES : TABLE;
    let size = nodes + (coded ? 0 : table);
    if (constant) [kind, size] = [CONSTANT, 1];
    else if (size >= count) [kind, size] = [RAW, count];
    else coded = true;
    bytes += 1 + size;
    return { kind, at, n: count };
  });
  const write = (dst: number) => writePivot(kernels, blocks, lengths, dst);
  return { code: "pivot", bytes, steps, counts, only, write };
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
  if (blocks.some(({ kind }) => kind === TABLE)) run.pivotTree(arena.lengths, arena.work);
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
      at += run.pivotNodes(src, n, at, arena.work);
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
