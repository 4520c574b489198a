import { type ByteSource, readExactly } from "../bytes.ts";
import { chunkShape } from "../codec/layout.ts";
import { type DecodedChunk, decodeChunk } from "../codec/tensor.ts";
import { argument, demand } from "../errors.ts";
import type { Kernels } from "../kernels.ts";
import { checksums, demandHash, xxh64 } from "./checksum.ts";
import type { Entry } from "./description.ts";
import type { Header } from "./format.ts";

// Chunks of an open file: fetched, checked, decoded.

/** What is needed to get at the chunks of a file. */
export interface Reader {
  readonly kernels: Kernels;
  readonly source: ByteSource;
  readonly header: Header;
}

/**
 * Fetches the index-th chunk of a tensor, checks its XXH64, decodes it and hands it to `use` while it lies in the arena.
 * `use` is called in the same turn: with several loads under way, nothing in the arena outlives an await.
 */
export async function withChunk<T>(
  reader: Reader,
  entry: Entry,
  index: number,
  signal: AbortSignal | undefined,
  use: (chunk: DecodedChunk) => T,
): Promise<T> {
  const { source, header } = reader;
  const { offset, bytes: size } = header.chunk(entry.firstChunk + index);
  signal?.throwIfAborted();
  const bytes = await readExactly(source, offset, offset + size);
  signal?.throwIfAborted();
  return use(decodeChecked(reader, entry, index, bytes));
}

function decodeChecked({ kernels, header }: Reader, entry: Entry, index: number, bytes: Uint8Array): DecodedChunk {
  const chunk = header.chunk(entry.firstChunk + index);
  const place = { offset: chunk.offset, field: chunkName(entry, index) };
  const { stored } = kernels.arena(chunkShape(entry.layout, index).room, "decode");
  kernels.bytes().set(bytes, stored);
  demandHash(xxh64(kernels, stored, bytes.length), chunk.xxh64, "XXH64", chunk.offset, place.field);
  const decoded = decodeChunk(kernels, entry.layout, index, bytes.length, place);
  const same = decoded.code === chunk.code;
  demand(same, "code", chunk.offset, `${place.field}, code`, `${chunk.code}, as in the chunk table`, decoded.code);
  return decoded;
}

function chunkName(entry: Entry, index: number): string {
  return `chunk ${index} of tensor ${JSON.stringify(entry.tensor.name)}`;
}

/** Fetches chunk `index` of the file, checks both checksums and that it decodes. Returns its stored bytes. */
export async function checkChunk(reader: Reader, index: number): Promise<number> {
  const { header, kernels, source } = reader;
  const entry = header.entries.findLast((candidate) => candidate.firstChunk <= index && candidate.layout.chunks > 0);
  const inside = Number.isInteger(index) && index >= 0 && index < header.prelude.chunks;
  argument(entry !== undefined && inside, "index", "a chunk of the file", index);
  const chunk = header.chunk(index);
  const bytes = await readExactly(source, chunk.offset, chunk.offset + chunk.bytes);
  decodeChecked(reader, entry, index - entry.firstChunk, bytes);
  const { sha256 } = await checksums(kernels, bytes);
  const field = chunkName(entry, index - entry.firstChunk);
  demandHash(sha256, chunk.sha256, "SHA-256", chunk.offset, field);
  return chunk.bytes;
}
