import type { ChunkStore } from "../../container/store.ts";
import { checkEntry, checkFile, summed } from "./kept.ts";

// The one object store of the database, keyed [file, entry], and its index of sizes: a list need not read what is kept.
const STORE = "entries";
const SIZES = "sizes";

interface Kept {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly size: number;
}

/**
 * A store in IndexedDB, in the database `name`, for pages and workers; also in insecure contexts, where there is nothing else. Its
 * connection is closed where someone deletes the database, and opened again when next needed.
 */
export function indexedDbStore(name = "quern"): ChunkStore {
  const within = transactions(name);
  return {
    async entries(file) {
      checkFile(file);
      const keys = await within("readonly", (store) => store.getAllKeys(keysOf(file)));
      return (keys as [string, number][]).map(([, entry]) => entry);
    },
    async get(file, entry) {
      checkEntry(file, entry);
      const get = (store: IDBObjectStore): IDBRequest<Kept | undefined> => store.get([file, entry]);
      return within("readonly", get).then(
        (kept) => kept?.bytes ?? null,
        () => null,
      );
    },
    async put(file, entry, bytes) {
      checkEntry(file, entry);
      // A copy: of a view, all of its buffer would be kept.
      const kept: Kept = { bytes: bytes.slice(), size: bytes.length };
      await within("readwrite", (store) => store.put(kept, [file, entry]));
    },
    async list() {
      const sizes: [file: string, bytes: number][] = [];
      await within("readonly", (store) => {
        const request = store.index(SIZES).openKeyCursor();
        request.onsuccess = () => {
          const cursor = request.result;
          if (!cursor) return;
          sizes.push([(cursor.primaryKey as [string, number])[0], cursor.key as number]);
          cursor.continue();
        };
        return request;
      });
      return summed(sizes);
    },
    async evict(file) {
      if (file !== undefined) checkFile(file);
      await within("readwrite", (store) => (file === undefined ? store.clear() : store.delete(keysOf(file))));
    },
  };
}

/** All keys that begin with the file: arrays come after all numbers. */
function keysOf(file: string): IDBKeyRange {
  return IDBKeyRange.bound([file], [file, []]);
}

/** Runs one request in a transaction of its own; it counts when that is committed. */
function transactions(name: string) {
  let connection: Promise<IDBDatabase> | undefined;
  const forget = (): void => {
    connection = undefined;
  };
  const started = async (mode: IDBTransactionMode): Promise<IDBTransaction> => {
    connection ??= connected(name, forget);
    try {
      return (await connection).transaction(STORE, mode);
    } catch (error) {
      // Also where it was closed since it was opened: then the next one is a new one.
      forget();
      throw error;
    }
  };
  return async <T>(mode: IDBTransactionMode, use: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> => {
    const transaction = await started(mode).catch(() => started(mode));
    return new Promise((resolve, reject) => {
      const request = use(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error ?? new Error("IndexedDB gave up a transaction"));
    });
  };
}

function connected(name: string, forget: () => void): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE).createIndex(SIZES, "size");
    request.onerror = () => reject(request.error);
    request.onblocked = () =>
      reject(new Error(`the database ${JSON.stringify(name)} is held by a page that does not let go`));
    request.onsuccess = () => {
      const database = request.result;
      database.onclose = forget;
      database.onversionchange = () => {
        database.close();
        forget();
      };
      resolve(database);
    };
  });
}
