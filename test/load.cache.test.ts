import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { memoryStore } from "../src/cache.ts";
import { folderStore, nodeWorkers } from "../src/node.ts";
import { type ChunkStore, open } from "../src/read.ts";
import { allOf, boundsOf, expectedOf, mixedFile } from "./load.model.ts";
import { failureOf, served } from "./load.ts";

// Verified chunks kept between runs, over real HTTP and in real folders.

const LOADER = fileURLToPath(new URL("load.loader.ts", import.meta.url));
const request = { backoff: 1 };
let bytes: Uint8Array<ArrayBuffer>;
let expected: Map<string, Float32Array>;
let bounds: number[];
let root: string;

beforeAll(async () => {
  bytes = await mixedFile();
  expected = await expectedOf(bytes);
  bounds = await boundsOf(bytes);
  root = await mkdtemp(join(tmpdir(), "quern-cache-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

function same(actual: ReadonlyMap<string, Float32Array>): void {
  expect([...actual.keys()]).toEqual([...expected.keys()]);
  for (const [name, data] of actual) {
    const wanted = expected.get(name) as Float32Array;
    expect(Buffer.from(data.buffer).equals(Buffer.from(wanted.buffer)), name).toBe(true);
  }
}

const sizeOf = (range: readonly [number, number] | undefined): number => (range ? range[1] - range[0] : 0);

describe("a cache", () => {
  test("has all chunks after one load, and the next fetches the header alone", async () => {
    const server = await served(bytes);
    const cache = folderStore(join(root, "all"));
    const file = await open(server.url, { cache });
    same(await allOf(file));
    expect(await cache.list()).toEqual([{ file: file.sha256, entries: file.totals.chunks + 1, bytes: bytes.length }]);
    server.log.length = 0;
    same(await allOf(await open(server.url, { cache })));
    expect(server.log.map(({ range }) => range?.[0])).toEqual([0]);
  });

  test("with integrity opens and loads without a request", async () => {
    const server = await served(bytes);
    const cache = folderStore(join(root, "all"));
    const { integrity } = await open(bytes);
    same(await allOf(await open(server.url, { cache, integrity })));
    expect(server.log).toEqual([]);
    // Also where there is no server any more.
    await server.close();
    same(await allOf(await open(server.url, { cache, integrity })));
  });

  test("that was damaged on the disk is mended from the source", async () => {
    const server = await served(bytes);
    const path = join(root, "all");
    const cache = folderStore(path);
    const { integrity, sha256 } = await open(bytes);
    const entries = await readdir(join(path, sha256));
    for (const [i, name] of entries.entries()) {
      const at = join(path, sha256, name);
      const content = await readFile(at);
      if (i % 3 === 0) await truncate(at, content.length >> 1);
      else if (i % 3 === 1) await writeFile(at, content.fill(7, 0, content.length >> 1));
      else await rm(at);
    }
    same(await allOf(await open(server.url, { cache, integrity, request })));
    server.log.length = 0;
    same(await allOf(await open(server.url, { cache, integrity, request })));
    expect(server.log).toEqual([]);
  });

  test("that has no room any more says so once, and loading goes on", async () => {
    let room = 4;
    const store = memoryStore();
    const full = new Error("QuotaExceededError");
    const cache: ChunkStore = {
      ...store,
      put: async (...entry) => (room-- > 0 ? store.put(...entry) : Promise.reject(full)),
    };
    const errors: unknown[] = [];
    const server = await served(bytes);
    same(await allOf(await open(server.url, { cache, onCacheError: (error) => errors.push(error) })));
    expect(errors).toEqual([full]);
    expect((await store.list())[0]?.entries).toBe(4);
  });

  test("that fails at everything costs nothing but its help", async () => {
    const broken = async (): Promise<never> => {
      throw new Error("broken");
    };
    const cache = { entries: broken, get: broken, put: broken, list: broken, evict: broken };
    const { integrity } = await open(bytes);
    const errors: unknown[] = [];
    same(await allOf(await open(bytes, { cache, integrity, onCacheError: (error) => errors.push(error) })));
    expect(errors).toHaveLength(1);
  });

  test("is read ahead within the window, but what is not kept yet is fetched one chunk at a time", async () => {
    const most = { gets: 0, slices: 0 };
    const now = { gets: 0, slices: 0 };
    const counted = async <T>(key: keyof typeof now, give: () => T | Promise<T>): Promise<T> => {
      most[key] = Math.max(most[key], ++now[key]);
      await new Promise((resolve) => setTimeout(resolve, 1));
      now[key]--;
      return give();
    };
    const store = memoryStore();
    const cache: ChunkStore = { ...store, get: (file, entry) => counted("gets", () => store.get(file, entry)) };
    const slice = (start: number, end: number) => counted("slices", () => bytes.subarray(start, end));
    const source = { byteLength: bytes.length, slice };
    same(await allOf(await open(source, { cache })));
    expect(most).toEqual({ gets: 0, slices: 1 });
    const again = await open(source, { cache });
    most.slices = 0;
    same(await allOf(again));
    expect(most.gets).toBeGreaterThan(1);
    expect(most.slices).toBe(0);
  });

  test("nothing is fetched before the chunk before it is kept, with workers too", async () => {
    const workers = await nodeWorkers(2, { file: new URL("./worker/source.mjs", import.meta.url) });
    const store = memoryStore();
    let fetched = 0;
    let most = 0;
    const cache: ChunkStore = {
      ...store,
      async put(file, entry, chunk) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        await store.put(file, entry, chunk);
        if (entry >= 0) fetched -= chunk.length;
      },
    };
    const slice = async (start: number, end: number) => {
      if (start >= (bounds[0] as number)) fetched += end - start;
      most = Math.max(most, fetched);
      return bytes.subarray(start, end);
    };
    const file = await open({ byteLength: bytes.length, slice }, { cache, workers });
    same(await allOf(file));
    await workers.close();
    expect(most).toBe(file.totals.largestStored);
    expect(fetched).toBe(0);
  });

  test("a file whose header is kept is opened from its address with no more than the chunks that it lacks", async () => {
    const server = await served(bytes);
    const store = memoryStore();
    const { integrity, sha256 } = await open(bytes, { cache: store });
    const cache: ChunkStore = { ...store, put: async () => {} };
    same(await allOf(await open(server.url, { cache, integrity })));
    await server.quiet();
    expect(server.log.reduce((sum, { sent }) => sum + sent, 0)).toBe(bytes.length - (bounds[0] as number));
    // One that is damaged does not tell how long the file is.
    await store.put(sha256, -1, bytes.slice(0, 60));
    same(await allOf(await open(server.url, { cache, integrity })));
    // A server that has no ranges, and one that has another file.
    for (const rule of [{ ranges: false }, {}]) {
      await store.put(sha256, -1, bytes.slice(0, bounds[0]));
      server.rule = rule;
      same(await allOf(await open(server.url, { cache, integrity })));
    }
    server.rule = { bytes: bytes.slice(0, -1) };
    expect(await failureOf(open(server.url, { cache, integrity }).then(allOf))).toMatchObject({ name: "LoadError" });
  });

  test("an abort leaves whole entries only, and nothing aside", async () => {
    const server = await served(bytes, {}, { rate: 3e6 });
    const path = join(root, "aborted");
    const cache = folderStore(path);
    const controller = new AbortController();
    const reason = new Error("enough");
    const file = await open(server.url, { cache });
    const loading = (async () => {
      for await (const _ of file.stream({ signal: controller.signal })) controller.abort(reason);
    })();
    expect(await failureOf(loading)).toBe(reason);
    await server.quiet();
    const entries = await readdir(join(path, file.sha256));
    expect(entries.filter((name) => !/^(-1|\d+)$/.test(name))).toEqual([]);
    for (const name of entries.filter((entry) => entry !== "-1")) {
      const [start, end] = bounds.slice(Number(name), Number(name) + 2);
      expect((await readFile(join(path, file.sha256, name))).equals(bytes.subarray(start, end))).toBe(true);
    }
  });

  test("two loads at once of the same file, and evict between them", async () => {
    const server = await served(bytes);
    const cache = folderStore(join(root, "two"));
    const load = async () => same(await allOf(await open(server.url, { cache })));
    await Promise.all([load(), load(), cache.evict(), load()]);
    await cache.evict();
    expect(await cache.list()).toEqual([]);
  });
});

// Starts a process that loads into a cache, and kills it without warning when it has said that so many bytes have arrived.
async function killedAt(url: string, path: string, arrived: number): Promise<number> {
  const child = spawn(process.execPath, ["--import", "tsx", LOADER, url, path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let last = 0;
  await new Promise<void>((resolve) => {
    child.stdout.on("data", (text) => {
      for (const line of `${text}`.split("\n")) last = Math.max(last, Number(line));
      if (last >= arrived) child.kill("SIGKILL");
    });
    child.on("exit", () => resolve());
  });
  return last;
}

describe("after a crash", () => {
  test.each([0.2, 0.5, 0.9])(
    "at %d of the file at most one chunk is fetched again",
    async (share) => {
      const server = await served(bytes, {}, { rate: 2e6 });
      const path = join(root, `killed ${share}`);
      const arrived = await killedAt(server.url, path, share * bytes.length);
      expect(arrived).toBeGreaterThan(share * bytes.length - 1);
      server.rate = Infinity;
      await server.quiet();
      server.log.length = 0;
      same(await allOf(await open(server.url, { cache: folderStore(path), request })));
      // Of what had arrived, what is asked for again: the header, which says which file it is, and the chunk that was under way.
      const { totals } = await open(bytes);
      const again = server.log
        .slice(1)
        .reduce((sum, { range }) => sum + Math.max(0, Math.min(sizeOf(range), arrived - (range?.[0] ?? 0))), 0);
      expect(again).toBeLessThanOrEqual(totals.largestStored);
    },
    60_000,
  );
});
