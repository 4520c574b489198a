import { randomUUID } from "node:crypto";
import { constants, lstat, mkdir, open, readdir, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ChunkStore } from "../container/store.ts";
import { checkEntry, checkFile, entryOf, isFile, summed } from "../load/stores/kept.ts";
import { readRange } from "./range.ts";
import { isRunning } from "./running.ts";

// What a writer that is still at it has begun is younger. One that is slower, or of another machine, finds its file gone and writes again.
const LEFT_MS = 5 * 60_000;
// Nothing that lies in the place of an entry may lead elsewhere, or make who opens it wait. Windows knows neither: there they are undefined.
const PLAIN = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * A store in a folder, which the first `put` makes: `<path>/<SHA-256>/<entry>`. Many processes may use it at once. Links below `path` are
 * not followed, and nothing is removed that was not written by a store. Leftovers of writers that died go with `list` and `evict`.
 */
export function folderStore(path: string): ChunkStore {
  return {
    async entries(file) {
      checkFile(file);
      return (await namesIn(join(path, file))).flatMap((name) => entryOf(name) ?? []);
    },
    async get(file, entry) {
      checkEntry(file, entry);
      return contentOf(join(path, file, `${entry}`)).catch(() => null);
    },
    async put(file, entry, bytes) {
      checkEntry(file, entry);
      // Where another process evicts at the same time, the folder may go once or twice between two steps.
      const again = (error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error;
        return commit(join(path, file), `${entry}`, bytes);
      };
      await commit(join(path, file), `${entry}`, bytes).catch(again).catch(again);
    },
    async list() {
      const found: [file: string, bytes: number][] = [];
      for (const file of (await readdir(path).catch(absent)).filter(isFile)) {
        for (const name of await namesIn(join(path, file))) {
          const at = join(path, file, name);
          const size = entryOf(name) === undefined ? undefined : await lstat(at).then(({ size }) => size, absent);
          if (typeof size === "number") found.push([file, size]);
          // Who may only read the folder can still list it.
          else if (await isLeft(at)) await rm(at, { force: true }).catch(() => {});
        }
      }
      return summed(found);
    },
    async evict(file) {
      if (file !== undefined) checkFile(file);
      const files = file === undefined ? (await readdir(path).catch(absent)).filter(isFile) : [file];
      for (const name of files) await empty(join(path, name));
    },
  };
}

function absent(error: NodeJS.ErrnoException): never[] {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
  throw error;
}

/** The regular files in a folder that is one. */
async function namesIn(folder: string): Promise<string[]> {
  if (!(await isFolder(folder))) return [];
  const found = await readdir(folder, { withFileTypes: true }).catch(absent);
  return found.filter((entry) => entry.isFile()).map(({ name }) => name);
}

async function isFolder(path: string): Promise<boolean> {
  const found = await lstat(path).catch(absent);
  return "isDirectory" in found && found.isDirectory();
}

async function contentOf(path: string): Promise<Uint8Array | null> {
  if (!(await isFolder(dirname(path)))) return null;
  const handle = await open(path, PLAIN);
  try {
    const found = await handle.stat();
    return found.isFile() ? await readRange(handle, 0, found.size) : null;
  } finally {
    await handle.close();
  }
}

async function commit(folder: string, name: string, bytes: Uint8Array): Promise<void> {
  await mkdir(folder, { recursive: true });
  if (!(await lstat(folder)).isDirectory()) throw new Error(`${folder} is a link, which a store does not follow`);
  // Threads of a process share its number.
  const aside = join(folder, `.${name}.${process.pid}.${randomUUID()}.part`);
  try {
    const handle = await open(aside, "wx");
    try {
      await writeFile(handle, bytes);
      // Else a loss of power can leave a name without its content.
      await handle.datasync();
    } finally {
      await handle.close();
    }
    await rename(aside, join(folder, name));
  } catch (error) {
    await rm(aside, { force: true }).catch(() => {});
    throw error;
  }
}

async function empty(folder: string): Promise<void> {
  for (const name of await namesIn(folder)) {
    const at = join(folder, name);
    if (entryOf(name) !== undefined || (await isLeft(at))) await rm(at, { force: true });
  }
  // It stays where someone is writing, or something else lies there.
  await rmdir(folder).catch(() => {});
}

/** Whether it was written aside by a process that is gone, or long ago. */
async function isLeft(path: string): Promise<boolean> {
  const [, writer] = /[\\/]\.(?:-1|\d+)\.(\d+)\.[\da-f-]{36}\.part$/.exec(path) ?? [];
  if (writer === undefined) return false;
  const found = await lstat(path).catch(absent);
  if (!("mtimeMs" in found) || Date.now() - found.mtimeMs > LEFT_MS) return true;
  return !isRunning(Number(writer));
}
