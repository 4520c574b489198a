import type { ChunkStore } from "../../container/store.ts";
import { checkEntry, checkFile, summed } from "./kept.ts";

/** A store that lasts as long as it is referred to: for files that are opened again soon, and for tests. It has no limit of its own. */
export function memoryStore(): ChunkStore {
  const files = new Map<string, Map<number, Uint8Array>>();
  return {
    async entries(file) {
      checkFile(file);
      return [...(files.get(file)?.keys() ?? [])];
    },
    // Copies, both ways: who asks may hand the buffer to a worker, who puts may use it again.
    async get(file, entry) {
      checkEntry(file, entry);
      return files.get(file)?.get(entry)?.slice() ?? null;
    },
    async put(file, entry, bytes) {
      checkEntry(file, entry);
      const kept = files.get(file) ?? new Map<number, Uint8Array>();
      files.set(file, kept.set(entry, bytes.slice()));
    },
    async list() {
      return summed(
        [...files].flatMap(([file, kept]) => [...kept.values()].map(({ length }) => [file, length] as const)),
      );
    },
    async evict(file) {
      if (file === undefined) return files.clear();
      checkFile(file);
      files.delete(file);
    },
  };
}
