import { type ByteSource, readExactly } from "../bytes.ts";
import { argument } from "../errors.ts";
import type { ChunkEntry, Header } from "./format.ts";
import type { Section } from "./sections.ts";
import type { Span } from "./tasks.ts";
import { type Place, perform } from "./workers.ts";

// Chunks of an open file, fetched.

/** What is needed to get at the chunks of a file. */
export interface Reader extends Place {
  readonly source: ByteSource;
  readonly header: Header;
  /** Decoded chunks that tensors share, by number, the latest last. */
  readonly kept: Map<number, Promise<Uint8Array>>;
}

/** Fetches consecutive chunks of a section with one read. */
export async function readSpan(
  { source, header }: Reader,
  { layout, firstChunk }: Section,
  first: number,
  count: number,
  signal: AbortSignal | undefined,
): Promise<Span> {
  const chunks = Array.from({ length: count }, (_, i) => header.chunk(firstChunk + first + i));
  const [start, last] = [chunks[0] as ChunkEntry, chunks[count - 1] as ChunkEntry];
  signal?.throwIfAborted();
  const bytes = await readExactly(source, start.offset, last.offset + last.bytes);
  signal?.throwIfAborted();
  return { layout, first, chunks, bytes };
}

/** Fetches chunk `index` of the file, checks both checksums and that it decodes. Returns its stored bytes. */
export async function checkChunk(reader: Reader, index: number, signal: AbortSignal | undefined): Promise<number> {
  const span = await readChunk(reader, index, signal);
  return perform(reader, { kind: "check", span }, signal, (bytes) => bytes);
}

/** Fetches chunk `index` of the file. @throws RangeError if there is none */
export async function readChunk(reader: Reader, index: number, signal: AbortSignal | undefined): Promise<Span> {
  const { sections, prelude } = reader.header;
  const inside = Number.isInteger(index) && index >= 0 && index < prelude.chunks;
  argument(inside, "index", "a chunk of the file", index);
  // The last section that begins at or before the chunk. One without chunks begins where the next does.
  let [least, beyond] = [0, sections.length];
  while (beyond - least > 1) {
    const middle = (least + beyond) >> 1;
    if ((sections[middle] as Section).firstChunk <= index) least = middle;
    else beyond = middle;
  }
  const section = sections[least] as Section;
  return readSpan(reader, section, index - section.firstChunk, 1, signal);
}
