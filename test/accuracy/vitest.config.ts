import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    root: new URL("../..", import.meta.url).pathname,
    include: ["test/accuracy/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Runtimes with native parts want a process of their own.
    pool: "forks",
    maxWorkers: "100%",
  },
});
