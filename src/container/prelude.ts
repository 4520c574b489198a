import { CODE_NAMES, type CodeName } from "../codec/code.ts";
import type { Checksums } from "./checksum.ts";
import type { Entry, Section } from "./sections.ts";

// Where what lies in the header of a .quern file, as far as both readers of it need to know: header.ts and format.ts.

/** Where the JSON part begins: right behind the prelude. */
export const PRELUDE_BYTES = 88;
/** Bytes of the prelude that its hash covers. The hash follows. */
export const HASHED_BYTES = 56;
export const ENTRY_BYTES = 32;
export const MAX_HEADER = 100_000_000;
export const MAX_DECODED_CHUNK = 1024 * 1024;

/** The fields of the prelude. */
export interface Prelude {
  readonly jsonBytes: number;
  readonly recordBytes: number;
  readonly chunks: number;
  readonly largestStored: number;
  readonly largestDecoded: number;
  readonly fileBytes: number;
  readonly decodedBytes: number;
  readonly sha256: Uint8Array;
}

/** One entry of the chunk table. */
export interface ChunkEntry extends Checksums {
  readonly offset: number;
  readonly bytes: number;
  readonly code: CodeName;
}

/** The name of a stage and how many tensors it has; stages follow each other in the order of the file, and leave none out. */
export type Stage = readonly [name: string, count: number];

/** What is done to the first input of a unit of the graph, so that it can be run in integers: first divided, then coded. */
export interface UnitActivations {
  /** Its name: see Unit. */
  readonly unit: string;
  /** The tensor by whose smoothing factors its input channels are divided, so that it can be used as it is stored. null: nothing is. */
  readonly factors: string | null;
  /** q = clip(round(x / scale) + zeroPoint, least, most), halves to even: QuantizeLinear of ONNX. A normal f32 above 0. */
  readonly scale: number;
  /** Codes, -128..127. */
  readonly zeroPoint: number;
  readonly least: number;
  readonly most: number;
}

/** A stage of the model's use. */
export interface StageEntry {
  readonly name: string;
  /** Names of its tensors. */
  readonly tensors: readonly string[];
}

/** What records of known types hold; null: there is none. */
export interface Records {
  readonly stages: readonly Stage[] | null;
  readonly graph: Uint8Array | null;
  readonly activations: readonly UnitActivations[] | null;
}

/** A file's header, checked against itself and its hash. */
export interface Header extends Description {
  /** null: the writer has not said any. */
  readonly stages: readonly StageEntry[] | null;
  readonly graph: Uint8Array | null;
  readonly activations: readonly UnitActivations[] | null;
  readonly prelude: Prelude;
  readonly headerBytes: number;
  /** Where each chunk begins in the file; last, where the file ends. */
  readonly offsets: Float64Array;
  /** Decoded bytes of the chunks before each chunk; last, of all. */
  readonly decodedBefore: Float64Array;
  chunk(index: number): ChunkEntry;
}

/** What the JSON part says. */
export interface Description {
  readonly plan: string;
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly sections: readonly Section[];
  readonly entries: readonly Entry[];
}

/** The fields of a prelude of PRELUDE_BYTES, not checked. */
export function preludeFields(bytes: Uint8Array): Prelude {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [jsonBytes, recordBytes, chunks, largestStored, largestDecoded] = [20, 24, 28, 32, 36].map((at) =>
    view.getUint32(at, true),
  ) as [number, number, number, number, number];
  return {
    jsonBytes,
    recordBytes,
    chunks,
    largestStored,
    largestDecoded,
    fileBytes: getSize(view, 40),
    decodedBytes: getSize(view, 48),
    sha256: bytes.slice(HASHED_BYTES, PRELUDE_BYTES),
  };
}

export function getSize(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

/** Bytes of the header behind the prelude. */
export function restLength({ jsonBytes, recordBytes, chunks }: Prelude): number {
  return jsonBytes + recordBytes + ENTRY_BYTES * chunks;
}

/** An entry of the table of chunks that lie at `offsets`. */
export function chunkEntry(table: Uint8Array, offsets: Float64Array, index: number): ChunkEntry {
  const at = ENTRY_BYTES * index;
  const offset = offsets[index] as number;
  return {
    offset,
    bytes: (offsets[index + 1] as number) - offset,
    code: CODE_NAMES[table[at + 4] as number] as CodeName,
    xxh64: table.subarray(at + 8, at + 16),
    sha256: table.subarray(at + 16, at + 32),
  };
}

/** Decoded bytes of `count` chunks from chunk `index` on. */
export function decodedSize({ decodedBefore }: Header, index: number, count: number): number {
  return (decodedBefore[index + count] as number) - (decodedBefore[index] as number);
}
