import { type ClosableSource, readExactly, type SliceOptions } from "../bytes.ts";
import { FormatError } from "../errors/base.ts";
import { rangeOf } from "./pieces.ts";
import type { Header } from "./prelude.ts";
import type { progressFor } from "./progress.ts";
import type { Section } from "./sections.ts";
import type { DecodeKind, Gives, Span, Task } from "./tasks.ts";
import { perform, type ReadPlace } from "./workers.ts";

// Chunks of an open file: fetched, verified, decoded.

/** Verified chunks of the file that are kept between runs. */
export interface Cache {
  has(number: number): boolean;
  get(number: number): Promise<Uint8Array | null>;
  put(number: number, bytes: Uint8Array): Promise<void>;
}

/** A chunk that tensors share, on its way or here. */
export interface SharedChunk {
  bytes?: Uint8Array;
  readonly loaded: Promise<Uint8Array>;
  /** Of the caller whose it was to fetch. */
  readonly signal: AbortSignal | undefined;
}

/** What is needed to get at the chunks of a file. */
export interface Reader extends ReadPlace {
  readonly source: ClosableSource;
  readonly header: Header;
  /** Decoded chunks that tensors share, by number, the latest last. */
  readonly kept: Map<number, SharedChunk>;
  readonly cache: Cache | null;
  /** Whether chunks must have their SHA-256 too, because the caller has said which file it must be. */
  readonly pinned: boolean;
  /** Loads what few options need. */
  extras(): Promise<{ readonly progressFor: typeof progressFor }>;
  /** Stored bytes that may be fetched ahead of what is decoded. */
  readonly window: number;
}

/** Fetches consecutive chunks of a section with one read. A chunk that is alone may come from the cache. */
export async function readSpan(
  { source, header, cache }: Reader,
  { layout, firstChunk }: Section,
  first: number,
  count: number,
  options: SliceOptions = {},
): Promise<Span> {
  const number = firstChunk + first;
  const chunks = Array.from({ length: count }, (_, i) => header.chunk(number + i));
  const { start, end } = rangeOf(header, number, count);
  const { signal, fresh } = options;
  signal?.throwIfAborted();
  const held = count === 1 && !fresh && cache?.has(number) ? await cache.get(number) : null;
  const cached = held?.length === end - start;
  const bytes = cached ? held : await readExactly(source, start, end, options);
  signal?.throwIfAborted();
  return { layout, first, chunks, bytes, cached };
}

/**
 * Does the task of a span, in the turn of whose end `use` gets the result: at once, where nothing has to be waited for. A span that is damaged
 * is fetched once more; one that is right is kept in the cache.
 */
export function decodeSpan<K extends DecodeKind, T>(
  reader: Reader,
  section: Section,
  span: Span,
  task: (span: Span) => Task<K>,
  signal: AbortSignal | undefined,
  use: (result: Gives<K>) => T,
): T | Promise<T> {
  const { cache, pinned, workers } = reader;
  let result: Gives<K> | null = null;
  try {
    const given = task(span);
    // To check takes time: its hash is the platform's.
    if (!cache && !pinned && !workers && given.kind !== "check") result = reader.decode(given) as Gives<K> | null;
  } catch {
    // What is wrong is found again where a damaged chunk is fetched anew.
  }
  if (result) return use(result);
  return decodeInTime(reader, section, span, task, signal, use);
}

async function decodeInTime<K extends DecodeKind, T>(
  reader: Reader,
  section: Section,
  span: Span,
  task: (span: Span) => Task<K>,
  signal: AbortSignal | undefined,
  use: (result: Gives<K>) => T,
): Promise<T> {
  const { cache, pinned, kernels } = reader;
  const attempt = async (bytes: Span): Promise<T> => {
    if (pinned) await (await reader.whole()).demandPinned(kernels, bytes);
    const result = await perform(reader, task(bytes), signal, use);
    if (cache && !bytes.cached) await cache.put(section.firstChunk + bytes.first, bytes.bytes);
    return result;
  };
  try {
    return await attempt(span);
  } catch (error) {
    if (!(error instanceof FormatError) || error.code !== "checksum") throw error;
    const again = await readSpan(reader, section, span.first, span.chunks.length, { signal, fresh: true }).catch(() => {
      signal?.throwIfAborted();
      // What cannot be read a second time, such as a stream, is as it was.
      throw error;
    });
    return attempt(again);
  }
}
