import type { ServerResponse } from "node:http";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";

// Bodies at a given rate.

/** Bytes per write of a bucket, at most. */
const PIECE = 16 * 1024;

/** Bytes per second, shared by all who draw from it. */
export interface Bucket {
  /** Resolves when bytes may be sent, with how many of `most`: at least 1. `begins`: they are the first of an answer. */
  draw(most: number, begins?: boolean): Promise<number>;
}

/** What is not drawn for a while is not saved up. */
export function bucket(rate: number): Bucket {
  if (!(rate > 0 && rate < Infinity)) return { draw: async (most) => Math.min(most, PIECE) };
  let free = 0;
  // Some 100 writes a second.
  const piece = Math.max(64, Math.min(PIECE, Math.ceil(rate / 100)));
  return {
    async draw(most) {
      const count = Math.min(most, piece);
      const now = performance.now();
      const at = Math.max(free, now);
      free = at + (1000 * count) / rate;
      if (at > now) await sleep(at - now);
      return count;
    },
  };
}

/** Bytes per write of a link, which a socket's buffer holds. */
const LINK_PIECE = 128 * 1024;
/** Milliseconds by which a timer may be late and the link still carries what it should. A link that had nothing to carry makes up for nothing. */
const LATE = 4;
/** Milliseconds by which bytes of a link are early or late: half of what is between the ticks of timers. */
const HALF_TICK = 0.5;

/** As bucket, for who measures: at every tick of the timers what is due then, and no rate lost to late ones. */
export const link = (rate: number): Bucket => lineOf(rate, 1000 / rate, HALF_TICK, () => sleep(1));

/** Milliseconds between the writes of a wire. */
const GAP = 0.1;

/** As link, with bytes that are early or late by a twentieth of a millisecond, for who measures times of few. It takes a processor of its own. */
export const wire = (rate: number): Bucket => lineOf(rate, GAP, GAP / 2, () => setImmediate());

/** @param least - milliseconds of what is sent at once, unless less is left @param early - by how much the first bytes come before they are due */
function lineOf(rate: number, least: number, early: number, wait: () => Promise<unknown>): Bucket {
  if (!(rate > 0 && rate < Infinity)) return { draw: async (most) => Math.min(most, LINK_PIECE) };
  let free = 0;
  return {
    async draw(most, begins = false) {
      free = Math.max(free, performance.now() - (begins ? 0 : LATE));
      for (;;) {
        const due = Math.floor(((performance.now() + early - free) * rate) / 1000);
        const count = Math.min(most, due, LINK_PIECE);
        if (count >= Math.min(most, (least * rate) / 1000)) {
          free += (1000 * count) / rate;
          return count;
        }
        await wait();
      }
    },
  };
}

/** Writes bytes as fast as the buckets and the other side allow; `sent` hears of what the socket has taken. */
export async function send(
  response: ServerResponse,
  bytes: Uint8Array,
  buckets: readonly Bucket[],
  sent: (count: number) => void,
): Promise<void> {
  for (let at = 0; at < bytes.length && !response.destroyed; ) {
    let count = bytes.length - at;
    for (const { draw } of buckets) count = await draw(count, at === 0);
    const piece = bytes.subarray(at, at + count);
    if (response.destroyed) return;
    // Called back when the kernel has it, or with an error when the connection is gone.
    await new Promise<void>((resolve) => {
      response.once("close", resolve);
      response.write(piece, (error) => {
        response.off("close", resolve);
        if (!error) sent(piece.length);
        resolve();
      });
    });
    at += piece.length;
  }
}
