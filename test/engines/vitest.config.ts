import { defineConfig } from "vitest/config";

// One after the other: some of these engines are as large as browsers.
export default defineConfig({
  test: {
    root: new URL("../..", import.meta.url).pathname,
    include: ["test/engines/*.engine.ts"],
    testTimeout: 90_000,
    hookTimeout: 90_000,
    fileParallelism: false,
  },
});
