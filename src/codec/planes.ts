import { DataError, demand } from "../errors.ts";
import { checked, type Kernels } from "../kernels.ts";
import type { CodeStep, Grouping } from "../plan.ts";
import { measureClasses, readClasses } from "./classes.ts";
import { constantCandidate, EMPTY, rawCandidate, readSimplePayload, SIMPLE } from "./entropy.ts";
import { measureHuffman } from "./huffman.ts";
import { measureMask, readMask } from "./mask.ts";
import { measurePivot } from "./pivot.ts";
import {
  type Candidate,
  type CodeName,
  cheapest,
  fileOffset,
  HEADER_BYTES,
  LAMBDA,
  type OnPart,
  type Place,
  readHeader,
  type Written,
  within,
  writeCandidate,
  writeHeader,
} from "./stream.ts";
import { measureZrl, readZrl, type ZrlCandidate } from "./tokens.ts";

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

/** The shape of the tensor that bytes come from, as far as codes look at it: one byte per element. */
export interface Geometry {
  /** Values of one convolution kernel. */
  readonly kernel: number;
  /** Lengths of rows that may differ from each other. */
  readonly widths: readonly number[];
}

export const NO_GEOMETRY: Geometry = { kernel: 1, widths: [] };

/** Bytes in the arena that a stream is made of, or is read into. */
export interface Part {
  readonly at: number;
  readonly n: number;
  readonly content: Content;
}

export const BYTES: Content = { width: 1, float: false, nibbles: 0 };
export const SCALES: Content = { width: 4, float: true, nibbles: 0 };

/** Shares of zeros from which auto measures mask and zrl. Bytes of int4 pairs gain from a mask early. */
const SPARSE = 0.05;
const VERY_SPARSE = 0.75;

/**
 * Writes the stream of a part to dst, which has room for n + 64. int4 content also lies at arena.values, one code to a byte.
 * A code that does not pay is replaced by raw.
 */
export function writeStream(kernels: Kernels, part: Part, step: CodeStep, geometry: Geometry, dst: number): Written {
  const raw = rawCandidate(kernels, part.at, part.n);
  if (part.n === 0 || step.code === "raw") return writeCandidate(kernels, raw, dst);
  if (part.content.width > 1) return writePlanes(kernels, part, step, geometry, dst);
  const fits = measured(kernels, part, step, geometry).filter(({ bytes }) => bytes < part.n);
  const free = step.code === "auto" || step.code === "smallest";
  return writeCandidate(kernels, cheapest(free ? [raw, ...fits] : [...fits, raw].slice(0, 1), lambdaOf(step)), dst);
}

function lambdaOf({ code }: CodeStep): number {
  return code === "smallest" ? 0 : LAMBDA;
}

// The codes that the step allows for a part of n >= 1 bytes, measured.
function measured(kernels: Kernels, part: Part, step: CodeStep, { kernel, widths }: Geometry): Candidate[] {
  const { at, n } = part;
  const { code, grouping } = step;
  const lambda = lambdaOf(step);
  const smallest = code === "smallest";
  if (code === "huffman") return [measureHuffman(kernels, at, n)];
  const pivot = measurePivot(kernels, at, n, lambda);
  if (pivot.only >= 0 && (code === "constant" || code === "auto" || smallest))
    return [constantCandidate(kernels, pivot.only, n)];
  if (code === "constant") throw new DataError("code constant: the bytes of a chunk are not all equal");
  if (code === "pivot") return [pivot];
  if (code === "mask") return [measureMask(kernels, at, n)];
  const values = valuesOf(kernels, part, pivot.counts);
  if (code === "zrl") return zrlCandidates(kernels, values, [grouping], kernel, lambda);
  const zeros = pivot.counts[0] as number;
  const sparse = smallest || zeros >= SPARSE * n ? [measureMask(kernels, at, n, lambda)] : [];
  const slow = smallest ? slowCandidates(kernels, part, widths) : [];
  const groupings = smallest || (values.counts[0] as number) >= VERY_SPARSE * values.n ? zrlGroupings(kernel) : [];
  if (grouping.by !== "chunk") groupings.push(grouping);
  return [pivot, ...sparse, ...slow, ...zrlCandidates(kernels, values, groupings, kernel, lambda)];
}

