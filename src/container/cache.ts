import { type ClosableSource, hex } from "../bytes.ts";
import { demand } from "../errors/base.ts";
import type { Cache } from "./chunks.ts";
import { fileLength, LENGTH_BYTES } from "./length.ts";
import { hashOf } from "./pinned.ts";
import { type ChunkStore, HEADER_ENTRY } from "./store.ts";

// Chunks of one file in a store. A store that fails, for want of room or otherwise, costs nothing but its help.

/** The entries of a file in a store. @param failed - hears once why nothing is kept any more */
export async function cacheOver(
  store: ChunkStore,
  sha256: Uint8Array,
  failed: (error: unknown) => void = (error) => console.warn("quern: nothing more is cached:", error),
): Promise<Cache> {
  const file = hex(sha256);
  let working = true;
  const stop = (error: unknown): void => {
    if (working) failed(error);
    working = false;
  };
  const known = new Set<number>();
  try {
    for (const entry of await store.entries(file)) known.add(entry);
  } catch (error) {
    stop(error);
  }
  return {
    has: (number) => known.has(number),
    get: (number) =>
      store.get(file, number).catch((error) => {
        stop(error);
        return null;
      }),
    async put(number, bytes) {
      if (!working) return;
      try {
        await store.put(file, number, bytes);
        known.add(number);
      } catch (error) {
        stop(error);
      }
    },
  };
}

/**
 * A source that has the header of the file which the caller named from a store, and is made by `connect`, which is told its length, when something else is read; null:
 * the store has no such header.
 */
export async function keptSource(
  store: ChunkStore,
  integrity: string,
  connect: (byteLength: number) => Promise<ClosableSource>,
): Promise<ClosableSource | null> {
  const head = await store.get(hex(hashOf(integrity)), HEADER_ENTRY).catch(() => null);
  if (!head || head.length < LENGTH_BYTES) return null;
  const byteLength = fileLength(head);
  let made: Promise<ClosableSource> | undefined;
  let closed = false;
  return {
    byteLength,
    async slice(start, end, options) {
      demand(!closed, "closed", start, "file", "open", "closed");
      if (end <= head.length) return head.subarray(start, end);
      demand(start >= head.length, "truncated", head.length, "header", `${end} bytes`, head.length);
      made ??= connect(byteLength).catch((error) => {
        made = undefined;
        throw error;
      });
      const source = await made;
      demand(
        source.byteLength === byteLength,
        "file-length",
        40,
        "file length",
        byteLength,
        `${source.byteLength} bytes`,
      );
      return source.slice(start, end, options);
    },
    close() {
      closed = true;
      made?.then((source) => source.close?.()).catch(() => {});
    },
  };
}
