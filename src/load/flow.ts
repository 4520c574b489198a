import type { SliceOptions } from "../bytes.ts";
import { LoadError } from "../errors/base.ts";
import { onAbort } from "./abort.ts";
import { type Part, type Span, windowOf } from "./window.ts";

// Bytes that come in order, dealt out to those who wait for parts of them. Nothing is pulled while nobody waits, so a reader that pauses
// pauses the sender.

export interface FlowHooks {
  /** What follows `position` bytes into the file, better no more than `most` bytes; undefined at the end. The call after the next may reuse its memory. */
  next(position: number, most: number): Promise<Uint8Array | undefined>;
  /** Hears of the bytes kept from the start as they grow, before anybody gets what has come; may set `until`. */
  learn?: ((head: Uint8Array) => void) | undefined;
  /** Nobody waits any more. `aborted`: because who waited has aborted. */
  rest?(aborted: boolean): void;
  /** Called once, when nothing flows any more: at the end, after an error, or when stopped. */
  over(error: unknown): void;
}

export interface Flow {
  /** How far bytes from `start` on can still be had; `start` if they cannot. */
  reach(start: number): number;
  /** Bytes [start, end), which must be in reach. What ends where all ends is only given when nothing follows it. */
  take(start: number, end: number, options: Pick<SliceOptions, "signal" | "onBytes" | "room">): Promise<Uint8Array>;
  /** Whether anybody waits. */
  busy(): boolean;
  /** The furthest place that somebody asked for, and to which it reads: what a process has beyond is lost with it. */
  asked(): number;
  /** Drops the bytes kept from the start. */
  forget(): void;
  /** Ends it; who waits is rejected. Without an error, for when nobody does, what was kept from the start can still be had. */
  stop(error?: unknown): void;
}

interface Want extends Part {
  resolve(bytes: Uint8Array): void;
  reject(error: unknown): void;
  /** Ends the listening to its signal. */
  off(): void;
}

/** @param keep - so many bytes from the start are pulled at once and stay to be had */
export function flow(span: Span, keep: number, hooks: FlowHooks): Flow {
  const wants = new Set<Want>();
  const come = windowOf(span, keep, hooks.learn);
  let [asked, pumping, over] = [span.start + keep, false, false];
  function stop(error?: unknown): void {
    if (over) return;
    over = true;
    come.end();
    if (error !== undefined) come.forget();
    hooks.over(error);
    if (error !== undefined) for (const want of wants) leave(wants, want).reject(error);
  }
  function feed(want: Want): void {
    come.fill(want);
    if (want.at === want.end && (over || want.end < span.until)) leave(wants, want).resolve(want.bytes as Uint8Array);
  }
  async function pump(): Promise<void> {
    if (pumping) return;
    pumping = true;
    try {
      while (!over && (wants.size > 0 || come.lacks())) {
        const piece = await hooks.next(come.position(), asked - come.position());
        if (over) break;
        if (piece) come.add(piece);
        check(come.position(), span.until, !piece);
        if (!piece) stop();
        for (const want of wants) feed(want);
      }
      if (!over) hooks.rest?.(false);
    } catch (error) {
      stop(error);
    }
    pumping = false;
  }
  function take(start: number, end: number, { signal, onBytes, room }: SliceOptions): Promise<Uint8Array> {
    asked = Math.max(asked, end);
    return new Promise((resolve, reject) => {
      const off = onAbort(signal, () => {
        leave(wants, want).reject(signal?.reason);
        if (wants.size === 0) hooks.rest?.(true);
      });
      const want: Want = { start, end, at: start, onBytes, room, resolve, reject, off };
      wants.add(want);
      feed(want);
      void pump();
    });
  }
  if (keep > 0) void pump();
  return { ...come, take, stop, busy: () => wants.size > 0, asked: () => asked };
}

function leave(wants: Set<Want>, want: Want): Want {
  wants.delete(want);
  want.off();
  return want;
}

/** Throws a LoadError if more has come than there should be, or less at the end. */
function check(position: number, until: number, ended: boolean): void {
  if (position <= until && !(ended && position < until)) return;
  const most = until < Infinity ? until : "unknown length";
  throw new LoadError("length", `the bytes ${ended ? "ended at" : "go on to"} ${position} of ${most}`);
}
