import { demand } from "../errors.ts";
import { checked, type Kernels } from "../kernels.ts";
import { type Candidate, fileOffset, type Place, STEPS } from "./stream.ts";

// Bytes to a huffman payload and back (docs/FORMAT.md): codes in the order of symbols, decoded by a table. For plans that name it
// (interpreters decode it faster than pivot), and as the code that pivot is measured against.

const LIMIT = 11;
const SINGLE_BELOW = 1024;
const STREAMS = 6;
const SIZES_BYTES = 3 * (STREAMS - 1);

/** A huffman payload that has been measured, not written. */
export interface HuffmanCandidate extends Candidate {
  /** Counts of the 256 symbols. */
  readonly counts: Uint32Array;
  /** The only symbol, or -1. */
  readonly only: number;
}

/** Measures n >= 1 bytes at src. One histogram per bit stream makes the size exact to the byte. */
export function measureHuffman(kernels: Kernels, src: number, n: number): HuffmanCandidate {
  const { run } = kernels;
  const arena = kernels.arena(0, "encode");
  const segments = segmentCounts(kernels, src, n);
  const counts = sumCounts(segments);
  kernels.bytes().set(new Uint8Array(counts.buffer), arena.histogram);
  const present = run.codeLengths(arena.histogram, LIMIT, arena.lengths, arena.scratch);
  const only = present === 1 ? counts.findIndex((c) => c > 0) : -1;
  let bytes = run.writeLengths(arena.lengths, only, LIMIT, arena.scratch) + (n < SINGLE_BELOW ? 0 : SIZES_BYTES);
  const lengths = kernels.bytes().slice(arena.lengths, arena.lengths + 256);
  for (const segment of segments) bytes += Math.ceil(weighted(segment, lengths) / 8);
  const write = (dst: number) => writeHuffman(kernels, src, n, lengths, only, dst);
  return { code: "huffman", bytes, steps: STEPS.huffman * n, counts, only, write };
}

function segmentCounts(kernels: Kernels, src: number, n: number): Uint32Array[] {
  const sizes = n < SINGLE_BELOW ? [n] : new Array<number>(STREAMS).fill(Math.floor(n / STREAMS));
  sizes[sizes.length - 1] = n - (sizes.length - 1) * Math.floor(n / sizes.length);
  let at = src;
  return sizes.map((size) => {
    at += size;
    return countsOf(kernels, at - size, size);
  });
}

/** Counts of the n bytes at src. */
export function countsOf(kernels: Kernels, src: number, n: number): Uint32Array {
  const { histogram } = kernels.arena(0, "encode");
  kernels.run.histogram(src, n, histogram);
  return new Uint32Array(kernels.bytes().slice(histogram, histogram + 1024).buffer);
}

/** Counts of all parts together. */
export function sumCounts(parts: readonly Uint32Array[]): Uint32Array {
  const counts = new Uint32Array(256);
  for (const part of parts) for (let s = 0; s < 256; s++) counts[s] = (counts[s] as number) + (part[s] as number);
  return counts;
}

function weighted(counts: Uint32Array, lengths: Uint8Array): number {
  let sum = 0;
  for (let s = 0; s < 256; s++) sum += (counts[s] as number) * (lengths[s] as number);
  return sum;
}

function writeHuffman(
  kernels: Kernels,
  src: number,
  n: number,
  lengths: Uint8Array,
  only: number,
  dst: number,
): number {
  const { run } = kernels;
  const arena = kernels.arena(0, "encode");
  kernels.bytes().set(lengths, arena.lengths);
  const table = run.writeLengths(arena.lengths, only, LIMIT, dst);
  if (only < 0) return table + run.huffmanEncode(src, n, arena.lengths, dst + table, arena.scratch);
  const empty = n < SINGLE_BELOW ? 0 : SIZES_BYTES;
  kernels.bytes().fill(0, dst + table, dst + table + empty);
  return table + empty;
}

/** Reads the payload of `size` bytes at `at` into n >= 1 symbols at dst. @throws FormatError */
export function readHuffman(kernels: Kernels, at: number, size: number, n: number, dst: number, place: Place): void {
  const { run } = kernels;
  const arena = kernels.arena(0, "decode");
  const offset = fileOffset(place, arena, at);
  const { lengths } = arena;
  const table = checked(run.readLengths(at, size, LIMIT, lengths), offset, `${place.field}, code lengths`);
  const only = kernels.view().getInt32(lengths + 256, true);
  if (only < 0) {
    const result = run.huffmanDecode(at + table, size - table, n, lengths, dst);
    checked(result, offset + table, `${place.field}, bit streams`);
    return;
  }
  const bytes = kernels.bytes();
  const empty = n < SINGLE_BELOW ? 0 : SIZES_BYTES;
  const rest = bytes.subarray(at + table, at + size);
  const valid = rest.length === empty && rest.every((byte) => byte === 0);
  const field = `${place.field}, bit streams of a one-symbol code`;
  demand(valid, "bits", offset + table, field, `${empty} zero bytes`, `${rest.length} bytes`);
  bytes.fill(only, dst, dst + n);
}
