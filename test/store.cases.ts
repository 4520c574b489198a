import type { ChunkStore } from "../src/container/store.ts";

// What every place has to do, run in Node, in pages and in workers: so it imports nothing. A case is given a store that is empty.

export const A = "a".repeat(64);
export const B = "0123456789abcdef".repeat(4);

/** Bytes that tell which entry they are of, of what length, and whether they are whole. They do not compress: some browsers try. */
export function bytesFor(entry: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = (entry + 2) * 7919 + length;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

export function check(ok: boolean, what: string): void {
  if (!ok) throw new Error(what);
}

export function expectBytes(found: Uint8Array | null, expected: Uint8Array, what: string): void {
  check(found !== null, `${what} is not there`);
  check(found instanceof Uint8Array, `${what} is no Uint8Array`);
  check(found?.length === expected.length, `${what} has ${found?.length} of ${expected.length} bytes`);
  check(expected.every((byte, i) => byte === found?.[i]) === true, `${what} has other bytes`);
}

async function expectEntries(store: ChunkStore, file: string, expected: number[]): Promise<void> {
  const found = [...(await store.entries(file))].sort((a, b) => a - b);
  check(JSON.stringify(found) === JSON.stringify(expected), `entries are ${found}, not ${expected}`);
}

async function expectList(
  store: ChunkStore,
  expected: [file: string, entries: number, bytes: number][],
): Promise<void> {
  const list = (await store.list()).map(({ file, entries, bytes }) => [file, entries, bytes] as const);
  const found = JSON.stringify(list.sort(([a], [b]) => (a < b ? -1 : 1)));
  check(found === JSON.stringify(expected), `the list is ${found}, not ${JSON.stringify(expected)}`);
}

/** Every entry that is named can be had and is whole. Lengths tell which of several versions it is. Gives their number. */
export async function expectWhole(store: ChunkStore, file: string): Promise<number> {
  const entries = await store.entries(file);
  check(new Set(entries).size === entries.length, "an entry is named twice");
  for (const entry of entries) {
    const found = await store.get(file, entry);
    expectBytes(found, bytesFor(entry, found?.length ?? 0), `entry ${entry}`);
    check((found?.length ?? 0) > 0, `entry ${entry} is empty`);
  }
  return entries.length;
}

const BAD: [file: string, entry: number][] = [
  ["..", 0],
  ["", 0],
  [`../${A.slice(3)}`, 0],
  [A.toUpperCase(), 0],
  [`${A}\n`, 0],
  [A, -2],
  [A, 0.5],
  [A, Number.NaN],
  [A, "../../x" as never],
  [[A] as never, 0],
];

export const CASES: Record<string, (store: ChunkStore) => Promise<void>> = {
  "an empty store has nothing": async (store) => {
    await expectEntries(store, A, []);
    await expectList(store, []);
    check((await store.get(A, 0)) === null, "got an entry of an empty store");
    await store.evict(A);
    await store.evict();
  },
  "what is put is there, and nothing else": async (store) => {
    for (const [entry, length] of [
      [-1, 5000],
      [0, 1],
      [7, 300_000],
      [12_345_678, 70_001],
    ])
      await store.put(A, entry, bytesFor(entry, length));
    await store.put(B, 7, bytesFor(7, 10));
    await expectEntries(store, A, [-1, 0, 7, 12_345_678]);
    await expectEntries(store, B, [7]);
    for (const entry of [-1, 0, 7, 12_345_678]) {
      const found = await store.get(A, entry);
      expectBytes(found, bytesFor(entry, found?.length ?? 0), `entry ${entry}`);
    }
    expectBytes(await store.get(B, 7), bytesFor(7, 10), "the entry of the other file");
    check((await store.get(B, -1)) === null && (await store.get(A, 1)) === null, "got an entry that was not put");
    await expectList(store, [
      [B, 1, 10],
      [A, 4, 375_002],
    ]);
  },
  "an entry is replaced by a longer, a shorter and an empty one": async (store) => {
    for (const length of [1000, 90_000, 20, 0, 5]) {
      await store.put(A, 3, bytesFor(3, length));
      expectBytes(await store.get(A, 3), bytesFor(3, length), `the entry of ${length} bytes`);
      await expectEntries(store, A, [3]);
      await expectList(store, [[A, 1, length]]);
    }
  },
  "a view is kept without the rest of its buffer, and nothing is shared with who put or got it": async (store) => {
    const buffer = bytesFor(1, 100_000);
    const given = buffer.subarray(50_000, 50_100);
    const putting = store.put(A, 1, given);
    await putting;
    const expected = given.slice();
    given.fill(0);
    const found = await store.get(A, 1);
    expectBytes(found, expected, "the view");
    check(found?.buffer.byteLength === 100, `its buffer has ${found?.buffer.byteLength} bytes`);
    found?.fill(0);
    expectBytes(await store.get(A, 1), expected, "the view, once more");
  },
  "evict removes one file, or all": async (store) => {
    const fill = async () => {
      for (const file of [A, B]) for (const entry of [-1, 0, 1]) await store.put(file, entry, bytesFor(entry, 100));
    };
    await fill();
    await store.evict(A);
    await expectEntries(store, A, []);
    check((await store.get(A, 0)) === null, "got an entry that was evicted");
    await expectList(store, [[B, 3, 300]]);
    await fill();
    await expectList(store, [
      [B, 3, 300],
      [A, 3, 300],
    ]);
    await store.evict();
    await expectList(store, []);
    await store.put(A, 0, bytesFor(0, 9));
    await expectList(store, [[A, 1, 9]]);
  },
  "many at once, of the same and of other entries": async (store) => {
    const puts = Array.from({ length: 48 }, (_, i) => store.put(i % 2 ? A : B, i % 12, bytesFor(i % 12, 2000 + i)));
    await Promise.all(puts);
    check((await expectWhole(store, A)) + (await expectWhole(store, B)) === 12, "not all entries are there");
    const reads = Array.from({ length: 24 }, (_, i) => store.get(i % 2 ? A : B, i % 12));
    check(
      (await Promise.all(reads)).every((bytes) => bytes !== null),
      "not all entries could be read at once",
    );
  },
  "names that are none are refused before anything is touched": async (store) => {
    const refused = async (run: Promise<unknown>, what: string): Promise<void> => {
      const error = await run.then(
        () => null,
        (reason: unknown) => reason,
      );
      check(error instanceof RangeError, `${what} was not refused with a RangeError: ${error}`);
    };
    for (const [file, entry] of BAD) {
      const what = `${JSON.stringify(file)}, ${entry}`;
      await refused(store.get(file, entry), `get ${what}`);
      await refused(store.put(file, entry, new Uint8Array(1)), `put ${what}`);
      if (file === A) continue;
      await refused(store.entries(file), `entries ${what}`);
      await refused(store.evict(file), `evict ${what}`);
    }
    await expectList(store, []);
  },
};
