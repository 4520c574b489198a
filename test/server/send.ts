import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

// Bodies at a given rate.

/** Bytes per write without a rate, and at most with one. */
const PIECE = 16 * 1024;

/** Bytes per second, shared by all who draw from it. What is not drawn for a while is not saved up. */
export function bucket(rate: number) {
  let free = 0;
  return {
    /** Resolves when `count` bytes may be sent. */
    async draw(count: number): Promise<void> {
      if (!(rate > 0 && rate < Infinity)) return;
      const now = performance.now();
      const at = Math.max(free, now);
      free = at + (1000 * count) / rate;
      if (at > now) await sleep(at - now);
    },
    /** Bytes per write: some 100 writes a second. */
    piece: rate > 0 && rate < Infinity ? Math.max(64, Math.min(PIECE, Math.ceil(rate / 100))) : PIECE,
  };
}

export type Bucket = ReturnType<typeof bucket>;

/** Writes of a link a millisecond, within what a frame and a socket's buffer hold. */
const LINK_PIECES = [1460, 128 * 1024] as const;
/** Milliseconds by which a timer may be late and the link still carries what it should. */
const LATE = 4;

/** As bucket, for who measures: small writes at 1 Mbit/s and large ones at 1 Gbit/s, and no rate lost to late timers. */
export function link(rate: number): Bucket {
  if (!(rate > 0 && rate < Infinity)) return { draw: async () => {}, piece: LINK_PIECES[1] };
  let free = 0;
  return {
    async draw(count) {
      const now = performance.now();
      free = Math.max(free, now - LATE) + (1000 * count) / rate;
      // Not before the last byte could be here: it is the receiver's time that is measured.
      if (free > now) await sleep(free - now);
    },
    piece: Math.max(LINK_PIECES[0], Math.min(LINK_PIECES[1], Math.ceil(rate / 1000))),
  };
}

/** Writes bytes as fast as the buckets and the other side allow; `sent` hears of what the socket has taken. */
export async function send(
  response: ServerResponse,
  bytes: Uint8Array,
  buckets: readonly Bucket[],
  sent: (count: number) => void,
): Promise<void> {
  const most = Math.min(...buckets.map(({ piece }) => piece));
  for (let at = 0; at < bytes.length && !response.destroyed; ) {
    const piece = bytes.subarray(at, at + most);
    for (const { draw } of buckets) await draw(piece.length);
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
