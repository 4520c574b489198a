import { hex } from "../bytes.ts";
import type { Cache } from "./chunks.ts";
import type { ChunkStore } from "./store.ts";

// Chunks of one file in a store. A store that fails, for want of room or otherwise, costs nothing but its help.

/** The entries of a file in a store. @param failed - hears once why nothing is kept any more */
export async function cacheOver(
  store: ChunkStore,
  sha256: Uint8Array,
  failed: (error: unknown) => void,
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
