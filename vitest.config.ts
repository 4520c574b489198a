import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Nothing here needs a process of its own, and threads start twice as fast.
    pool: "threads",
    coverage: {
      provider: "v8",
      include: ["src/**"],
      exclude: ["src/embedded/**"],
      reporter: ["text-summary", "json-summary"],
    },
  },
});
