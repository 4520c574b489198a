import { CODE, cutStream, dequantize, dequantize16, unpack4 } from "../reference.ts";
import { STATUS } from "../status.ts";
import { type Content, readPayload } from "../twin.chunk.ts";
import type { Case } from "./cases.ts";
import type { Kind } from "./valid.ts";

/** The kinds of cases that are the payload of a stream: its code, and what lies in it. */
export const STREAMS: Partial<Record<Kind, { code: number; width: number; float: boolean; int4: boolean }>> = {
  pivot: { code: CODE.PIVOT, width: 1, float: false, int4: false },
  huffman: { code: CODE.HUFFMAN, width: 1, float: false, int4: false },
  mask: { code: CODE.MASK, width: 1, float: false, int4: false },
  classes: { code: CODE.CLASSES, width: 1, float: false, int4: false },
  zrl: { code: CODE.ZRL, width: 1, float: false, int4: false },
  zrl4: { code: CODE.ZRL, width: 1, float: false, int4: true },
  planes2: { code: CODE.PLANES, width: 2, float: true, int4: false },
  int16: { code: CODE.PLANES, width: 2, float: false, int4: false },
  planes4: { code: CODE.PLANES, width: 4, float: true, int4: false },
  planes4i: { code: CODE.PLANES, width: 4, float: false, int4: false },
  planes8: { code: CODE.PLANES, width: 8, float: true, int4: false },
};

/** What the twins make of a case: its bytes, or a status. */
export function expectedOf(one: Case): Uint8Array | number {
  try {
    return decoded(one);
  } catch (error) {
    const status = error instanceof Error ? STATUS[error.message as keyof typeof STATUS] : undefined;
    if (status === undefined) throw error;
    return status;
  }
}

function decoded({ kind, n, bytes }: Case): Uint8Array {
  const stream = STREAMS[kind];
  if (stream) return readPayload(stream.code, bytes, contentOf(n, stream));
  if (kind === "stream") {
    const { code, payload, size } = cutStream(bytes);
    if (size !== bytes.length) throw new Error("SIZES");
    return readPayload(code, payload, contentOf(n, { width: 1, float: false, int4: false }));
  }
  if (kind === "unpack4") {
    if (bytes.length !== Math.ceil(n / 2)) throw new Error("SIZES");
    return new Uint8Array(unpack4(bytes, n).buffer);
  }
  if (kind === "dequantize16") return dequantized16(bytes, n);
  return dequantized(bytes, n);
}

function contentOf(n: number, { width, float, int4 }: { width: number; float: boolean; int4: boolean }): Content {
  // Elements are whole.
  if (n % width !== 0) throw new Error("COUNT");
  return { n: int4 ? Math.ceil(n / 2) : n, width, float, nibbles: int4 ? n : 0 };
}

/** Where the parts of a dequantize case lie, or nothing if they do not make it up. */
export function partsOf(
  bytes: Uint8Array,
  n: number,
): { rows: number; cols: number; zeros: number; codes: number } | undefined {
  const [cols, asymmetric] = bytes;
  if (bytes.length < 2 || cols < 1 || n % cols !== 0 || asymmetric > 1) return undefined;
  const rows = n / cols;
  const zeros = 2 + 4 * rows;
  const codes = zeros + asymmetric * rows;
  return bytes.length === codes + n ? { rows, cols, zeros: asymmetric ? zeros : 0, codes } : undefined;
}

function dequantized16(bytes: Uint8Array, n: number): Uint8Array {
  if (bytes.length !== 4 + 2 * n) throw new Error("SIZES");
  const [scale] = new Float32Array(bytes.slice(0, 4).buffer);
  if (!Number.isFinite(scale)) throw new Error("NOT_FINITE");
  return new Uint8Array(dequantize16(bytes.slice(4), scale).buffer);
}

function dequantized(bytes: Uint8Array, n: number): Uint8Array {
  const parts = partsOf(bytes, n);
  if (!parts) throw new Error("SIZES");
  const { rows, cols, zeros, codes } = parts;
  const scales = new Float32Array(bytes.slice(2, 2 + 4 * rows).buffer);
  if (!scales.every(Number.isFinite)) throw new Error("NOT_FINITE");
  const zeroPoints = zeros ? new Int8Array(bytes.slice(zeros, codes)) : undefined;
  return new Uint8Array(dequantize(new Int8Array(bytes.slice(codes)), rows, cols, scales, zeroPoints).buffer);
}
