import { cacheApiStore, indexedDbStore, opfsStore } from "../../../src/cache.ts";
import type { ChunkStore } from "../../../src/read.ts";
import { byId, setText } from "./dom.ts";
import { bytesText } from "./numbers.ts";

// Verified chunks that this browser keeps for the next time.

const PLACES = { indexedDb: indexedDbStore(), opfs: opfsStore(), cacheApi: cacheApiStore() };

/** The store that is chosen. */
export function storeNow(): ChunkStore {
  return PLACES[byId<HTMLSelectElement>("place").value as keyof typeof PLACES];
}

/** Shows what is kept in the store that is chosen. Not every browser lets every page use each. */
export async function tellKept(): Promise<void> {
  const text = await keptIn(storeNow()).catch((error) => `Nothing can be kept there: ${error}`);
  setText(byId("kept"), text);
}

export function readyStores(): Promise<void> {
  byId("place").addEventListener("change", tellKept);
  byId("evict").addEventListener("click", () => void storeNow().evict().then(tellKept, tellKept));
  return tellKept();
}

async function keptIn(store: ChunkStore): Promise<string> {
  const files = await store.list();
  const entries = files.reduce((sum, file) => sum + file.entries, 0);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  if (files.length === 0) return "Nothing is kept.";
  return `${bytesText(bytes)} in ${entries} entries of ${files.length === 1 ? "one file" : `${files.length} files`}.`;
}
