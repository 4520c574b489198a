import { joined } from "../bytes.ts";

// What has come of the bytes that flow, as far as it is still there.

/** What flows: bytes [start, until) of a file. `until` is Infinity as long as nobody knows it, and may then still be set. */
export interface Span {
  readonly start: number;
  until: number;
}

/** A part that is being filled. */
export interface Part {
  readonly start: number;
  readonly end: number;
  /** The next byte that it lacks. */
  at: number;
  /** Made with the first byte: many may wait. */
  bytes?: Uint8Array;
  readonly onBytes?: ((count: number) => void) | undefined;
  readonly room?: ((size: number) => Uint8Array) | undefined;
}

export const NONE: Uint8Array = new Uint8Array(0);

/** The first `keep` bytes of a span, and the last piece that came. @param grown - hears of the kept bytes whenever there are more */
export function windowOf(span: Span, keep: number, grown?: (head: Uint8Array) => void) {
  const { start } = span;
  let head = NONE;
  let held = NONE;
  let at = start;
  return {
    /** Where the next piece goes. */
    position: () => at + held.length,
    /** Whether to go on although nobody waits: what is kept is not all there, or it is, and only its end frees the connection. */
    lacks: () => head.length < keep || start + head.length >= span.until,
    /** Takes the next piece. */
    add(piece: Uint8Array): void {
      at += held.length;
      held = piece;
      if (head.length >= keep) return;
      head = joined(head, piece.subarray(0, keep - head.length));
      grown?.(head);
    },
    /** How far bytes from `from` on can still be had; `from` if they cannot. */
    reach(from: number): number {
      const kept = start + head.length;
      const next = from >= start && from < kept ? kept : from;
      return next >= at && next < span.until ? span.until : next;
    },
    /** Gives a part what there is of it. */
    fill(part: Part): void {
      for (const [from, bytes] of [[start, head] as const, [at, held] as const]) {
        const count = Math.min(from + bytes.length, part.end) - part.at;
        if (part.at < from || count <= 0) continue;
        const size = part.end - part.start;
        part.bytes ??= part.room?.(size) ?? new Uint8Array(size);
        part.bytes.set(bytes.subarray(part.at - from, part.at - from + count), part.at - part.start);
        part.at += count;
        part.onBytes?.(count);
      }
    },
    /** Nothing comes any more: what is kept stays. */
    end(): void {
      held = NONE;
      at = Infinity;
    },
    forget(): void {
      keep = 0;
      head = NONE;
    },
  };
}
