import { readU24 } from "./reference/bits.ts";
import { concat } from "./reference/huffman.ts";
import {
  CODE,
  classesDecode,
  cutStream,
  innerPayload,
  innerStream,
  maskCount,
  maskJoin,
  mergePlanes,
  pack4,
  zrlDecode,
} from "./reference.ts";

// The decoder of a chunk once more, from docs/FORMAT.md alone. Refuses by an Error whose message names a status.

/** What a chunk has to hold, which its tensor's shape and plan tell. */
export interface ChunkKind {
  /** Elements. */
  readonly count: number;
  /** Scales; 0 if the elements are not quantized. */
  readonly rows: number;
  readonly bits: 4 | 8 | 16;
  readonly asymmetric: boolean;
  /** Bytes of an element that is not quantized. */
  readonly width: 1 | 2 | 4 | 8;
  readonly float: boolean;
}

export interface Content {
  /** Decoded bytes. */
  readonly n: number;
  readonly width: number;
  readonly float: boolean;
  /** Count of int4 codes, or 0. */
  readonly nibbles: number;
}

/** Decoded bytes of a chunk, all parts in a row, and the code of its last stream. */
export function decodeChunk(chunk: Uint8Array, kind: ChunkKind): { bytes: Uint8Array; code: number } {
  const contents = contentsOf(kind);
  const parts: Uint8Array[] = [];
  let at = 0;
  let code = 0;
  for (const content of contents) {
    const stream = readStream(chunk.subarray(at), content);
    parts.push(stream.bytes);
    at += stream.size;
    code = stream.code;
  }
  if (at !== chunk.length) throw new Error("SIZES");
  if (kind.rows > 0 && !new Float32Array(parts[0].slice().buffer).every(Number.isFinite)) throw new Error("NOT_FINITE");
  return { bytes: concat(...parts), code };
}

export function contentsOf({ count, rows, bits, asymmetric, width, float }: ChunkKind): Content[] {
  if (rows === 0) return [{ n: count * width, width, float, nibbles: 0 }];
  const scales = { n: 4 * rows, width: 4, float: true, nibbles: 0 };
  const zeroPoints = { n: rows, width: 1, float: false, nibbles: 0 };
  const codes = {
    n: Math.ceil((count * bits) / 8),
    width: bits === 16 ? 2 : 1,
    float: false,
    nibbles: bits === 4 ? count : 0,
  };
  return asymmetric ? [scales, zeroPoints, codes] : [scales, codes];
}

function readStream(bytes: Uint8Array, content: Content): { bytes: Uint8Array; size: number; code: number } {
  const { code, payload, size } = cutStream(bytes);
  const decoded = readPayload(code, payload, content);
  if (content.nibbles % 2 === 1 && decoded[decoded.length - 1] > 15) throw new Error("PADDING");
  return { bytes: decoded, size, code };
}

export function readPayload(code: number, payload: Uint8Array, content: Content): Uint8Array {
  const { n, nibbles } = content;
  if (n === 0 && code !== CODE.RAW) throw new Error("COUNT");
  if (code === CODE.ZRL) return readZrl(payload, n, nibbles);
  if (code === CODE.PLANES && content.width > 1) return readPlanes(payload, content);
  if (code === CODE.MASK) return readMask(payload, n);
  if (code === CODE.CLASSES) return classesDecode(payload, n);
  return innerPayload(code, payload, n);
}

function readZrl(payload: Uint8Array, n: number, nibbles: number): Uint8Array {
  // A group larger than the chunk would be a second way to say the same.
  if (payload.length >= 4 && readU24(payload, 1) > (nibbles || n)) throw new Error("COUNT");
  return nibbles > 0 ? pack4(zrlDecode(payload, nibbles, 4)) : new Uint8Array(zrlDecode(payload, n, 8));
}

function readMask(payload: Uint8Array, n: number): Uint8Array {
  const mask = innerStream(payload, Math.ceil(n / 8));
  const count = maskCount(mask.bytes, n);
  const values = innerStream(payload.subarray(mask.size), count);
  if (mask.size + values.size !== payload.length) throw new Error("SIZES");
  return maskJoin(mask.bytes, values.bytes, n);
}

function readPlanes(payload: Uint8Array, { n, width, float }: Content): Uint8Array {
  const planes: Uint8Array[] = [];
  let at = 0;
  for (let k = 0; k < width; k++) {
    const plane = readStream(payload.subarray(at), { n: n / width, width: 1, float: false, nibbles: 0 });
    planes.push(plane.bytes);
    at += plane.size;
  }
  if (at !== payload.length) throw new Error("SIZES");
  return mergePlanes(concat(...planes), width, float);
}

/** Where the last stream of a chunk begins, or nothing if the streams before it do not tell. */
export function lastStream(chunk: Uint8Array, kind: ChunkKind): number | undefined {
  let at = 0;
  for (let i = 1; i < contentsOf(kind).length; i++) {
    if (at + 4 > chunk.length) return undefined;
    at += 4 + readU24(chunk, at + 1);
  }
  return at < chunk.length ? at : undefined;
}
