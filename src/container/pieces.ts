import type { Header } from "./prelude.ts";
import type { Entry } from "./sections.ts";

// What is to be fetched for tensors, in order, as data made before anything is read.

/** Consecutive chunks of a tensor that are fetched and decoded together. */
export interface Piece {
  readonly entry: Entry;
  /** Index of the first chunk in its section; a tensor without elements has one piece without chunks. */
  readonly first: number;
  readonly count: number;
  /** Whether it is the tensor's last. */
  readonly last: boolean;
  /** Stored bytes; 0 for a chunk that tensors share if an earlier piece has it. */
  readonly bytes: number;
  /** Where the fetching that begins with it may go on to, in bytes of the file: see SliceOptions. */
  until: number;
}

/** Bytes that are fetched for nothing rather than to request what lies behind them anew: what a link of 50 Mbit/s carries in 5 ms. */
const GAP = 32 * 1024;

/**
 * The pieces of the entries.
 * @param size - chunks in a piece
 * @param kept - whether a chunk, by its number, need not be fetched
 */
export function piecesOf(
  header: Header,
  entries: readonly Entry[],
  size: (entry: Entry) => number,
  kept: (number: number) => boolean,
): Piece[] {
  const shared = new Set<number>();
  const pieces = entries.flatMap((entry) => entryPieces(header, entry, Math.max(size(entry), 1), shared));
  joinReads(header, pieces, kept);
  return pieces;
}

function entryPieces(header: Header, entry: Entry, size: number, shared: Set<number>): Piece[] {
  const { firstChunk, layout, shared: isShared } = entry.section;
  const { chunks } = layout;
  const pieces: Piece[] = [];
  for (let first = 0; first === 0 || first < chunks; first += size) {
    const count = Math.min(size, chunks - first);
    const counted = count > 0 && !(isShared && shared.has(firstChunk));
    const { start, end } = rangeOf(header, firstChunk + first, count);
    const bytes = counted ? end - start : 0;
    pieces.push({ entry, first, count, last: first + count >= chunks, bytes, until: 0 });
  }
  if (isShared) shared.add(firstChunk);
  return pieces;
}

/** Where chunks lie in the file. */
export function rangeOf({ offsets }: Header, number: number, count: number): { start: number; end: number } {
  return { start: offsets[number] as number, end: offsets[number + count] as number };
}

// From the last to the first: each piece reads on to where the one behind it does, if that begins near its end.
function joinReads(header: Header, pieces: readonly Piece[], kept: (number: number) => boolean): void {
  let next: { start: number; until: number } | null = null;
  for (let i = pieces.length - 1; i >= 0; i--) {
    const piece = pieces[i] as Piece;
    const number = piece.entry.section.firstChunk + piece.first;
    if (piece.bytes === 0 || kept(number)) continue;
    const { start, end } = rangeOf(header, number, piece.count);
    const joined: boolean = next !== null && next.start >= end && next.start - end <= GAP;
    piece.until = joined && next ? next.until : end;
    next = { start, until: piece.until };
  }
}
