import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test, vi } from "vitest";
import { urlSource } from "../src/load/url.ts";
import { random } from "./helpers.ts";
import { failureOf, fileOf, PREFIX, readAll, served, sourceAt } from "./load.ts";
import type { Faults } from "./server.ts";

const FILE = fileOf(2_000_000);
const CUTS = Array.from({ length: 30 }, (_, i) => 50_000 + 1000 * i);
const KINDS: Faults[] = [
  {},
  { ranges: false },
  { cutAfter: 30_000 },
  { status: 503, retryAfter: "30" },
  { silent: true },
];

/** Runs something, and demands that nobody left a rejection behind. */
async function withoutLeaks(run: () => Promise<void>): Promise<void> {
  const leaks: unknown[] = [];
  const note = (error: unknown) => leaks.push(error);
  process.on("unhandledRejection", note);
  try {
    await run();
    await sleep(20);
  } finally {
    process.off("unhandledRejection", note);
  }
  expect(leaks).toEqual([]);
}

describe("abort", () => {
  test("of the opening, at any time, rejects with the reason and leaves nothing open", () =>
    withoutLeaks(async () => {
      for (const faults of KINDS) {
        const server = await served(FILE, { rate: 3_000_000, latency: 3, ...faults });
        for (const delay of [-1, 0, 1, 3, 5, 8]) {
          const control = new AbortController();
          const reason = new Error("enough");
          const opening = urlSource(server.url, { signal: control.signal, backoff: 3, retries: 99 });
          if (delay >= 0) await sleep(delay);
          control.abort(reason);
          const error = await opening.then(
            (source) => failureOf(source.slice(0, 10)),
            (error) => error,
          );
          expect(error).toBe(reason);
        }
        await server.quiet();
        while (server.sockets() > 0) await sleep(2);
      }
    }));

  test.each(KINDS)("of slices, at many times, leaves nothing open: %j", { timeout: 60_000 }, (faults) =>
    withoutLeaks(async () => {
      const next = random(3);
      // Not by the index: a request that was aborted may still arrive.
      const server = await served(FILE, ({ range }) =>
        range?.[0] === 0 ? ("ranges" in faults ? faults : {}) : { rate: 20_000_000, ...faults },
      );
      for (let round = 0; round < 25; round++) {
        server.log.length = 0;
        const source = await sourceAt(server, { requests: 2, backoff: 2, retries: 99 });
        const control = new AbortController();
        const reason = new Error("enough");
        const { signal } = control;
        // More than are open at once, in several runs, some in the prefix.
        const starts = Array.from({ length: 14 }, () => Math.floor(next() * (FILE.length - 70_000)));
        const slices = starts.map((at) => source.slice(at, at + 60_000, { signal, until: at + 65_000 }));
        const results = Promise.all(slices.map((slice) => slice.catch((error) => error)));
        await sleep(next() * 12);
        control.abort(reason);
        for (const result of await results) if (!(result instanceof Uint8Array)) expect(result).toBe(reason);
        await expect(source.slice(0, 10, { signal })).rejects.toBe(reason);
        // What is left is the first request, which serves all.
        await server.quiet();
        while (server.sockets() > 0) await sleep(2);
        source.close();
      }
    }),
  );

  test("of one reader leaves the others alone", async () => {
    for (const faults of [{}, { ranges: false }]) {
      const server = await served(FILE, { rate: 40_000_000, ...faults });
      const source = await sourceAt(server);
      const control = new AbortController();
      const until = FILE.length;
      const dropped = [100_000, 300_000].map((at) => source.slice(at, at + 200_000, { signal: control.signal, until }));
      const kept = readAll(source, FILE, [10_000, 50_000, 400_000, 1_000_000, until], until);
      await sleep(5);
      control.abort(new Error("enough"));
      for (const slice of dropped) expect((await failureOf(slice)).message).toBe("enough");
      await kept;
      await server.quiet();
    }
  });

  test("of a run that is idle ends its request", async () => {
    const file = fileOf(30_000_000);
    const server = await served(file);
    const source = await sourceAt(server);
    const control = new AbortController();
    await source.slice(PREFIX, PREFIX + 10, { signal: control.signal, until: file.length });
    expect(server.open()).toBe(1);
    control.abort();
    await server.quiet();
    expect(server.log[1].aborted).toBe(true);
  });

  test("closing ends all, and a closed source says so", () =>
    withoutLeaks(async () => {
      const server = await served(FILE, ({ index }) => (index === 0 ? {} : { stallAfter: 10 }));
      const source = await sourceAt(server);
      const slices = Array.from({ length: 9 }, (_, i) => source.slice(100_000 * (i + 1), 100_000 * (i + 1) + 99));
      await sleep(20);
      source.close();
      for (const slice of slices) expect(await failureOf(slice)).toMatchObject({ name: "LoadError", code: "closed" });
      expect(await failureOf(source.slice(0, 9))).toMatchObject({ code: "closed" });
      await server.quiet();
      while (server.sockets() > 0) await sleep(2);
    }));

  test("listens once to a signal, however many reads have it", async () => {
    const server = await served(FILE);
    const { signal } = new AbortController();
    const source = await sourceAt(server, { signal });
    const listening = vi.spyOn(signal, "addEventListener");
    const read = (until?: number) => Promise.all(CUTS.map((at) => source.slice(at, at + 1000, { signal, until })));
    await read(80_000);
    await read();
    expect(listening).not.toHaveBeenCalled();
  });
});
