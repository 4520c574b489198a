import { chunkShape } from "../codec/layout.ts";
import { CODE_NAMES, type CodeName } from "../codec/stream.ts";
import { type EncodedChunk, STORED_EXTRA } from "../codec/tensor.ts";
import { demand } from "../errors.ts";
import type { Kernels } from "../kernels.ts";
import { type Checksums, demandHash, sha256 } from "./checksum.ts";
import { type Description, parseDescription } from "./description.ts";
import { PRELUDE_BYTES } from "./json.ts";
import { parseRecords, type Records } from "./records.ts";
import type { Section } from "./sections.ts";

// The only file that knows where what lies in a .quern file: docs/FORMAT.md.

const MAGIC = [0x89, 0x51, 0x52, 0x4e, 0x0d, 0x0a, 0x1a, 0x0a];
const VERSION = 1;
const HASHED_BYTES = 56;
const ENTRY_BYTES = 32;
const MAX_HEADER = 100_000_000;
const MAX_DECODED_CHUNK = 1024 * 1024;
/** Required feature bits that this reader knows: none yet. */
const KNOWN_FEATURES = 0;

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

/** A file's header, checked against itself and its hash. */
export interface Header extends Description, Records {
  readonly prelude: Prelude;
  readonly headerBytes: number;
  chunk(index: number): ChunkEntry;
}

/** Bytes before the first chunk of a file with these parts and count of chunks. */
export function headerLength(json: Uint8Array, records: Uint8Array, chunks: number): number {
  const length = PRELUDE_BYTES + json.length + records.length + ENTRY_BYTES * chunks;
  if (length > MAX_HEADER) throw new RangeError(`the header would take ${length} bytes, more than ${MAX_HEADER}`);
  return length;
}

/** Collects the chunk table while chunks are written, and makes the header once they all are. */
export function headerBuilder(json: Uint8Array, records: Uint8Array, chunks: number) {
  const table = new Uint8Array(ENTRY_BYTES * chunks);
  const view = new DataView(table.buffer);
  let count = 0;
  let position = headerLength(json, records, chunks);
  let [largestStored, largestDecoded, decodedBytes] = [0, 0, 0];
  return {
    /** Notes the next chunk and returns its offset in the file. */
    add(chunk: EncodedChunk, sums: Checksums): number {
      const at = ENTRY_BYTES * count++;
      view.setUint32(at, chunk.bytes.length, true);
      table[at + 4] = CODE_NAMES.indexOf(chunk.code);
      table.set(sums.xxh64, at + 8);
      table.set(sums.sha256, at + 16);
      largestStored = Math.max(largestStored, chunk.bytes.length);
      largestDecoded = Math.max(largestDecoded, chunk.shape.decodedBytes);
      decodedBytes += chunk.shape.decodedBytes;
      position += chunk.bytes.length;
      return position - chunk.bytes.length;
    },
    /** Everything before the first chunk, and its hash. */
    finish(kernels: Kernels): { bytes: Uint8Array; sha256: Uint8Array } {
      if (count !== chunks) throw new Error(`${count} chunks were written, ${chunks} announced`);
      const prelude = encodePrelude({
        jsonBytes: json.length,
        recordBytes: records.length,
        chunks,
        largestStored,
        largestDecoded,
        fileBytes: position,
        decodedBytes,
      });
      const hash = sha256(kernels, prelude, json, records, table);
      const recordsAt = PRELUDE_BYTES + json.length;
      const tableAt = recordsAt + records.length;
      const bytes = new Uint8Array(tableAt + table.length);
      bytes.set(prelude);
      bytes.set(hash, HASHED_BYTES);
      bytes.set(json, PRELUDE_BYTES);
      bytes.set(records, recordsAt);
      bytes.set(table, tableAt);
      return { bytes, sha256: hash };
    },
  };
}

