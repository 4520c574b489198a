import { DataError, demand } from "../errors.ts";
import { checked, type Kernels } from "../kernels.ts";
import type { CodeStep, Grouping } from "../plan.ts";
import {
  CODE_NAMES,
  type CodeName,
  fileOffset,
  type HuffmanMeasure,
  measureHuffman,
  type Place,
  readHuffman,
  writeHuffman,
} from "./entropy.ts";
import { categoriesOf, measureZrl, readZrl, writeZrl, zrlBound } from "./tokens.ts";

// Streams: bytes, or wider elements split into planes of bytes, under the code that the plan asks for.

/** What the bytes of a stream are. */
export interface Content {
  /** Bytes of an element: above 1 the stream may be split into planes. */
  readonly width: 1 | 2 | 4 | 8;
  /** Floating-point elements are rotated before the split. */
  readonly float: boolean;
  /** Count of int4 codes in the bytes, or 0 if they are not int4 codes. */
  readonly nibbles: number;
}

/** Bytes in the arena that a stream is made of, or is read into. */
export interface Part {
  readonly at: number;
  readonly n: number;
  readonly content: Content;
}

export const BYTES: Content = { width: 1, float: false, nibbles: 0 };
export const SCALES: Content = { width: 4, float: true, nibbles: 0 };

const HEADER_BYTES = 4;
/** Below this share of zeros, zrl is rare to win and slow to measure: worth a bound first. */
const DENSE = 0.25;

interface Candidate {
  readonly code: CodeName;
  readonly bytes: number;
  write(dst: number): number;
}

/** A stream's code and whole size. */
export interface Written {
  readonly code: CodeName;
  readonly bytes: number;
}

/**
 * Writes the stream of a part to dst, which has room for n + 64. int4 content also lies at arena.values, one code to a byte.
 * A code that does not pay is replaced by raw.
 * @param kernel - values of one convolution kernel, for zrl by kernel
 */
export function writeStream(kernels: Kernels, part: Part, step: CodeStep, kernel: number, dst: number): Written {
  if (part.n === 0 || step.code === "raw") return finish(kernels, rawCandidate(kernels, part), dst);
  if (part.content.width > 1) return writePlanes(kernels, part, step, kernel, dst);
  const candidates = [rawCandidate(kernels, part), ...measured(kernels, part, step, kernel)];
  const best = candidates.reduce((a, b) => (b.bytes < a.bytes ? b : a));
  return finish(kernels, best, dst);
}

function finish(kernels: Kernels, chosen: Candidate, dst: number): Written {
  const { code } = chosen;
  const bytes = chosen.write(dst + HEADER_BYTES);
  if (bytes !== chosen.bytes) throw new Error(`${code} took ${bytes} bytes, measured ${chosen.bytes}`);
  writeHeader(kernels, code, bytes, dst);
  return { code, bytes: HEADER_BYTES + bytes };
}

function writeHeader(kernels: Kernels, code: CodeName, bytes: number, dst: number): void {
  kernels.view().setUint32(dst, CODE_NAMES.indexOf(code) | (bytes << 8), true);
}

function rawCandidate(kernels: Kernels, { at, n }: Part): Candidate {
  const write = (dst: number): number => {
    kernels.bytes().copyWithin(dst, at, at + n);
    return n;
  };
  return { code: "raw", bytes: n, write };
}

// The codes that the step allows for a part of n >= 1 bytes, measured.
function measured(kernels: Kernels, part: Part, { code, grouping }: CodeStep, kernel: number): Candidate[] {
  const { at, n } = part;
  const huffman = measureHuffman(kernels, at, n, 0);
  if (huffman.only >= 0 && (code === "constant" || code === "auto")) return [constantCandidate(kernels, huffman.only)];
  if (code === "constant") throw new DataError("code constant: the bytes of a chunk are not all equal");
  const candidates: Candidate[] = [];
  if (code !== "zrl") {
    const write = (dst: number) => writeHuffman(kernels, at, n, 0, huffman.only, dst);
    candidates.push({ code: "huffman", bytes: huffman.bytes, write });
  }
  if (code === "huffman") return candidates;
  const values = valuesOf(kernels, part, huffman.counts);
  const groupings = code === "zrl" ? [grouping] : autoGroupings(kernels, values, huffman, grouping, kernel);
  candidates.push(...zrlCandidates(kernels, values, groupings, kernel));
  return candidates;
}

