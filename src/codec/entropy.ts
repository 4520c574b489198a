import { demand } from "../errors.ts";
import { type Arena, checked, type Kernels } from "../kernels.ts";

// Bytes to a huffman payload and back (docs/FORMAT.md). Both halves work inside the arena.

/** Names of the codes of a stream, by their number in the file. */
export const CODE_NAMES = ["raw", "constant", "huffman", "zrl", "planes"] as const;
export type CodeName = (typeof CODE_NAMES)[number];

/** Where the arena's stored region lies in the file, and what it is called in errors. */
export interface Place {
  readonly offset: number;
  readonly field: string;
}

/** File offset of an address in the stored region. */
export function fileOffset(place: Place, arena: Arena, at: number): number {
  return place.offset + at - arena.stored;
}

const LIMIT = 11;
const SINGLE_BELOW = 1024;
const STREAMS = 6;
const SIZES_BYTES = 3 * (STREAMS - 1);

/** What a huffman payload would take, known from histograms before anything is encoded. */
export interface HuffmanMeasure {
  /** Counts of the 256 symbols. */
  readonly counts: Uint32Array;
  /** The only symbol, or -1. */
  readonly only: number;
  /** Exact bytes of the payload. */
  readonly bytes: number;
}

/**
 * Measures n >= 1 bytes at src and leaves their optimal code lengths in arena.lengths[slot].
 * One histogram per bit stream makes the size exact to the byte.
 */
export function measureHuffman(kernels: Kernels, src: number, n: number, slot: 0 | 1): HuffmanMeasure {
  const { run } = kernels;
  const arena = kernels.arena(0, "encode");
  const segments = segmentCounts(kernels, arena, src, n);
  const counts = new Uint32Array(256);
  for (const segment of segments)
    for (let s = 0; s < 256; s++) counts[s] = (counts[s] as number) + (segment[s] as number);
  kernels.bytes().set(new Uint8Array(counts.buffer), arena.histogram);
  const lengths = arena.lengths[slot];
  const only =
    run.codeLengths(arena.histogram, LIMIT, lengths, arena.scratch) === 1 ? counts.findIndex((c) => c > 0) : -1;
  let bytes = run.writeLengths(lengths, only, LIMIT, arena.scratch) + (n < SINGLE_BELOW ? 0 : SIZES_BYTES);
  const lengthOf = kernels.bytes().subarray(lengths, lengths + 256);
  for (const segment of segments) bytes += Math.ceil(weighted(segment, lengthOf) / 8);
  return { counts, only, bytes };
}

function segmentCounts(kernels: Kernels, arena: Arena, src: number, n: number): Uint32Array[] {
  const sizes = n < SINGLE_BELOW ? [n] : new Array<number>(STREAMS).fill(Math.floor(n / STREAMS));
  sizes[sizes.length - 1] = n - (sizes.length - 1) * Math.floor(n / sizes.length);
  let at = src;
  return sizes.map((size) => {
    kernels.run.histogram(at, size, arena.histogram);
    at += size;
    return new Uint32Array(kernels.bytes().slice(arena.histogram, arena.histogram + 1024).buffer);
  });
}

function weighted(counts: Uint32Array, lengths: Uint8Array): number {
  let sum = 0;
  for (let s = 0; s < 256; s++) sum += (counts[s] as number) * (lengths[s] as number);
  return sum;
}

/** Writes the payload that measureHuffman measured, with the lengths it left in `slot`. Returns its bytes. */
export function writeHuffman(kernels: Kernels, src: number, n: number, slot: 0 | 1, only: number, dst: number): number {
  const { run } = kernels;
  const arena = kernels.arena(0, "encode");
  const lengths = arena.lengths[slot];
  const table = run.writeLengths(lengths, only, LIMIT, dst);
  if (only < 0) return table + run.huffmanEncode(src, n, lengths, dst + table, arena.scratch);
  const empty = n < SINGLE_BELOW ? 0 : SIZES_BYTES;
  kernels.bytes().fill(0, dst + table, dst + table + empty);
  return table + empty;
}

/** Reads the payload of `size` bytes at `at` into n >= 1 symbols at dst. @throws FormatError */
export function readHuffman(kernels: Kernels, at: number, size: number, n: number, dst: number, place: Place): void {
  const { run } = kernels;
  const arena = kernels.arena(0, "decode");
  const offset = fileOffset(place, arena, at);
  const lengths = arena.lengths[0];
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