function encodePrelude(fields: Omit<Prelude, "sha256">): Uint8Array {
  const bytes = new Uint8Array(HASHED_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint16(8, VERSION, true);
  view.setUint32(20, fields.jsonBytes, true);
  view.setUint32(24, fields.recordBytes, true);
  view.setUint32(28, fields.chunks, true);
  view.setUint32(32, fields.largestStored, true);
  view.setUint32(36, fields.largestDecoded, true);
  setSize(view, 40, fields.fileBytes);
  setSize(view, 48, fields.decodedBytes);
  return bytes;
}

// Sizes above 2^32 are split by division: 32-bit operators would drop the upper part.
function setSize(view: DataView, at: number, size: number): void {
  view.setUint32(at, size % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(size / 2 ** 32), true);
}

function getSize(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

/** Whether bytes begin as a .quern file does. */
export function hasMagic(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, i) => bytes[i] === byte);
}

function demandMagic(bytes: Uint8Array): void {
  const actual = bytes.length === 0 ? "nothing" : "other bytes";
  demand(hasMagic(bytes), "magic", 0, "magic", "a .quern file: 89 51 52 4e 0d 0a 1a 0a", actual);
}

/** Bytes from the start of a file that fileLength reads. */
export const LENGTH_BYTES = 48;

/** The length of a file of which only the first LENGTH_BYTES bytes are there. @throws FormatError if they are of no .quern file */
export function fileLength(bytes: Uint8Array): number {
  demandMagic(bytes);
  const length = getSize(new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES), 40);
  const valid = Number.isSafeInteger(length) && length >= PRELUDE_BYTES;
  demand(valid, "file-length", 40, "file length", `at least ${PRELUDE_BYTES}, below 2^53`, length);
  return length;
}

