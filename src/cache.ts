// Entry `quern/cache`: places that keep verified chunks between runs, for pages and workers. The one for Node is in `quern/node`.
export type { ChunkStore, StoredFile } from "./container/store.ts";
export { cacheApiStore } from "./load/stores/cacheApi.ts";
export { indexedDbStore } from "./load/stores/indexedDb.ts";
export { memoryStore } from "./load/stores/memory.ts";
export { type OpfsOptions, opfsStore } from "./load/stores/opfs.ts";
