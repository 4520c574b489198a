import { dtypeWidth } from "../tensor.ts";
import { type Reader, readSpan } from "./chunks.ts";
import type { Entry, Section } from "./sections.ts";
import { perform } from "./workers.ts";

// Tensors that share a chunk. It is decoded once for those that are asked for in turn.

/** Chunks that are kept, each of at most MAX_SHARED bytes: one for each dtype and plan that small tensors take turns in. */
const KEPT = 4;

/** The elements of a tensor that shares its chunk, in a buffer of their own. @throws FormatError, the signal's reason */
export async function sharedElements(
  reader: Reader,
  { section, tensor, start, elements }: Entry,
  signal?: AbortSignal | undefined,
): Promise<Uint8Array> {
  signal?.throwIfAborted();
  const bytes = await keptChunk(reader, section);
  signal?.throwIfAborted();
  const width = dtypeWidth(tensor.dtype);
  return bytes.slice(start * width, (start + elements) * width);
}

function keptChunk(reader: Reader, section: Section): Promise<Uint8Array> {
  const { kept } = reader;
  const { firstChunk } = section;
  const chunk = kept.get(firstChunk) ?? decodeShared(reader, section);
  kept.delete(firstChunk);
  kept.set(firstChunk, chunk);
  for (const oldest of kept.keys()) if (kept.size > KEPT) kept.delete(oldest);
  return chunk;
}

// Not under the signal of one caller: others may wait for the same chunk.
async function decodeShared(reader: Reader, section: Section): Promise<Uint8Array> {
  try {
    const span = await readSpan(reader, section, 0, 1, undefined);
    const { dtype } = section.layout.tensor;
    return await perform(reader, { kind: "elements", span, dtype }, undefined, (bytes) => bytes);
  } catch (error) {
    // The source may do better next time.
    reader.kept.delete(section.firstChunk);
    throw error;
  }
}
