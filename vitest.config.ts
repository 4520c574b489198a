import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Its runtimes are installed in a folder of their own: npm run test:accuracy.
    exclude: ["test/accuracy/**", "**/node_modules/**"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Nothing here needs a process of its own, and threads start twice as fast.
    pool: "threads",
    // The default leaves one core idle, which on two is half of them.
    maxWorkers: "100%",
    coverage: {
      provider: "v8",
      include: ["src/**"],
      exclude: ["src/embedded/**"],
      reporter: ["text-summary", "json-summary"],
    },
  },
});
