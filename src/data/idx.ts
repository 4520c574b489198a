import { type ClosableSource, readExactly } from "../bytes.ts";
import { demand } from "../errors.ts";
import { ELEMENTS, type ElementName, fitting } from "./elements.ts";
import type { Records } from "./records.ts";

// idx, the format of MNIST: two zero bytes, a type, the count of dimensions, each as big-endian u32, elements in big-endian.

const CODES: Record<number, ElementName> = { 8: "u8", 9: "i8", 11: "i16", 12: "i32", 13: "f32", 14: "f64" };
const MAX_RANK = 8;
/** Bytes of the longest header. */
export const IDX_HEADER = 4 + 4 * MAX_RANK;

export function looksLikeIdx(head: Uint8Array): boolean {
  const [a, b, type = 0, rank = 0] = head;
  return a === 0 && b === 0 && type in CODES && rank >= 1 && rank <= MAX_RANK;
}

/** How long the file of a header should be. @param head - one that looks like idx */
export function idxSize(head: Uint8Array): number {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const [type, offset] = [CODES[head[2] as number], 4 + 4 * (head[3] as number)];
  if (type === undefined || head.length < offset) return -1;
  let size = ELEMENTS[type].width;
  for (let at = 4; at < offset; at += 4) size *= view.getUint32(at);
  return offset + size;
}

/** An array as samples: the first dimension counts them. @throws FormatError */
export async function readIdx(source: ClosableSource): Promise<Records> {
  const size = source.byteLength;
  const head = await readExactly(source, 0, Math.min(size, IDX_HEADER));
  demand(size >= 4, "truncated", 0, "idx header", "4 bytes or more", size);
  const [a, b, code = 0, rank = 0] = head;
  demand(a === 0 && b === 0, "magic", 0, "idx magic", "two zero bytes", `${a}, ${b}`);
  const name = CODES[code];
  demand(name !== undefined, "dtype", 2, "idx type", `one of ${Object.keys(CODES).join(", ")}`, code);
  demand(rank >= 1 && rank <= MAX_RANK, "shape", 3, "idx dimensions", `1 to ${MAX_RANK}`, rank);
  const offset = 4 + 4 * rank;
  demand(size >= offset, "truncated", 4, "idx dimensions", `${4 * rank} bytes`, size - 4);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const type = ELEMENTS[name];
  const elements = fitting(shape, type.width, size - offset, 4, "idx dimensions");
  const wanted = elements * type.width;
  demand(offset + wanted === size, "length", offset, "idx elements", `${wanted} bytes`, size - offset);
  return { source, offset, count: shape[0] as number, shape: shape.slice(1), type, little: false };
}
