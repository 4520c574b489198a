import type { CodeName } from "../codec/code.ts";
import type { DType } from "../tensor.ts";
import { decodedSize, type Header } from "./prelude.ts";
import { type Entry, portion } from "./sections.ts";

// The index of an open file.

/** A tensor of the index. */
export interface IndexEntry {
  readonly name: string;
  /** Before packing. */
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly plan: string;
  /** With those of removed channels, which no chunk holds. */
  readonly elements: number;
  /** The chunks of the file that hold it: `chunks` from `firstChunk` on. Small tensors may share one. */
  readonly firstChunk: number;
  readonly chunks: number;
  /** Bytes of its chunks; of a chunk that it shares, its share by elements. */
  readonly storedBytes: number;
  readonly decodedBytes: number;
  /** Chunks by the code of their last stream. */
  readonly codes: Readonly<Partial<Record<CodeName, number>>>;
}

export function indexEntry(header: Header, { tensor, elements, section, start }: Entry): IndexEntry {
  const { plan, layout, firstChunk, shared } = section;
  const codes: Partial<Record<CodeName, number>> = {};
  let storedBytes = 0;
  for (let i = 0; i < layout.chunks; i++) {
    const { code, bytes } = header.chunk(firstChunk + i);
    codes[code] = (codes[code] ?? 0) + 1;
    storedBytes += bytes;
  }
  const { name, dtype, shape } = tensor;
  const { chunks } = layout;
  const share = (bytes: number) => (shared ? portion(bytes, start, start + elements, layout.elements) : bytes);
  return {
    name,
    dtype,
    shape,
    plan,
    elements,
    firstChunk,
    chunks,
    storedBytes: share(storedBytes),
    decodedBytes: share(decodedSize(header, firstChunk, layout.chunks)),
    codes,
  };
}
