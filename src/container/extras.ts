// What a page loads with options of open that most pages do not give.
export { cacheOver, keptSource } from "./cache.ts";
export { demandIntegrity } from "./pinned.ts";
export { progressFor } from "./progress.ts";
