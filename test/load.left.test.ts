import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { load, loadKernels, open } from "../src/read.ts";
import { random } from "./helpers.ts";
import { expectedOf, mixedFile } from "./load.model.ts";
import { expectBytes } from "./load.ts";
import { serve, type TestServer } from "./server.ts";

// Loads that are aborted at any time: their reason is what they reject with, and nothing of them is left.

const LOADS = 1000;
const AT_ONCE = 10;
/** Milliseconds, about what a load takes. */
const LONGEST = 12;
/** Milliseconds, more than those after which Node's fetch gives up the connection that it opens anew, unasked, when a request is aborted. */
const IDLE = 8000;
const unhandled: unknown[] = [];
const hear = (error: unknown) => unhandled.push(error);

let bytes: Uint8Array<ArrayBuffer>;
let server: TestServer;
let before: Map<string, number>;

beforeAll(async () => {
  process.on("unhandledRejection", hear);
  bytes = await mixedFile();
  server = await serve(bytes);
  await load(server.url);
  await server.quiet();
  before = resources();
});

afterAll(async () => {
  process.off("unhandledRejection", hear);
  await server.close();
});

/** What this process waits for, but for what the test runner has: how many of each kind. */
function resources(): Map<string, number> {
  const found = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) found.set(kind, (found.get(kind) ?? 0) + 1);
  return found;
}

/** The kinds of which there are more than before. */
function leftOver(): string[] {
  return [...resources()].filter(([kind, count]) => count > (before.get(kind) ?? 0)).map(([kind]) => kind);
}

test(`${LOADS} loads, aborted at random times, reject with the reason`, async () => {
  const next = random(11);
  const ended = { aborted: 0, finished: 0 };
  const loaded = await loadKernels({ encode: false });
  const one = async (_: unknown, i: number): Promise<void> => {
    const controller = new AbortController();
    const { signal } = controller;
    const reason = new Error("enough");
    const timer = setTimeout(() => controller.abort(reason), LONGEST * next());
    try {
      // One at a time may use kernels, as far as their memory goes; the others load their own.
      const file = await open(server.url, { signal, kernels: i === 0 ? loaded : undefined });
      try {
        for await (const _ of file.stream({ signal })) if (signal.aborted) break;
      } finally {
        file.close();
      }
      ended.finished++;
    } catch (error) {
      expect(error).toBe(reason);
      ended.aborted++;
    } finally {
      clearTimeout(timer);
    }
  };
  for (let i = 0; i < LOADS; i += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, one));
  expect(ended.aborted).toBeGreaterThan(LOADS / 2);
  expect(unhandled).toEqual([]);
  // And loading still works.
  const expected = await expectedOf(bytes);
  for (const [name, { data }] of await load(server.url))
    expectBytes(new Uint8Array(data.buffer), new Uint8Array((expected.get(name) as Float32Array).buffer));
});

test("loads whose reader leaves, and loads that are aborted while they wait for a retry", async () => {
  for (let i = 0; i < 20; i++) {
    server.rule = {};
    const file = await open(server.url, { request: { backoff: 1000 } });
    if (i % 2) {
      for await (const _ of file.stream()) break;
    } else {
      server.rule = { cutAfter: 0 };
      await expect(file.tensor("c", { signal: AbortSignal.timeout(20) })).rejects.toThrow("timeout");
    }
    file.close();
  }
  server.rule = {};
});

test("of all these no answer, connection, timer or handle is left, and no rejection unheard", async () => {
  await server.quiet();
  for (let waited = 0; waited < IDLE && (server.sockets() > 0 || leftOver().length > 0); waited += 20) await sleep(20);
  expect(server.sockets()).toBe(0);
  expect(leftOver()).toEqual([]);
  expect(unhandled).toEqual([]);
});
