import type { SliceOptions } from "../bytes.ts";
import { decodeSpan, type Reader, readSpan, type SharedChunk } from "./chunks.ts";
import { linkedTo } from "./linked.ts";
import { type Piece, piecesOf } from "./pieces.ts";
import type { Counter, ProgressListener } from "./progress.ts";
import { roomsForChunks } from "./rooms.ts";
import type { Entry } from "./sections.ts";
import { elementsIn, loadedChunk, sharedChunk } from "./shared.ts";
import type { DecodeKind, Gives, Span, Task } from "./tasks.ts";
import { tasksAhead } from "./workers.ts";

// Tensors put together from their chunks, which are fetched, verified and decoded in order.

export interface LoadOptions {
  signal?: AbortSignal | undefined;
  /** Hears of everything that comes nearer. Default: the listener given to open. */
  onProgress?: ProgressListener | undefined;
}

/** A tensor that is being put together from the results of tasks. */
export interface Assembly<K extends DecodeKind, T> {
  task(span: Span): Task<K>;
  put(span: Span, result: Gives<K>): void;
  /** Takes the elements of a tensor that shares its chunk. */
  fill(elements: Uint8Array): void;
  finish(): T | Promise<T>;
}

/** What is left to do with a decoded piece when its turn comes; nothing, where it could be put in its place at once. */
type Rest = (() => void) | undefined;

/** A piece on its way. */
interface Job<K extends DecodeKind, T> {
  readonly piece: Piece;
  readonly assembly: Assembly<K, T>;
  readonly options: SliceOptions;
  /** What it fills of the window. */
  readonly weight: number;
  /** Null where a tensor has no chunk, or shares one. */
  span: Promise<Span> | Span | null;
  readonly chunk: SharedChunk | null;
  rest?: Rest | Promise<Rest>;
}

/**
 * Fetches the pieces of the tensors in order, as many bytes ahead as the window has room for, and decodes them, several at once if there are
 * workers. What is here already costs no promise: files have hundreds of small tensors.
 */
export async function* assemble<K extends DecodeKind, T>(
  reader: Reader,
  entries: readonly Entry[],
  size: (entry: Entry) => number,
  { signal, onProgress }: LoadOptions,
  make: (entry: Entry) => Assembly<K, T>,
): AsyncGenerator<T> {
  const { header, cache, workers, window } = reader;
  const pieces = piecesOf(header, entries, cache ? () => 1 : size, (number) => cache?.has(number) ?? false);
  const counter = onProgress && (await reader.extras()).progressFor(onProgress, pieces, header);
  const stop = linkedTo(signal);
  const begin = beginning(reader, make, stop.signal, counter);
  const rooms = roomsForChunks();
  const tasks = tasksAhead(workers?.size);
  const fetching: Job<K, T>[] = [];
  const decoding: Job<K, T>[] = [];
  let [next, weight] = [0, 0];
  try {
    for (;;) {
      for (; next < pieces.length && weight < window; next++) {
        // What a cache was given may be its own.
        const job = begin(pieces[next] as Piece, cache ? undefined : rooms.take);
        fetching.push(job);
        weight += job.weight;
      }
      if (fetching.length + decoding.length === 0) return;
      const come = fetching.shift();
      if (come) {
        weight -= come.weight;
        if (come.span instanceof Promise) await settled(come);
        signal?.throwIfAborted();
        come.rest = decode(reader, come);
        decoding.push(come);
      }
      // Nothing more is fetched before what came is kept, whatever other threads could do meanwhile.
      const ahead = come && (!cache || (come.span as Span | null)?.cached) ? tasks : 1;
      while (decoding.length >= ahead) {
        const { piece, assembly, span, rest: pending } = decoding.shift() as Job<K, T>;
        const rest = pending instanceof Promise ? await pending : pending;
        signal?.throwIfAborted();
        rest?.();
        if (span) rooms.give((span as Span).bytes);
        counter?.done(piece);
        if (piece.last) yield await assembly.finish();
      }
    }
  } finally {
    stop.end();
  }
}

function beginning<K extends DecodeKind, T>(
  reader: Reader,
  make: (entry: Entry) => Assembly<K, T>,
  signal: AbortSignal | undefined,
  counter: Counter | undefined,
) {
  const { cache, window } = reader;
  let made: Assembly<K, T> | undefined;
  return (piece: Piece, room: SliceOptions["room"]): Job<K, T> => {
    const { entry, first, count, bytes, until, last } = piece;
    const { section } = entry;
    const assembly = made ?? make(entry);
    made = last ? undefined : assembly;
    const options = { signal, room, until, onBytes: counter?.listener(piece) };
    const chunk = count > 0 && section.shared ? sharedChunk(reader, section, options) : null;
    const span = count > 0 && !chunk ? readSpan(reader, section, first, count, options) : null;
    // It is awaited later, or never.
    span?.catch(() => {});
    // What has arrived and is not kept yet is lost if the process ends: it fills the window. What is kept may be read ahead.
    const weight = cache && !cache.has(section.firstChunk + first) ? window : bytes;
    return { piece, assembly, options, weight, span, chunk };
  };
}

// An error comes when its piece is decoded: at its place, after what lies before it.
async function settled(job: { span: Promise<Span> | Span | null }): Promise<void> {
  try {
    job.span = await job.span;
  } catch {}
}

function decode<K extends DecodeKind, T>(reader: Reader, job: Job<K, T>): Rest | Promise<Rest> {
  const { piece, assembly, options, span, chunk } = job;
  const { entry } = piece;
  // Awaited in its turn, or never.
  const later = (rest: Rest | Promise<Rest>): Rest | Promise<Rest> => {
    if (rest instanceof Promise) rest.catch(() => {});
    return rest;
  };
  const fill = (bytes: Uint8Array): undefined => void assembly.fill(elementsIn(bytes, entry));
  if (chunk)
    return chunk.bytes ? fill(chunk.bytes) : later(loadedChunk(reader, entry.section, options, chunk).then(fill));
  if (!span) return undefined;
  if (span instanceof Promise) return span as Promise<never>;
  const decoded = decodeSpan(reader, entry.section, span, assembly.task, options.signal, (result): Rest => {
    if (reader.workers) return () => assembly.put(span, result);
    // What lies in the arena must be taken out of it in this turn.
    assembly.put(span, result);
    return undefined;
  });
  return later(decoded);
}

/** The one tensor of a stream. */
export async function only<T>(tensors: AsyncGenerator<T>): Promise<T> {
  const { value } = await tensors.next();
  await tensors.return(undefined);
  return value;
}
