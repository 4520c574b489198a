import { expect, test } from "vitest";
import type { ByteSource, SliceOptions } from "../src/bytes.ts";
import { memoryStore } from "../src/load/stores/memory.ts";
import { nodeWorkers } from "../src/node.ts";
import { open, type QuernFile } from "../src/read.ts";
import { modelOf, packed, tensorOf } from "./files.ts";
import { weights } from "./helpers.ts";
import { expectedOf, mixedFile } from "./load.model.ts";
import { expectBytes, served, sourceAt } from "./load.ts";

// Memory of chunks on their way, which is used again: never too early, and never what is not the reader's.

const ROWS = 24;

async function manyChunks(): Promise<Uint8Array<ArrayBuffer>> {
  const columns = 256 * 1024;
  const some = weights(columns, 1);
  const all = new Float32Array(ROWS * columns);
  for (let row = 0; row < ROWS; row++) for (let i = 0; i < columns; i++) all[row * columns + i] = some[i] * (row + i);
  return (await packed(modelOf([tensorOf("w", "F32", [ROWS, columns], all)]), "int8 channel > auto")).bytes;
}

/** A source whose results lie in what `room` gave, with the buffers that it saw. */
function filling(bytes: Uint8Array) {
  const buffers = new Set<ArrayBufferLike>();
  const rooms: (SliceOptions["room"] | null)[] = [];
  const slice = async (start: number, end: number, { room }: SliceOptions = {}) => {
    rooms.push(room ?? null);
    const place = room?.(end - start) ?? new Uint8Array(end - start);
    expect(place.length).toBe(end - start);
    if (room) buffers.add(place.buffer);
    // Others may be filled in the meantime.
    await new Promise((resolve) => setImmediate(resolve));
    place.set(bytes.subarray(start, end));
    return place;
  };
  return { byteLength: bytes.length, slice, buffers, rooms };
}

async function demandAll(file: QuernFile, expected: ReadonlyMap<string, Float32Array>): Promise<void> {
  for await (const { name, data } of file.stream()) {
    const wanted = expected.get(name) as Float32Array;
    expectBytes(new Uint8Array(data.buffer), new Uint8Array(wanted.buffer));
  }
}

test("a source fills the same few buffers again and again, with workers too", async () => {
  const bytes = await manyChunks();
  const expected = await expectedOf(bytes);
  const workers = await nodeWorkers(2, { file: new URL("./worker/source.mjs", import.meta.url) });
  for (const options of [{ window: 1 }, { window: 1, workers }, {}, { window: 1e9 }]) {
    const source = filling(bytes);
    const file = await open(source, options);
    await demandAll(file, expected);
    const { chunks } = file.totals;
    expect(source.rooms.filter(Boolean).length).toBe(chunks);
    // Fetched ahead, decoded, and larger ones in place of too small ones; what the window has room for is ahead, too.
    if (options.window === 1) expect(source.buffers.size).toBeLessThanOrEqual(options.workers ? 16 : 6);
  }
  await workers.close();
});

test("a file from a server comes in them, and through cuts", async () => {
  const bytes = await manyChunks();
  const expected = await expectedOf(bytes);
  const server = await served(bytes, ({ index }) => (index % 3 === 2 ? {} : { cutAfter: 50_000 + index }));
  const inner = await sourceAt(server);
  const buffers: ArrayBufferLike[] = [];
  const source: ByteSource = {
    byteLength: inner.byteLength,
    async slice(start, end, options) {
      const result = await inner.slice(start, end, options);
      if (options?.room) buffers.push(result.buffer);
      return result;
    },
  };
  const file = await open(source);
  for (let turn = 0; turn < 2; turn++) await demandAll(file, expected);
  expect(new Set(buffers).size).toBeLessThan(buffers.length / 2);
});

test("memory of the source's own is only read", async () => {
  const bytes = await mixedFile();
  const expected = await expectedOf(bytes);
  const copy = bytes.slice();
  const inner = filling(bytes);
  let turn = 0;
  const mixed: ByteSource = {
    byteLength: bytes.length,
    slice: (start, end, options) =>
      turn++ % 2 ? inner.slice(start, end, options) : Promise.resolve(bytes.subarray(start, end)),
  };
  await demandAll(await open(mixed), expected);
  expectBytes(bytes, copy);
});

test("what goes to a cache is in memory of its own", async () => {
  const bytes = await mixedFile();
  const expected = await expectedOf(bytes);
  const kept: Uint8Array[] = [];
  const store = memoryStore();
  const cache = {
    ...store,
    put: async (file: string, entry: number, chunk: Uint8Array) => {
      if (entry >= 0) kept.push(chunk);
      await store.put(file, entry, chunk);
    },
  };
  const source = filling(bytes);
  await demandAll(await open(source, { cache }), expected);
  expect(new Set(kept.map(({ buffer }) => buffer)).size).toBe(kept.length);
  expect(source.buffers.size).toBe(0);
});
