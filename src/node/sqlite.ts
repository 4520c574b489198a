import { constants } from "node:fs";
import {
  copyFile,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { DataError } from "../errors.ts";

// Files of SQLite, by a build for WebAssembly that reads and writes them where they lie. It locks a file with a folder beside it, which a killed process
// leaves behind for ever, and which other programs do not know. So here a file is never opened under its own name: it is read through a link in a folder
// of its own, and never changed but exchanged whole for a changed copy.

export type Value = number | bigint | string | Uint8Array | null;
export type Found = Readonly<Record<string, Value>>;

/** As far as it is used here. */
export interface Database {
  exec(sql: string): void;
  all(sql: string, values?: readonly Value[]): Found[];
  prepare(sql: string): Statement;
  close(): void;
}
export interface Statement {
  run(values: readonly Value[]): { changes: number };
  iterate(values: readonly Value[]): IterableIterator<Found>;
  finalize(): void;
}

const MAGIC = "SQLite format 3\0";
/** As much of the header as is looked at here: the magic, and what says how transactions are kept. */
const HEADER = 20;
const READ_VERSION = 19;
const WAL = 2;
/** Of changing; a file that was exchanged meanwhile was exchanged by somebody who got on. */
const TRIES = 100;
/** Milliseconds: a lock that is held for so long, instead of for two calls, is of a process that was killed. */
const STALE = 10_000;

async function opened(path: string, readOnly: boolean): Promise<Database> {
  // More than a megabyte, for those who need it.
  const { default: sqlite } = await import("node-sqlite3-wasm");
  const database = new sqlite.Database(path, { readOnly }) as unknown as Database;
  // What a file defines must not run: no functions in views, indices and defaults.
  database.exec("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON");
  return database;
}

/** A file that is read until `close`. @throws DataError for what is no SQLite file, or one that another program is writing to */
export async function openDatabase(path: string): Promise<{ database: Database; close(): Promise<void> }> {
  await checkWhole(path);
  const folder = await mkdtemp(join(tmpdir(), "quern-sqlite-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const link = join(folder, "file");
    // Where links need rights that the user has not.
    await symlink(resolve(path), link).catch(() => copyFile(path, link));
    const database = await opened(link, true);
    // One lock for all that is read, of the link that nobody else knows.
    damageOf(path, () => database.exec("BEGIN"));
    return {
      database,
      async close() {
        database.close();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/**
 * Changes a file, or makes it: `change` gets a copy, which takes the file's place when all is on the disk. If the file was exchanged meanwhile, it is
 * done again with the new one.
 * @throws DataError as openDatabase
 */
export async function changeDatabase<T>(
  given: string,
  replace: boolean,
  change: (database: Database, isNew: boolean) => T,
): Promise<T> {
  // Not a link to the file.
  const path = await realpath(given).catch(() => given);
  for (let i = 0; i < TRIES; i++) {
    const before = replace ? null : await identity(path);
    if (before !== null) await checkWhole(path);
    const folder = await mkdtemp(join(dirname(resolve(path)), `.${basename(path)}.`)).catch((error) => {
      // The name aside is no name that the caller knows.
      throw Object.assign(error, { path: dirname(path) });
    });
    try {
      const copy = join(folder, "file");
      if (before !== null) await copyFile(path, copy, constants.COPYFILE_FICLONE);
      // SQLite makes files that nobody else may read.
      else await writeFile(copy, "");
      const database = await opened(copy, false);
      const result = damageOf(path, () => changed(database, () => change(database, before === null)));
      await flush(copy);
      const exchanged = await alone(path, folder, async () => {
        const same = replace || (await identity(path)) === before;
        if (same) await rename(copy, path);
        return same;
      });
      if (exchanged) return result;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  throw new DataError(`${path}: other programs exchange it all the time`);
}

/**
 * Runs `task` while nobody else does so for this file. The lock is a folder with one file in it, whose name is its holder's alone. A rename puts both there
 * at once, and fails where they are already; who finds a stale one removes that file by its name, and so never the lock that another has taken since.
 * @param folder - the caller's own, beside the file
 */
async function alone<T>(path: string, folder: string, task: () => Promise<T>): Promise<T> {
  const lock = join(dirname(resolve(path)), `.${basename(path)}.lock`);
  const [aside, name] = [join(folder, "lock"), basename(folder)];
  await mkdir(aside);
  for (;;) {
    // Each time anew: its age is that of the lock.
    await writeFile(join(aside, name), "locked");
    const held = await rename(aside, lock).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (!TAKEN.includes(error.code ?? "")) throw error;
        return false;
      },
    );
    if (held) break;
    await removeStale(lock, `.${basename(path)}.`);
    await setTimeout(5);
  }
  try {
    return await task();
  } finally {
    await unlink(join(lock, name)).catch(() => {});
    await rmdir(lock).catch(() => {});
  }
}

/** Why a folder cannot be renamed to a name that another has; Windows says the last two. */
const TAKEN = ["ENOTEMPTY", "EEXIST", "ENOTDIR", "EPERM", "EACCES"];
/** Why a lock cannot be removed any more: it is gone, or another's. */
const EXCHANGED = ["ENOENT", "ENOTEMPTY", "EEXIST"];

/** @param ours - how names in it begin @throws DataError for a lock that would stay for ever */
async function removeStale(lock: string, ours: string): Promise<void> {
  try {
    for (const name of await readdir(lock)) {
      if (!name.startsWith(ours)) throw new Error(`"${name}" in it is of other software`);
      const { mtimeMs } = await lstat(join(lock, name));
      if (Date.now() - mtimeMs <= STALE) return;
      await unlink(join(lock, name));
    }
    await rmdir(lock);
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    if (EXCHANGED.includes(code)) return;
    throw new DataError(
      `${lock}: this lock stays, as it cannot be removed (${message}): remove it yourself when no other quern runs`,
    );
  }
}

function changed<T>(database: Database, change: () => T): T {
  try {
    // Nobody else knows the copy, and half of it is thrown away: there is nothing to go back to.
    database.exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN");
    const result = change();
    database.exec("COMMIT");
    return result;
  } finally {
    database.close();
  }
}

async function flush(path: string): Promise<void> {
  const handle = await open(path, "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What SQLite says of a file that it cannot read is the file's fault. */
export function damageOf<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const { name, message } = error as Error;
    if (name !== "SQLite3Error" && name !== "RuntimeError") throw error;
    throw new DataError(`${path}: expected a whole SQLite file, got "${message}" from SQLite`);
  }
}

async function identity(path: string): Promise<string | null> {
  const found = await stat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  return found ? [found.dev, found.ino, found.size, found.mtimeNs].join(" ") : null;
}

async function checkWhole(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    if (!(await handle.stat()).isFile())
      throw new DataError(`${path}: expected a regular file, got a folder, pipe or device`);
    const { buffer } = await handle.read(Buffer.alloc(HEADER), 0, HEADER, 0);
    if (!buffer.toString("latin1").startsWith(MAGIC))
      throw new DataError(`${path}: expected a SQLite file, got other bytes`);
    if (buffer[READ_VERSION] === WAL)
      throw new DataError(
        `${path}: expected a file without a write-ahead log: PRAGMA journal_mode = DELETE makes it one`,
      );
  } finally {
    await handle.close();
  }
  const rest = await stat(`${path}-journal`).catch(() => null);
  if (rest && rest.size > 0)
    throw new DataError(
      `${path}: another program is changing it, or was killed doing so: open it with that, and close it`,
    );
}