// What auto does not try: huffman decodes at an eighth of pivot's speed for a smaller table, and the search for classes takes longer than the rest.
function slowCandidates(kernels: Kernels, { at, n, content }: Part, widths: readonly number[]): Candidate[] {
  const huffman = measureHuffman(kernels, at, n);
  // int4 codes lie two to a byte, and their arena.values is taken.
  const classes = content.nibbles === 0 ? measureClasses(kernels, at, n, widths) : undefined;
  return classes ? [huffman, classes] : [huffman];
}

// In one group, and by kernel where there are kernels.
function zrlGroupings(kernel: number): Grouping[] {
  const whole: Grouping = { by: "chunk", size: 0 };
  return kernel > 1 ? [whole, { by: "kernel", size: 1 }] : [whole];
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
  lambda: number,
): Candidate[] {
  const sizes = new Set(groupings.map((grouping) => groupSize(grouping, n, kernel)));
  let latest = 0;
  const measure = (group: number): ZrlCandidate => {
    latest = group;
    return measureZrl(kernels, at, n, group, counts, lambda);
  };
  return Array.from(sizes, (group) => {
    const candidate = measure(group);
    // Another grouping's symbols may lie in the arena by now.
    const write = (dst: number): number => (latest === group ? candidate : measure(group)).write(dst);
    return { ...candidate, write };
  });
}

function groupSize({ by, size }: Grouping, count: number, kernel: number): number {
  const group = by === "chunk" ? count : by === "kernel" ? size * kernel : size;
  return Math.min(Math.max(group, 1), count);
}

function writePlanes(kernels: Kernels, part: Part, step: CodeStep, geometry: Geometry, dst: number): Written {
  const { width, float } = part.content;
  const { planes } = kernels.arena(0, "encode");
  const count = part.n / width;
  kernels.run.splitPlanes(part.at, count, width, float ? 1 : 0, planes);
  let end = dst + HEADER_BYTES;
  for (let k = 0; k < width; k++) {
    const plane = { at: planes + k * count, n: count, content: BYTES };
    end += writeStream(kernels, plane, step, geometry, end).bytes;
  }
  const bytes = end - dst - HEADER_BYTES;
  if (bytes >= part.n) return writeCandidate(kernels, rawCandidate(kernels, part.at, part.n), dst);
  writeHeader(kernels, "planes", bytes, dst);
  return { code: "planes", bytes: HEADER_BYTES + bytes };
}

const NARROW: readonly CodeName[] = [...SIMPLE, "zrl", "mask", "classes"];
const WIDE: readonly CodeName[] = [...NARROW, "planes"];

/**
 * Reads the stream at `at` into a part and returns the address behind it, at most `end`.
 * @param onPart - gets the bytes as they are decoded, before a fault further on is found
 * @throws FormatError
 */
export function readStream(
  kernels: Kernels,
  at: number,
  end: number,
  into: Part,
  place: Place,
  onPart: OnPart = () => {},
): { next: number; code: CodeName } {
  const { n, content } = into;
  const allowed = n === 0 ? EMPTY : content.width > 1 ? WIDE : NARROW;
  const { code, size } = readHeader(kernels, at, end, allowed, place);
  const payload = at + HEADER_BYTES;
  readPayload(kernels, code, payload, size, into, place, onPart);
  checkNibbles(kernels, into, fileOffset(place, kernels.arena(0, "decode"), at), place);
  return { next: payload + size, code };
}

function readPayload(
  kernels: Kernels,
  code: CodeName,
  at: number,
  size: number,
  into: Part,
  place: Place,
  onPart: OnPart,
): void {
  const { n, at: dst } = into;
  if (code === "mask") {
    readMask(kernels, at, size, n, dst, place, onPart);
  } else if (code === "planes" || code === "zrl" || code === "classes") {
    if (code === "zrl") readValues(kernels, at, size, into, place);
    else if (code === "planes") readPlanes(kernels, at, size, into, place);
    else readClasses(kernels, at, size, n, dst, place);
    onPart(0, n);
  } else readSimplePayload(kernels, code, at, size, n, dst, place, onPart);
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

function readPlanes(kernels: Kernels, at: number, size: number, into: Part, place: Place): void {
  const end = at + size;
  const arena = kernels.arena(0, "decode");
  const { width, float } = into.content;
  const count = into.n / width;
  let next = at;
  for (let k = 0; k < width; k++) {
    const plane = { at: arena.planes + k * count, n: count, content: BYTES };
    next = readStream(kernels, next, end, plane, within(place, `plane ${k}`)).next;
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
