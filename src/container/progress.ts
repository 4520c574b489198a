import type { Piece } from "./pieces.ts";
import { decodedSize, type Header } from "./prelude.ts";

// How far loading is, from what the header says there is to load.

export interface Share {
  readonly done: number;
  readonly total: number;
}

/** How far a call has come. Nothing ever goes back, and at the end every `done` is its `total`. */
export interface LoadProgress {
  /** 0..1: of stored, verified and decoded bytes together. Exactly 1 at the end. */
  readonly fraction: number;
  /** Bytes that have arrived, the header included. */
  readonly stored: Share;
  /** Stored bytes whose checksum is right. */
  readonly verified: Share;
  /** Bytes of decoded chunks: codes and scales, or elements. */
  readonly decoded: Share;
  readonly tensors: Share;
}

/** Hears how far a call is. */
export type ProgressListener = (progress: LoadProgress) => void;

/** Counts what is done of the pieces, and tells it. */
export function progressFor(listener: ProgressListener, pieces: readonly Piece[], header: Header) {
  const { headerBytes } = header;
  const totals = { stored: headerBytes, verified: headerBytes, decoded: 0, tensors: 0 };
  for (const piece of pieces) {
    totals.stored += piece.bytes;
    totals.verified += piece.bytes;
    totals.decoded += decodedBytes(header, piece);
    if (piece.last) totals.tensors++;
  }
  const done = { stored: headerBytes, verified: headerBytes, decoded: 0, tensors: 0 };
  const share = (key: keyof typeof done): Share => ({ done: done[key], total: totals[key] });
  const sum = ({ stored, verified, decoded }: typeof done): number => stored + verified + decoded;
  const tell = (): void =>
    listener({
      fraction: sum(done) / sum(totals),
      stored: share("stored"),
      verified: share("verified"),
      decoded: share("decoded"),
      tensors: share("tensors"),
    });
  const untold = new Map<Piece, number>();
  const arrived = (bytes: number): void => {
    done.stored += bytes;
    tell();
  };
  return {
    /** What hears of the bytes of a piece as they arrive. */
    listener(piece: Piece): ((count: number) => void) | undefined {
      if (piece.bytes === 0) return undefined;
      untold.set(piece, piece.bytes);
      return (count) => {
        untold.set(piece, (untold.get(piece) ?? 0) - count);
        arrived(count);
      };
    },
    done(piece: Piece): void {
      // Sources need not tell what arrives, and a chunk may be kept since an earlier call: what was left out is told at the end.
      const rest = untold.get(piece) ?? 0;
      untold.delete(piece);
      if (rest > 0) arrived(rest);
      done.verified += piece.bytes;
      tell();
      done.decoded += decodedBytes(header, piece);
      if (piece.last) done.tensors++;
      tell();
    },
  };
}

export type Counter = ReturnType<typeof progressFor>;

// Of a chunk that tensors share, the piece that fetches it has all.
function decodedBytes(header: Header, { bytes, first, count, entry }: Piece): number {
  return bytes > 0 ? decodedSize(header, entry.section.firstChunk + first, count) : 0;
}