function constantCandidate(kernels: Kernels, byte: number): Candidate {
  const write = (dst: number): number => {
    kernels.bytes()[dst] = byte;
    return 1;
  };
  return { code: "constant", bytes: 1, write };
}

// auto tries zrl in one group unless a bound shows that it cannot win; by kernel too where half the values are zero; and
// always by what the plan names.
function autoGroupings(
  kernels: Kernels,
  values: Values,
  huffman: HuffmanMeasure,
  asked: Grouping,
  kernel: number,
): Grouping[] {
  const zeros = (values.counts[0] as number) / values.n;
  const groupings: Grouping[] = [];
  const open = zeros >= DENSE || zrlBound(kernels, values.at, values.n, values.counts) < huffman.bytes;
  if (open) groupings.push({ by: "chunk", size: 0 });
  if (kernel > 1 && zeros >= 0.5) groupings.push({ by: "kernel", size: 1 });
  if (asked.by !== "chunk") groupings.push(asked);
  return groupings;
}

/** What zrl codes: signed bytes, and how often each occurs. */
interface Values {
  readonly at: number;
  readonly n: number;
  readonly counts: Uint32Array;
}

function valuesOf(kernels: Kernels, { at, n, content }: Part, counts: Uint32Array): Values {
  const { nibbles } = content;
  if (nibbles === 0) return { at, n, counts };
  return { at: kernels.arena(0, "encode").values, n: nibbles, counts: nibbleCounts(counts, 2 * n - nibbles) };
}

// Counts of int4 codes, as signed bytes, from those of the bytes that hold two each; `unused` high nibbles are no codes.
function nibbleCounts(counts: Uint32Array, unused: number): Uint32Array {
  const codes = new Uint32Array(256);
  counts.forEach((count, byte) => {
    for (const nibble of [byte & 15, byte >> 4]) {
      const code = ((nibble ^ 8) - 8) & 255;
      codes[code] = (codes[code] as number) + count;
    }
  });
  codes[0] = (codes[0] as number) - unused;
  return codes;
}

function zrlCandidates(
  kernels: Kernels,
  { at, n, counts }: Values,
  groupings: readonly Grouping[],
  kernel: number,
): Candidate[] {
  const categories = categoriesOf(counts);
  const sizes = new Set(groupings.map((grouping) => groupSize(grouping, n, kernel)));
  let latest = 0;
  return Array.from(sizes, (group) => {
    const measure = measureZrl(kernels, at, n, group, categories);
    latest = group;
    const write = (dst: number): number => {
      // Another grouping's symbols may lie in the arena by now.
      if (latest !== group) measureZrl(kernels, at, n, group, categories);
      return writeZrl(kernels, measure, dst);
    };
    return { code: "zrl", bytes: measure.bytes, write };
  });
}

function groupSize({ by, size }: Grouping, count: number, kernel: number): number {
  const group = by === "chunk" ? count : by === "kernel" ? size * kernel : size;
  return Math.min(Math.max(group, 1), count);
}

function writePlanes(kernels: Kernels, part: Part, step: CodeStep, kernel: number, dst: number): Written {
  const { width, float } = part.content;
  const { planes } = kernels.arena(0, "encode");
  const count = part.n / width;
  kernels.run.splitPlanes(part.at, count, width, float ? 1 : 0, planes);
  let end = dst + HEADER_BYTES;
  for (let k = 0; k < width; k++) {
    const plane = { at: planes + k * count, n: count, content: BYTES };
    end += writeStream(kernels, plane, step, kernel, end).bytes;
  }
  const bytes = end - dst - HEADER_BYTES;
  if (bytes >= part.n) return finish(kernels, rawCandidate(kernels, part), dst);
  writeHeader(kernels, "planes", bytes, dst);
  return { code: "planes", bytes: HEADER_BYTES + bytes };
}

