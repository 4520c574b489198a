import { demand } from "../errors.ts";
import type { Arena, Kernels } from "../kernels.ts";
import { CODE_NAMES, type CodeName } from "./code.ts";

// What all codes of streams share: names, headers, candidates and what they cost.

export { CODE_NAMES, type CodeName };

export const HEADER_BYTES = 4;

/** Where the arena's stored region lies in the file, and what it is called in errors. */
export interface Place {
  readonly offset: number;
  readonly field: string;
}

/** File offset of an address in the stored region. */
export function fileOffset(place: Place, arena: Arena, at: number): number {
  return place.offset + at - arena.stored;
}

/** Called with the bytes [start, start + count) of a stream as soon as they are decoded, while they are in cache. */
export type OnPart = (start: number, count: number) => void;

/** The place of a part of what lies at a place. */
export function within(place: Place, part: string): Place {
  return { offset: place.offset, field: `${place.field}, ${part}` };
}

/** A way to store bytes. */
export interface Candidate {
  readonly code: CodeName;
  /** Exact bytes of the payload. */
  readonly bytes: number;
  /** Steps of decoding it: one is the merge of a byte, about 0.11 ns on the machine of README's table. */
  readonly steps: number;
  /** Writes the payload and returns its bytes. */
  write(dst: number): number;
}

/**
 * Bytes that a step of decoding is worth. A merge takes about 0.11 ns there, so a byte of 14 ns: `auto` decides for a link of some 70 MB/s, and
 * on a slower one it gives away little, because decoding is hidden behind the download.
 */
export const LAMBDA = 1 / 128;

/** Steps of a byte under the codes whose speed does not depend on what they hold. Measured (npm run bench). */
export const STEPS = {
  raw: 0.25,
  constant: 0.25,
  huffman: 8,
  zrlSymbol: 8,
  zrlByte: 1,
  maskByte: 1,
  plane: 0.5,
  classRow: 1,
  classColumn: 4,
} as const;

/** Bytes and steps in one figure, in bytes. @param lambda - bytes that a step is worth; 0: only size counts */
export function costOf({ bytes, steps }: Pick<Candidate, "bytes" | "steps">, lambda = LAMBDA): number {
  return bytes + lambda * steps;
}

/** The candidate of least cost, the first of equals. */
export function cheapest(candidates: readonly Candidate[], lambda = LAMBDA): Candidate {
  return candidates.reduce((a, b) => (costOf(b, lambda) < costOf(a, lambda) ? b : a));
}

/** A stream's code and whole size. */
export interface Written {
  readonly code: CodeName;
  readonly bytes: number;
}

/** Writes a whole stream. */
export function writeCandidate(kernels: Kernels, chosen: Candidate, dst: number): Written {
  const { code } = chosen;
  const bytes = chosen.write(dst + HEADER_BYTES);
  if (bytes !== chosen.bytes) throw new Error(`${code} took ${bytes} bytes, measured ${chosen.bytes}`);
  writeHeader(kernels, code, bytes, dst);
  return { code, bytes: HEADER_BYTES + bytes };
}

/** Writes the header of a stream whose payload has `bytes` bytes. */
export function writeHeader(kernels: Kernels, code: CodeName, bytes: number, dst: number): void {
  kernels.view().setUint32(dst, CODE_NAMES.indexOf(code) | (bytes << 8), true);
}

/** The header of a stream at `at` that lies before `end`, and may have the codes named. @throws FormatError */
export function readHeader(
  kernels: Kernels,
  at: number,
  end: number,
  allowed: readonly CodeName[],
  place: Place,
): { code: CodeName; size: number } {
  const offset = fileOffset(place, kernels.arena(0, "decode"), at);
  demand(end - at >= HEADER_BYTES, "truncated", offset, `${place.field}, stream header`, "4 bytes", end - at);
  const word = kernels.view().getUint32(at, true);
  const code = CODE_NAMES[word & 0xff];
  const size = word >>> 8;
  const known = code !== undefined && allowed.includes(code);
  demand(known, "code", offset, `${place.field}, code`, allowed.join(" or "), code ?? word & 0xff);
  const room = end - at - HEADER_BYTES;
  demand(size <= room, "truncated", offset + 1, `${place.field}, payload length`, `at most ${room}`, size);
  return { code, size };
}
