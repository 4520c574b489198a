import type { SliceOptions } from "../bytes.ts";
import { LoadError } from "../errors.ts";
import { onAbort } from "./abort.ts";

// Bytes that come in order, dealt out to those who wait for parts of them. Nothing is pulled while nobody waits, so a reader that pauses
// pauses the sender.

/** What flows: bytes [start, until) of a file. `until` is Infinity as long as nobody knows it, and may then still be set. */
export interface Span {
  readonly start: number;
  until: number;
}

export interface FlowHooks {
  /** What follows `position` bytes into the file; undefined at the end. */
  next(position: number): Promise<Uint8Array | undefined>;
  /** Hears of the bytes kept from the start as they grow, before anybody gets what has come; may set `until`. */
  learn?(head: Uint8Array): void;
  /** Nobody waits any more. `aborted`: because who waited has aborted. */
  rest?(aborted: boolean): void;
  /** Called once, when nothing flows any more: at the end, after an error, or when stopped. */
  over(error: unknown): void;
}

type TakeOptions = Pick<SliceOptions, "signal" | "onBytes">;

export interface Flow {
  /** How far bytes from `start` on can still be had; `start` if they cannot. */
  reach(start: number): number;
  /** Bytes [start, end), which must be in reach. What ends where all ends is only given when nothing follows it. */
  take(start: number, end: number, options: TakeOptions): Promise<Uint8Array>;
  /** Whether anybody waits. */
  busy(): boolean;
  /** The furthest place that somebody asked for. */
  asked(): number;
  /** Drops the bytes kept from the start. */
  forget(): void;
  /** Ends it; who waits is rejected. Without an error, what was kept from the start can still be had. */
  stop(error?: unknown): void;
}

interface Want extends Pick<TakeOptions, "onBytes"> {
  readonly start: number;
  readonly end: number;
  /** The next byte that it lacks. */
  at: number;
  /** Made with the first byte: many may wait. */
  bytes?: Uint8Array;
  /** Ends the listening to its signal. */
  off?: () => void;
  resolve(bytes: Uint8Array): void;
  reject(error: unknown): void;
}

export const NONE: Uint8Array = new Uint8Array(0);

export function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}

/** @param keep - so many bytes from the start are pulled at once and stay to be had */
export function flow(span: Span, keep: number, hooks: FlowHooks): Flow {
  const wants = new Set<Want>();
  // Of what has come: the bytes kept from the start, and the last piece, which begins at `at`.
  let head = NONE;
  let held = NONE;
  let at = span.start;
  let asked = at;
  let pumping = false;
  let over = false;
  let failure: unknown;

  function end(error: unknown): void {
    if (over) return;
    over = true;
    failure = error;
    held = NONE;
    at = Infinity;
    hooks.over(error);
  }

  function stop(error?: unknown): void {
    if (error !== undefined) head = NONE;
    end(error);
    for (const want of wants) fail(want, error);
  }

  function leave(want: Want): void {
    wants.delete(want);
    want.off?.();
  }

  function fail(want: Want, error: unknown): void {
    leave(want);
    want.reject(error ?? new LoadError("length", `no byte ${want.at}: the file ended before it`));
  }

  function feed(want: Want): void {
    for (const [from, bytes] of [
      [span.start, head],
      [at, held],
    ] as const) {
      const count = Math.min(from + bytes.length, want.end) - want.at;
      if (want.at < from || count <= 0) continue;
      want.bytes ??= new Uint8Array(want.end - want.start);
      want.bytes.set(bytes.subarray(want.at - from, want.at - from + count), want.at - want.start);
      want.at += count;
      want.onBytes?.(count);
    }
    if (want.at < want.end || !(over || want.end < span.until)) return;
    leave(want);
    want.resolve(want.bytes as Uint8Array);
  }

  function receive(piece: Uint8Array): void {
    at += held.length;
    held = piece;
    const room = Math.min(keep - head.length, piece.length);
    if (room > 0) {
      head = joined(head, piece.subarray(0, room));
      hooks.learn?.(head);
    }
    const position = at + held.length;
    if (position > span.until)
      throw new LoadError("length", `got byte ${position - 1} of a range that ends at ${span.until}`);
  }

  function finish(): void {
    const position = at + held.length;
    if (position < span.until) {
      const most = span.until < Infinity ? span.until : "unknown length";
      throw new LoadError("length", `the bytes ended at ${position} of ${most}`);
    }
    end(undefined);
  }

  async function pump(): Promise<void> {
    if (pumping) return;
    pumping = true;
    try {
      // What is kept in full is read to its end: only then does it take up no connection.
      while (!over && (wants.size > 0 || head.length < keep || span.start + head.length >= span.until)) {
        const piece = await hooks.next(at + held.length);
        if (over) break;
        if (piece) receive(piece);
        else finish();
        for (const want of wants) feed(want);
      }
      if (over) for (const want of wants) fail(want, failure);
      else hooks.rest?.(false);
    } catch (error) {
      stop(error);
    } finally {
      pumping = false;
    }
  }

  if (keep > 0) void pump();
  return {
    reach(start) {
      const kept = span.start + head.length;
      const from = start >= span.start && start < kept ? kept : start;
      return from >= at && from < span.until ? span.until : from;
    },
    take: (start, end, { signal, onBytes }) =>
      new Promise((resolve, reject) => {
        const want: Want = { start, end, at: start, onBytes, resolve, reject };
        asked = Math.max(asked, end);
        wants.add(want);
        want.off = onAbort(signal, () => {
          fail(want, signal?.reason);
          if (wants.size === 0) hooks.rest?.(true);
        });
        feed(want);
        if (over && wants.has(want)) fail(want, failure);
        void pump();
      }),
    busy: () => wants.size > 0,
    asked: () => asked,
    forget() {
      keep = 0;
      head = NONE;
    },
    stop,
  };
}
