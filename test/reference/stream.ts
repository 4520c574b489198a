import { readU24, u24 } from "./bits.ts";
import { huffmanDecode } from "./huffman.ts";
import { pivotDecode } from "./pivot.ts";

export const CODE = { RAW: 0, CONSTANT: 1, HUFFMAN: 2, ZRL: 3, PLANES: 4, PIVOT: 5, MASK: 6, CLASSES: 7 } as const;

export function streamOf(code: number, payload: Uint8Array): Uint8Array {
  return Uint8Array.from([code, ...u24(payload.length), ...payload]);
}

/** Code and payload of the stream at the start of `bytes`. */
export function cutStream(bytes: Uint8Array): { code: number; payload: Uint8Array; size: number } {
  if (bytes.length < 4) throw new Error("SIZES");
  const size = 4 + readU24(bytes, 1);
  if (size > bytes.length) throw new Error("SIZES");
  return { code: bytes[0], payload: bytes.subarray(4, size), size };
}

/** The n bytes of a payload whose code may stand inside zrl and mask. */
export function innerPayload(code: number, payload: Uint8Array, n: number): Uint8Array {
  if (code === CODE.RAW && payload.length === n) return payload;
  if (n === 0) throw new Error("COUNT");
  if (code === CODE.CONSTANT && payload.length === 1) return new Uint8Array(n).fill(payload[0]);
  if (code === CODE.HUFFMAN) return huffmanDecode(payload, n);
  if (code === CODE.PIVOT) return pivotDecode(payload, n);
  throw new Error("COUNT");
}

/** The stream of n bytes inside zrl or mask that begins `bytes`. */
export function innerStream(bytes: Uint8Array, n: number): { bytes: Uint8Array; size: number } {
  const { code, payload, size } = cutStream(bytes);
  return { bytes: innerPayload(code, payload, n), size };
}
