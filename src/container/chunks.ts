import { type ByteSource, readExactly } from "../bytes.ts";
import { argument } from "../errors.ts";
import type { Entry } from "./description.ts";
import type { ChunkEntry, Header } from "./format.ts";
import type { Span } from "./tasks.ts";
import { type Place, perform } from "./workers.ts";

// Chunks of an open file, fetched.

/** What is needed to get at the chunks of a file. */
export interface Reader extends Place {
  readonly source: ByteSource;
  readonly header: Header;
}

/** Fetches consecutive chunks of a tensor with one read. */
export async function readSpan(
  { source, header }: Reader,
  entry: Entry,
  first: number,
  count: number,
  signal: AbortSignal | undefined,
): Promise<Span> {
  const chunks = Array.from({ length: count }, (_, i) => header.chunk(entry.firstChunk + first + i));
  const [start, last] = [chunks[0] as ChunkEntry, chunks[count - 1] as ChunkEntry];
  signal?.throwIfAborted();
  const bytes = await readExactly(source, start.offset, last.offset + last.bytes);
  signal?.throwIfAborted();
  return { layout: entry.layout, first, chunks, bytes };
}

/** Fetches chunk `index` of the file, checks both checksums and that it decodes. Returns its stored bytes. */
export async function checkChunk(reader: Reader, index: number, signal: AbortSignal | undefined): Promise<number> {
  const span = await readChunk(reader, index, signal);
  return perform(reader, { kind: "check", span }, signal, (bytes) => bytes);
}

/** Fetches chunk `index` of the file. @throws RangeError if there is none */
export async function readChunk(reader: Reader, index: number, signal: AbortSignal | undefined): Promise<Span> {
  const { header } = reader;
  const entry = header.entries.findLast((candidate) => candidate.firstChunk <= index && candidate.layout.chunks > 0);
  const inside = Number.isInteger(index) && index >= 0 && index < header.prelude.chunks;
  argument(entry !== undefined && inside, "index", "a chunk of the file", index);
  return readSpan(reader, entry, index - entry.firstChunk, 1, signal);
}