/**
 * Reads the stream at `at` into a part and returns the address behind it, at most `end`.
 * @throws FormatError
 */
export function readStream(
  kernels: Kernels,
  at: number,
  end: number,
  into: Part,
  place: Place,
): { next: number; code: CodeName } {
  const offset = fileOffset(place, kernels.arena(0, "decode"), at);
  const { n, content } = into;
  demand(end - at >= HEADER_BYTES, "truncated", offset, `${place.field}, stream header`, "4 bytes", end - at);
  const word = kernels.view().getUint32(at, true);
  const code = CODE_NAMES[word & 0xff];
  const size = word >>> 8;
  const allowed = n === 0 ? "raw" : content.width > 1 ? "raw..planes" : "raw, constant, huffman or zrl";
  const known = code !== undefined && (code === "raw" || n > 0) && (code !== "planes" || content.width > 1);
  demand(known, "code", offset, `${place.field}, code`, allowed, code ?? word & 0xff);
  const payload = at + HEADER_BYTES;
  const room = end - payload;
  demand(size <= room, "truncated", offset + 1, `${place.field}, payload length`, `at most ${room}`, size);
  readPayload(kernels, code, payload, size, into, place);
  checkNibbles(kernels, into, offset, place);
  return { next: payload + size, code };
}

function readPayload(kernels: Kernels, code: CodeName, at: number, size: number, into: Part, place: Place): void {
  if (code === "huffman") readHuffman(kernels, at, size, into.n, into.at, place);
  else if (code === "planes") readPlanes(kernels, at, at + size, into, place);
  else if (code === "zrl") readValues(kernels, at, size, into, place);
  else readPlain(kernels, code, at, size, into, place);
}

function readPlain(
  kernels: Kernels,
  code: "raw" | "constant",
  at: number,
  size: number,
  into: Part,
  place: Place,
): void {
  const wanted = code === "raw" ? into.n : 1;
  const offset = fileOffset(place, kernels.arena(0, "decode"), at) - 3;
  demand(size === wanted, "length", offset, `${place.field}, ${code} payload length`, wanted, size);
  const bytes = kernels.bytes();
  if (code === "raw") bytes.copyWithin(into.at, at, at + into.n);
  else bytes.fill(bytes[at] as number, into.at, into.at + into.n);
}

function readValues(kernels: Kernels, at: number, size: number, into: Part, place: Place): void {
  const { nibbles } = into.content;
  if (nibbles === 0) {
    readZrl(kernels, at, size, into.n, 8, into.at, place);
    return;
  }
  const arena = kernels.arena(0, "decode");
  readZrl(kernels, at, size, nibbles, 4, arena.values, place);
  const packed = kernels.run.pack4(arena.values, nibbles, into.at);
  checked(packed, fileOffset(place, arena, at), `${place.field}, int4 codes`);
}

function readPlanes(kernels: Kernels, at: number, end: number, into: Part, place: Place): void {
  const arena = kernels.arena(0, "decode");
  const { width, float } = into.content;
  const count = into.n / width;
  let next = at;
  for (let k = 0; k < width; k++) {
    const inner = { offset: place.offset, field: `${place.field}, plane ${k}` };
    const plane = { at: arena.planes + k * count, n: count, content: BYTES };
    next = readStream(kernels, next, end, plane, inner).next;
  }
  const offset = fileOffset(place, arena, next);
  demand(next === end, "trailing", offset, place.field, "the end of the planes", `${end - next} bytes`);
  kernels.run.mergePlanes(arena.planes, count, width, float ? 1 : 0, into.at);
}

// The unused high nibble behind an odd count of int4 codes.
function checkNibbles(kernels: Kernels, { at, n, content }: Part, offset: number, place: Place): void {
  if (content.nibbles % 2 === 0) return;
  const last = kernels.bytes()[at + n - 1] as number;
  demand(last < 16, "padding", offset, `${place.field}, nibble after the last code`, 0, last >> 4);
}
