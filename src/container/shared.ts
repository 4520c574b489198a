import type { SliceOptions } from "../bytes.ts";
import { type PlainDType, WIDTHS } from "../tensor/plain.ts";
import { decodeSpan, type Reader, readSpan } from "./chunks.ts";
import type { Entry, Section } from "./sections.ts";

// Tensors that share a chunk. It is decoded once for those that are asked for in turn.

/** Chunks that are kept, each of at most MAX_SHARED bytes: one for each dtype and plan that small tensors take turns in. */
const KEPT = 4;

/** The elements of a tensor that shares its chunk, in a buffer of their own. @throws FormatError, the signal's reason */
export async function sharedElements(
  reader: Reader,
  { section, tensor, start, elements }: Entry,
  options: SliceOptions = {},
): Promise<Uint8Array> {
  const { signal } = options;
  signal?.throwIfAborted();
  const bytes = await keptChunk(reader, section, options);
  signal?.throwIfAborted();
  const width = WIDTHS[tensor.dtype as PlainDType];
  return bytes.slice(start * width, (start + elements) * width);
}

async function keptChunk(reader: Reader, section: Section, options: SliceOptions): Promise<Uint8Array> {
  const { kept } = reader;
  const { firstChunk } = section;
  const before = kept.get(firstChunk);
  const chunk = before ?? decodeShared(reader, section, options);
  kept.delete(firstChunk);
  kept.set(firstChunk, chunk);
  for (const oldest of kept.keys()) if (kept.size > KEPT) kept.delete(oldest);
  try {
    return await chunk;
  } catch (error) {
    // The source may do better next time.
    if (kept.get(firstChunk) === chunk) kept.delete(firstChunk);
    // It was another caller's to fetch, who may have stopped.
    if (before && !options.signal?.aborted) return keptChunk(reader, section, options);
    throw error;
  }
}

async function decodeShared(reader: Reader, section: Section, options: SliceOptions): Promise<Uint8Array> {
  const span = await readSpan(reader, section, 0, 1, options);
  const { dtype } = section.layout.tensor;
  const task = (bytes: typeof span) => ({ kind: "elements", span: bytes, dtype }) as const;
  return decodeSpan(reader, section, span, task, options.signal, (bytes) => bytes);
}
