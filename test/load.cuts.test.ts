import { beforeAll, expect, test } from "vitest";
import { type Kernels, load, loadKernels } from "../src/read.ts";
import { random } from "./helpers.ts";
import { boundsOf, expectedOf, mixedFile } from "./load.model.ts";
import { expectBytes, served } from "./load.ts";
import type { TestServer } from "./server.ts";

// A connection that is cut anywhere: the load ends with the same tensors, and nothing that had arrived is fetched again.

const CUTS = 200;
const LONGEST = 120_000;

let bytes: Uint8Array<ArrayBuffer>;
let expected: Map<string, Float32Array>;
let bounds: number[];
let kernels: Kernels;

beforeAll(async () => {
  bytes = await mixedFile();
  expected = await expectedOf(bytes);
  bounds = await boundsOf(bytes);
  kernels = await loadKernels({ encode: false });
});

/** Cuts connections right before these bytes of the file, each once: the next of them that an answer comes to. */
function cutAt(server: TestServer, places: readonly number[]): void {
  const left = new Set(places);
  server.log.length = 0;
  server.rule = ({ range: [start, end] = [0, Infinity] }) => {
    const inside = [...left].filter((at) => at >= start && at < Math.min(end, bytes.length));
    if (inside.length === 0) return undefined;
    const at = Math.min(...inside);
    left.delete(at);
    return { cutAfter: at - start };
  };
}

async function loadAll(server: TestServer): Promise<void> {
  const tensors = await load(server.url, { kernels, request: { backoff: 0.1 } });
  expect([...tensors.keys()]).toEqual([...expected.keys()]);
  for (const [name, { data }] of tensors)
    expectBytes(new Uint8Array(data.buffer), new Uint8Array((expected.get(name) as Float32Array).buffer));
  await server.quiet();
}

/** The places of the file that each request brought; they lie end to end if nothing came twice. */
function brought(server: TestServer): [from: number, until: number][] {
  return server.log.map(({ from, sent }): [number, number] => [from, from + sent]).sort(([a], [b]) => a - b);
}

function demandOnce(server: TestServer): void {
  let end = 0;
  for (const [from, until] of brought(server)) {
    expect(from, "a byte that was fetched twice, or not at all").toBe(end);
    end = until;
  }
  expect(end).toBe(bytes.length);
}

test(
  "at every end of a chunk, and the bytes beside it",
  async () => {
    const server = await served(bytes);
    expect(bounds.length).toBeGreaterThan(6);
    for (const bound of bounds) {
      for (const at of [bound - 1, bound, bound + 1].filter((at) => at < bytes.length)) {
        cutAt(server, [at]);
        await loadAll(server);
        expect(server.log.filter(({ aborted }) => aborted).length, `cut at ${at}`).toBe(1);
        demandOnce(server);
      }
    }
  },
  LONGEST,
);

test(
  `at ${CUTS} random bytes`,
  async () => {
    const server = await served(bytes);
    const next = random(7);
    for (let i = 0; i < CUTS; i++) {
      cutAt(server, [Math.floor(next() * bytes.length)]);
      await loadAll(server);
      expect(server.log.filter(({ aborted }) => aborted).length).toBe(1);
      demandOnce(server);
    }
  },
  LONGEST,
);

test(
  "many times in one load",
  async () => {
    const server = await served(bytes);
    const next = random(8);
    const places = Array.from({ length: 60 }, () => Math.floor(next() * bytes.length)).sort((a, b) => a - b);
    cutAt(server, places);
    await loadAll(server);
    expect(server.log.filter(({ aborted }) => aborted).length).toBeGreaterThan(50);
    demandOnce(server);
  },
  LONGEST,
);
