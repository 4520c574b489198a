import { CODE_NAMES } from "../codec/code.ts";
import { chunkShape } from "../codec/layout.ts";
import { type EncodedChunk, STORED_EXTRA } from "../codec/tensor.ts";
import { demand } from "../errors.ts";
import type { Kernels } from "../kernels.ts";
import { type Checksums, demandHash, sha256 } from "./checksum.ts";
import { parseDescription } from "./description.ts";
import { VERSION } from "./header.ts";
import { demandMagic, MAGIC } from "./length.ts";
import {
  chunkEntry,
  ENTRY_BYTES,
  HASHED_BYTES,
  type Header,
  MAX_DECODED_CHUNK,
  MAX_HEADER,
  PRELUDE_BYTES,
  type Prelude,
  preludeFields,
} from "./prelude.ts";
import { parseRecords } from "./records.ts";
import type { Section } from "./sections.ts";
import { stageEntries } from "./stages.ts";

// Where what lies in a .quern file, written and read: docs/FORMAT.md. Headers of common files are read by header.ts.

/** Required feature bits that this reader knows: none yet. */
const KNOWN_FEATURES = 0;

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
  const prelude = preludeFields(bytes);
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
  const { offsets, decodedBefore } = checkTable(prelude, description.sections, table, headerBytes);
  return {
    ...description,
    ...records,
    stages: stageEntries(records.stages, description.entries),
    prelude,
    headerBytes,
    offsets,
    decodedBefore,
    chunk: (index) => chunkEntry(table, offsets, index),
  };
}

// The table against the sections and the totals; returns the offset of every chunk and of the end, in the file and as all are decoded.
function checkTable(prelude: Prelude, sections: readonly Section[], table: Uint8Array, start: number) {
  const { chunks } = prelude;
  const view = new DataView(table.buffer, table.byteOffset, table.length);
  const offsets = new Float64Array(chunks + 1).fill(start);
  const decodedBefore = new Float64Array(chunks + 1);
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
      decodedBefore[index + 1] = decodedBytes;
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
  return { offsets, decodedBefore };
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