/** Reads and checks the prelude of a source of `fileBytes` bytes; null: of a source that is not there yet. @throws FormatError */
export function parsePrelude(bytes: Uint8Array, fileBytes: number | null): Prelude {
  demandMagic(bytes);
  demand(bytes.length === PRELUDE_BYTES, "truncated", 0, "prelude", `${PRELUDE_BYTES} bytes`, bytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const u32 = (at: number) => view.getUint32(at, true);
  demand(view.getUint16(8, true) === VERSION, "version", 8, "version", VERSION, view.getUint16(8, true));
  demand(view.getUint16(10, true) === 0, "reserved", 10, "reserved field", 0, view.getUint16(10, true));
  const unknown = u32(12) & ~KNOWN_FEATURES;
  const bit = 31 - Math.clz32(unknown);
  demand(
    unknown === 0,
    "feature",
    12,
    "required features",
    "bits that this reader knows",
    `bit ${bit}: a newer quern wrote this file`,
  );
  const prelude = {
    jsonBytes: u32(20),
    recordBytes: u32(24),
    chunks: u32(28),
    largestStored: u32(32),
    largestDecoded: u32(36),
    fileBytes: getSize(view, 40),
    decodedBytes: getSize(view, 48),
    sha256: bytes.slice(HASHED_BYTES, PRELUDE_BYTES),
  };
  checkSizes(prelude, fileBytes ?? prelude.fileBytes);
  return prelude;
}

function checkSizes(prelude: Prelude, fileBytes: number): void {
  const { jsonBytes, recordBytes, chunks, largestStored, largestDecoded, decodedBytes } = prelude;
  demand(prelude.fileBytes === fileBytes, "file-length", 40, "file length", prelude.fileBytes, `${fileBytes} bytes`);
  demand(jsonBytes % 8 === 0, "alignment", 20, "JSON length", "a multiple of 8", jsonBytes);
  demand(recordBytes % 8 === 0, "alignment", 24, "record length", "a multiple of 8", recordBytes);
  const header = PRELUDE_BYTES + jsonBytes + recordBytes + ENTRY_BYTES * chunks;
  const most = Math.min(MAX_HEADER, fileBytes);
  demand(header <= most, "header-length", 20, "header length", `at most ${most}`, header);
  const small = largestDecoded <= MAX_DECODED_CHUNK;
  demand(small, "limit", 36, "largest decoded chunk", `at most ${MAX_DECODED_CHUNK}`, largestDecoded);
  const storedMost = largestDecoded + STORED_EXTRA;
  demand(largestStored <= storedMost, "limit", 32, "largest stored chunk", `at most ${storedMost}`, largestStored);
  const decodedMost = chunks * largestDecoded;
  demand(decodedBytes <= decodedMost, "limit", 48, "decoded total", `at most ${decodedMost}`, decodedBytes);
}

/** Bytes of the header behind the prelude. */
export function restLength({ jsonBytes, recordBytes, chunks }: Prelude): number {
  return jsonBytes + recordBytes + ENTRY_BYTES * chunks;
}

/** Reads and checks the header: `head` is the prelude, `rest` what restLength asks for. @throws FormatError */
export function parseHeader(kernels: Kernels, prelude: Prelude, head: Uint8Array, rest: Uint8Array): Header {
  const hash = sha256(kernels, head.subarray(0, HASHED_BYTES), rest);
  demandHash(hash, prelude.sha256, "SHA-256", HASHED_BYTES, "header");
  const { jsonBytes, recordBytes } = prelude;
  const description = parseDescription(rest.subarray(0, jsonBytes));
  const recordPart = rest.subarray(jsonBytes, jsonBytes + recordBytes);
  const records = parseRecords(recordPart, PRELUDE_BYTES + jsonBytes, description.entries.length);
  const table = rest.subarray(jsonBytes + recordBytes);
  const headerBytes = PRELUDE_BYTES + rest.length;
  const offsets = checkTable(prelude, description.sections, table, headerBytes);
  return { ...description, prelude, headerBytes, ...records, chunk: (index) => chunkEntry(table, offsets, index) };
}

function chunkEntry(table: Uint8Array, offsets: Float64Array, index: number): ChunkEntry {
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

// The table against the sections and the totals; returns the offset of every chunk and of the end.
function checkTable(prelude: Prelude, sections: readonly Section[], table: Uint8Array, start: number): Float64Array {
  const { chunks } = prelude;
  const view = new DataView(table.buffer, table.byteOffset, table.length);
  const offsets = new Float64Array(chunks + 1).fill(start);
  const announced = sections.reduce((sum, section) => sum + section.layout.chunks, 0);
  demand(announced === chunks, "count", 28, "chunk count", announced, chunks);
  const base = start - table.length;
  let [largestStored, largestDecoded, decodedBytes, index] = [0, 0, 0, 0];
  for (const { layout } of sections) {
    for (let i = 0; i < layout.chunks; i++, index++) {
      const at = ENTRY_BYTES * index;
      const stored = view.getUint32(at, true);
      const { decodedBytes: decoded, room } = chunkShape(layout, i);
      checkEntry(view, at, base, decoded, room, stored);
      offsets[index + 1] = (offsets[index] as number) + stored;
      largestStored = Math.max(largestStored, stored);
      largestDecoded = Math.max(largestDecoded, decoded);
      decodedBytes += decoded;
    }
  }
  const end = offsets[chunks] as number;
  demand(end === prelude.fileBytes, "file-length", base, "end of the last chunk", prelude.fileBytes, end);
  demand(
    largestStored === prelude.largestStored,
    "total",
    32,
    "largest stored chunk",
    largestStored,
    prelude.largestStored,
  );
  demand(
    largestDecoded === prelude.largestDecoded,
    "total",
    36,
    "largest decoded chunk",
    largestDecoded,
    prelude.largestDecoded,
  );
  demand(decodedBytes === prelude.decodedBytes, "total", 48, "decoded total", decodedBytes, prelude.decodedBytes);
  return offsets;
}

function checkEntry(view: DataView, at: number, base: number, decoded: number, room: number, stored: number): void {
  const most = decoded + STORED_EXTRA;
  demand(room <= MAX_DECODED_CHUNK, "limit", base + at, "decoded chunk", `at most ${MAX_DECODED_CHUNK}`, room);
  demand(stored <= most, "limit", base + at, "stored chunk", `at most ${most}`, stored);
  const code = view.getUint8(at + 4);
  demand(code < CODE_NAMES.length, "code", base + at + 4, "code of a chunk", `below ${CODE_NAMES.length}`, code);
  const reserved = view.getUint32(at + 4, true) >>> 8;
  demand(reserved === 0, "reserved", base + at + 5, "reserved bytes", 0, reserved);
}
