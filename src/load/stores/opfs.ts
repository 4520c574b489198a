import type { ChunkStore } from "../../container/store.ts";
import { checkEntry, checkFile, entryOf, isFile, summed } from "./kept.ts";

/** Options of opfsStore. */
export interface OpfsOptions {
  /** The folder of the store in the origin's own file system, "quern" if not given. */
  folder?: string | undefined;
}

// A file has to be there, empty, before anything can be written to it. So that of an entry has a byte more, and an empty one is none.

/**
 * A store in the origin private file system: a file for every entry, in a folder for every model. For pages and workers in secure contexts.
 * `put` needs createWritable (Chromium 86, Firefox 111, Safari 26) and rejects elsewhere.
 */
export function opfsStore({ folder = "quern" }: OpfsOptions = {}): ChunkStore {
  const top = async (): Promise<FileSystemDirectoryHandle> =>
    (await navigator.storage.getDirectory()).getDirectoryHandle(folder, { create: true });
  const sizesOf = async (file: string): Promise<[entry: number, bytes: number][]> => {
    const place = await (await top()).getDirectoryHandle(file).catch(absent);
    return place ? sizesIn(place) : [];
  };
  return {
    async entries(file) {
      checkFile(file);
      return (await sizesOf(file)).map(([entry]) => entry);
    },
    async get(file, entry) {
      checkEntry(file, entry);
      try {
        const place = await (await top()).getDirectoryHandle(file);
        return await locked("shared", place, `${entry}`, () => contentOf(place, `${entry}`));
      } catch {
        return null;
      }
    },
    async put(file, entry, bytes) {
      checkEntry(file, entry);
      const place = await (await top()).getDirectoryHandle(file, { create: true });
      await locked("exclusive", place, `${entry}`, async () =>
        write(await place.getFileHandle(`${entry}`, { create: true }), bytes),
      );
    },
    async list() {
      const found: [file: string, bytes: number][] = [];
      for (const file of await namesIn(await top(), "directory"))
        for (const [, bytes] of isFile(file) ? await sizesOf(file) : []) found.push([file, bytes]);
      return summed(found);
    },
    async evict(file) {
      if (file !== undefined) checkFile(file);
      const files = file === undefined ? (await namesIn(await top(), "directory")).filter(isFile) : [file];
      for (const name of files) await remove(await top(), name);
    },
  };
}

// Browsers do not exchange a file for another at once: for a moment there is none, or one that cannot be read.
function locked<T>(mode: LockMode, { name }: FileSystemHandle, entry: string, run: () => Promise<T>): Promise<T> {
  return navigator.locks.request(`quern store ${name} ${entry}`, { mode }, run);
}

async function write(handle: FileSystemFileHandle, bytes: Uint8Array): Promise<void> {
  const aside = await handle.createWritable();
  try {
    // Room is asked for first: Chromium does not always say why bytes that find none cannot be written.
    await aside.truncate(bytes.length + 1);
    // A copy: what is written may be no shared memory.
    await aside.write(bytes.slice());
    await aside.close();
  } catch (error) {
    await aside.abort().catch(() => {});
    throw error;
  }
}

function absent(error: DOMException): null {
  if (error.name === "NotFoundError") return null;
  throw error;
}

async function namesIn(place: FileSystemDirectoryHandle, kind: FileSystemHandleKind): Promise<string[]> {
  const found: string[] = [];
  for await (const [name, handle] of place.entries()) if (handle.kind === kind) found.push(name);
  return found;
}

async function sizesIn(place: FileSystemDirectoryHandle): Promise<[entry: number, bytes: number][]> {
  const names = (await namesIn(place, "file")).filter((name) => entryOf(name) !== undefined);
  const files = names.map((name) =>
    place
      .getFileHandle(name)
      .then((handle) => handle.getFile())
      .catch(absent),
  );
  const sizes = (await Promise.all(files)).map(
    (file, i) => [Number(names[i]), (file?.size ?? 0) - 1] as [number, number],
  );
  return sizes.filter(([, bytes]) => bytes >= 0);
}

async function contentOf(place: FileSystemDirectoryHandle, name: string): Promise<Uint8Array | null> {
  const file = await (await place.getFileHandle(name)).getFile();
  return file.size === 0 ? null : new Uint8Array(await file.slice(0, -1).arrayBuffer());
}

async function remove(place: FileSystemDirectoryHandle, file: string): Promise<void> {
  const busy = await place.removeEntry(file, { recursive: true }).then(() => false, absentOrBusy);
  if (!busy) return;
  // Some tab is writing to it right now: each is waited for. What is put later stays.
  const folder = await place.getDirectoryHandle(file);
  for (const name of await namesIn(folder, "file"))
    await locked("exclusive", folder, name, () => folder.removeEntry(name)).catch(absentOrBusy);
}

// The second where a file was made in a folder while that was emptied.
const BUSY = ["NoModificationAllowedError", "InvalidModificationError"];

function absentOrBusy(error: DOMException): boolean {
  return BUSY.includes(error.name) || absent(error) !== null;
}
