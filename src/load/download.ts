import { LoadError } from "../errors/base.ts";
import { type Body, connect, type Link } from "./request.ts";
import type { Span } from "./window.ts";

// A range of a file at a URL, in as many requests as it takes.

/** The longest wait before a try, whatever the server asks for. Milliseconds. */
const LONGEST_WAIT = 60_000;

export interface Download {
  /** The next bytes, as a body gives them. @throws LoadError after all tries */
  next(most: number): Promise<Uint8Array | undefined>;
  /** Ends the request, and the wait for the next try. */
  stop(): void;
}

export function download(link: Link, span: Span, fresh: boolean): Download {
  const { read, drop, at } = attempts(link, span, fresh);
  let wake = () => {};
  let stopped = false;
  return {
    async next(most) {
      for (let tries = 1; !stopped; tries++) {
        try {
          return await read(most);
        } catch (error) {
          drop();
          // When every byte is there, an unclean end is no loss.
          if (at() >= span.until) return undefined;
          if (stopped || error instanceof LoadError) throw error;
          if (tries >= link.retries) {
            const { message } = error as Error;
            throw new LoadError("network", `${link.href}: ${message} (byte ${at()}, ${tries} tries)`, error);
          }
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, waitBefore(tries, link.backoff, error));
            wake = () => {
              clearTimeout(timer);
              resolve();
            };
          });
        }
      }
      return undefined;
    },
    stop() {
      stopped = true;
      drop();
      wake();
    },
  };
}

/** Reads on in the request that is open, or from the same byte on in a new one. */
function attempts(link: Link, span: Span, fresh: boolean) {
  // The next byte to give, and the next byte of the body.
  let at = span.start;
  let place = at;
  let body: Body | undefined;
  let attempt: AbortController | undefined;
  function drop(): void {
    attempt?.abort();
    body?.reader.cancel().catch(() => {});
    attempt = body = undefined;
  }
  async function read(most: number): Promise<Uint8Array | undefined> {
    attempt ??= new AbortController();
    if (!body) {
      body = await soon(connect(link, at, span, fresh, attempt.signal), link.stall);
      place = body.at;
    }
    // Of the whole file only a range may be wanted.
    const end = body.ranged || span.until === link.byteLength ? Infinity : span.until;
    for (;;) {
      const value = at === end ? undefined : await soon(body.read(at + most - place), link.stall);
      if (!value) {
        if (at < span.until) throw new Error(`the body ended at byte ${place} of ${span.until}`);
        drop();
        return undefined;
      }
      const from = place;
      place += value.length;
      if (place <= at) continue;
      const piece = value.subarray(at - from, end - from);
      at += piece.length;
      return piece;
    }
  }
  return { read, drop, at: () => at };
}

function waitBefore(tries: number, backoff: number, error: unknown): number {
  const { after } = error as { after?: string | null };
  const asked = after ? Number(after) * 1000 || Date.parse(after) - Date.now() || 0 : 0;
  // Between half of it and all, or else those whom one fault has hit return all at once.
  const wait = backoff * 2 ** (tries - 1) * (0.5 + Math.random() / 2);
  return Math.min(Math.max(asked, wait), LONGEST_WAIT);
}

/** @throws Error if it takes longer */
async function soon<T>(promise: Promise<T>, milliseconds: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no byte in ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
