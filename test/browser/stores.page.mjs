// What a page or worker does for stores.test.mjs; served beside the package.
import { cacheApiStore, indexedDbStore, opfsStore } from "/cache.js";
import { A, bytesFor, CASES, expectWhole } from "/store.cases.js";

const STORES = {
  opfs: () => opfsStore(),
  cacheApi: () => cacheApiStore(),
  indexedDb: () => indexedDbStore(),
};

/** Every case, each with a store that is empty and another object for the same place. */
export async function cases(place) {
  const found = {};
  for (const [name, run] of Object.entries(CASES)) {
    await STORES[place]().evict();
    found[name] = await run(STORES[place]()).then(
      () => "ok",
      (error) => `${error?.name}: ${error?.message}`,
    );
  }
  await STORES[place]().evict();
  return found;
}

export async function evict(place) {
  await STORES[place]().evict();
}

/** Puts entries 0 to n - 1, at once, in rounds; every round with other lengths. Gives how many it put, and read and found whole. */
export async function rounds(place, { n, length, count, first = 0 }) {
  const store = STORES[place]();
  let [put, whole] = [0, 0];
  for (let round = 0; round < count; round++) {
    const entries = Array.from({ length: n }, (_, entry) => entry);
    const puts = entries.map((entry) => store.put(A, entry, bytesFor(entry, length + first + round)));
    whole += await expectWhole(store, A);
    put += (await Promise.all(puts)).length;
  }
  return { put, whole };
}

let puts;
let stopped = false;

/** Puts without end, whatever becomes of it, until `stop`. */
export async function endless(place, { n, length, first = 0 }) {
  const store = STORES[place]();
  const putAll = (round) =>
    Promise.allSettled(
      Array.from({ length: n }, (_, entry) => store.put(A, entry, bytesFor(entry, length + first + round))),
    );
  await putAll(0);
  puts = (async () => {
    for (let round = 1; !stopped; round++) await putAll(round);
  })();
}

export async function stop() {
  stopped = true;
  await puts;
}

export function whole(place) {
  return expectWhole(STORES[place](), A);
}

/** Puts entries until one is refused: how it was, and what is there then. */
export async function fill(place, { first, length, most }) {
  const store = STORES[place]();
  for (let entry = first; entry < first + most; entry++) {
    const error = await store.put(A, entry, bytesFor(entry, length)).then(
      () => null,
      (reason) => reason,
    );
    if (error === null) continue;
    return { error: error.name, entry, got: (await store.get(A, entry)) === null, whole: await expectWhole(store, A) };
  }
  return { error: null, whole: await expectWhole(store, A) };
}

export async function put(place, { entry, length }) {
  await STORES[place]().put(A, entry, bytesFor(entry, length));
}

/** How overwrites end, of that length and somewhat more, and the entry's length after them, or null if it is not there. */
export async function overwrites(place, { entry, length, times }) {
  const store = STORES[place]();
  const errors = new Set();
  for (let i = 0; i < times; i++)
    errors.add(await store.put(A, entry, bytesFor(entry, length + i * 1000)).catch(({ name }) => name));
  return [...errors, (await store.get(A, entry))?.length ?? null];
}

let held;

/** Puts an entry with a store that `again` uses once more, after something was done to its place. */
export async function hold(place) {
  held = STORES[place]();
  await held.put(A, 0, bytesFor(0, 1000));
}

export async function again() {
  const before = (await held.get(A, 0)) === null;
  await held.put(A, 0, bytesFor(0, 1000));
  return [before, await expectWhole(held, A)];
}

/** Deletes what the origin has by the browser's own means. */
export async function deleteAll() {
  await new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase("quern");
    request.onsuccess = resolve;
    request.onerror = request.onblocked = reject;
  });
  await caches.delete("quern");
  await (await navigator.storage.getDirectory()).removeEntry("quern", { recursive: true }).catch(() => {});
}

/** Makes a database of the name that is someone else's, of a version, and keeps it open. */
export async function occupy(version) {
  await new Promise((resolve) => {
    indexedDB.open("quern", version).onsuccess = resolve;
  });
}

/** What a store does where there is no place for it. */
export async function refusals(place) {
  const store = STORES[place]();
  const names = [];
  for (const run of [store.put(A, 0, bytesFor(0, 9)), store.entries(A), store.list(), store.evict()])
    names.push(
      await run.then(
        () => "done",
        ({ name }) => name,
      ),
    );
  return [isSecureContext, await store.get(A, 0), ...names];
}
