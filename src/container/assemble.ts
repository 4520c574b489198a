import type { SliceOptions } from "../bytes.ts";
import { decodeSpan, type Reader, readSpan } from "./chunks.ts";
import { type Piece, piecesOf } from "./pieces.ts";
import { type Counter, type ProgressListener, progressFor } from "./progress.ts";
import { roomsForChunks } from "./rooms.ts";
import type { Entry } from "./sections.ts";
import { sharedElements } from "./shared.ts";
import type { DecodeKind, Gives, Span, Task } from "./tasks.ts";
import { inOrder, tasksAhead } from "./workers.ts";

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

/** A piece on its way. */
interface Job<K extends DecodeKind, T> {
  readonly piece: Piece;
  readonly assembly: Assembly<K, T>;
}

/** A piece whose bytes are here: a span, the elements of a tensor that shares its chunk, or nothing of a tensor without elements. */
interface Arrived<K extends DecodeKind, T> extends Job<K, T> {
  readonly span: Span | null;
  readonly elements: Uint8Array | null;
}

/**
 * Fetches the pieces of the tensors in order, as many bytes ahead as the window has room for, and decodes them, several at once if there are
 * workers.
 */
export async function* assemble<K extends DecodeKind, T>(
  reader: Reader,
  entries: readonly Entry[],
  size: (entry: Entry) => number,
  { signal, onProgress }: LoadOptions,
  begin: (entry: Entry) => Assembly<K, T>,
): AsyncGenerator<T> {
  const { header, cache, workers, window } = reader;
  const held = (number: number) => cache?.has(number) ?? false;
  const pieces = piecesOf(header, entries, cache ? () => 1 : size, held);
  const rooms = roomsForChunks();
  // What a cache was given may be its own.
  const room = cache ? undefined : rooms.take;
  const counter = onProgress && progressFor(onProgress, pieces, header);
  function* jobs() {
    let assembly: Assembly<K, T> | undefined;
    for (const piece of pieces) {
      assembly ??= begin(piece.entry);
      yield { piece, assembly };
      if (piece.last) assembly = undefined;
    }
  }
  const arrived = inOrder(
    jobs(),
    window,
    signal,
    (job, stop) => fetchPiece(reader, job, { signal: stop, room }, counter),
    // What has arrived and is not kept yet is lost if the process ends: it fills the window. What is kept may be read ahead.
    ({ piece: { entry, first, bytes } }) => (cache && !held(entry.section.firstChunk + first) ? window : bytes),
  );
  const ahead = tasksAhead(workers?.size);
  const decoded = inOrder(
    arrived,
    ahead,
    signal,
    (job, stop) => decodePiece(reader, job, stop, counter),
    // Nothing is fetched before it is kept, whatever other threads could do meanwhile.
    ({ span }) => (cache && !span?.cached ? ahead : 1),
  );
  for await (const { piece, assembly, place, span } of decoded) {
    place?.();
    if (span) rooms.give(span.bytes);
    counter?.decoded(piece);
    if (piece.last) yield await assembly.finish();
  }
}

async function fetchPiece<K extends DecodeKind, T>(
  reader: Reader,
  job: Job<K, T>,
  { signal, room }: SliceOptions,
  counter: Counter | undefined,
): Promise<Arrived<K, T>> {
  const { entry, first, count, bytes, until } = job.piece;
  if (count === 0) return { ...job, span: null, elements: null };
  let untold = bytes;
  const onBytes = (count: number): void => {
    untold -= count;
    counter?.arrived(count);
  };
  const options = { signal, room, until, onBytes: counter && bytes > 0 ? onBytes : undefined };
  const { shared } = entry.section;
  const span = shared ? null : await readSpan(reader, entry.section, first, count, options);
  const elements = shared ? await sharedElements(reader, entry, options) : null;
  // Sources need not tell what arrives, and a chunk may be kept since an earlier call: what was left out is told at the end.
  if (untold > 0) counter?.arrived(untold);
  return { ...job, span, elements };
}

async function decodePiece<K extends DecodeKind, T>(
  reader: Reader,
  { piece, assembly, span, elements }: Arrived<K, T>,
  signal: AbortSignal | undefined,
  counter: Counter | undefined,
) {
  let place: (() => void) | null = elements && (() => assembly.fill(elements));
  if (span) {
    place = await decodeSpan(reader, piece.entry.section, span, assembly.task, signal, (result) => {
      if (reader.workers) return () => assembly.put(span, result);
      // What lies in the arena must be taken out of it in this turn.
      assembly.put(span, result);
      return null;
    });
  }
  counter?.verified(piece.bytes);
  return { piece, assembly, place, span };
}

/** The one tensor of a stream. */
export async function only<T>(tensors: AsyncGenerator<T>): Promise<T> {
  const { value } = await tensors.next();
  await tensors.return(undefined);
  return value;
}
