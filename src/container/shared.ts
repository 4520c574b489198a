import type { SliceOptions } from "../bytes.ts";
import { type PlainDType, WIDTHS } from "../tensor/plain.ts";
import { decodeSpan, type Reader, readSpan, type SharedChunk } from "./chunks.ts";
import type { Entry, Section } from "./sections.ts";

// Tensors that share a chunk. It is decoded once for those that are asked for in turn.

/** Chunks that are kept, each of at most MAX_SHARED bytes: one for each dtype and plan that small tensors take turns in. */
const KEPT = 4;

/** The chunk of a section, which is fetched if it is not kept. */
export function sharedChunk(reader: Reader, section: Section, options: SliceOptions): SharedChunk {
  const { kept } = reader;
  const { firstChunk } = section;
  const chunk = kept.get(firstChunk) ?? {
    loaded: decodeShared(reader, section, options),
    signal: options.signal,
  };
  if (!kept.delete(firstChunk)) {
    const arrived = (bytes: Uint8Array): void => {
      chunk.bytes = bytes;
    };
    // The source may do better next time.
    chunk.loaded.then(arrived, () => kept.get(firstChunk) === chunk && kept.delete(firstChunk));
  }
  kept.set(firstChunk, chunk);
  for (const oldest of kept.keys()) if (kept.size > KEPT) kept.delete(oldest);
  return chunk;
}

async function decodeShared(reader: Reader, section: Section, options: SliceOptions): Promise<Uint8Array> {
  const span = await readSpan(reader, section, 0, 1, options);
  const { dtype } = section.layout.tensor;
  const task = (bytes: typeof span) => ({ kind: "elements", span: bytes, dtype }) as const;
  return decodeSpan(reader, section, span, task, options.signal, (bytes) => bytes);
}

/** The bytes of a chunk, once they are here. @throws FormatError, the signal's reason */
export async function loadedChunk(
  reader: Reader,
  section: Section,
  options: SliceOptions,
  chunk = sharedChunk(reader, section, options),
): Promise<Uint8Array> {
  const { signal } = options;
  try {
    return await chunk.loaded;
  } catch (error) {
    // It was another caller's to fetch, who may have stopped.
    if (chunk.signal !== signal && !signal?.aborted) return loadedChunk(reader, section, options);
    throw error;
  }
}

/** The elements of a tensor that shares its chunk, in a buffer of their own. */
export function elementsIn(chunk: Uint8Array, { tensor, start, elements }: Entry): Uint8Array {
  const width = WIDTHS[tensor.dtype as PlainDType];
  return chunk.slice(start * width, (start + elements) * width);
}
