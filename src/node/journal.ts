import { existsSync } from "node:fs";
import { appendFile, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { DataError } from "../errors.ts";
import type { Environment } from "../latency/environment.ts";
import { environmentLine, FIRST_LINE, parseLines, rowLine } from "../latency/lines.ts";
import type { Row } from "../latency/row.ts";
import { addEnvironment, addRow, type LatencyTable, mergeTables, newTable } from "../latency/table.ts";
import { addToLatencyFile, openLatencyFile } from "./latency.ts";
import { isRunning } from "./running.ts";

// Rows that go to a file of lines as they are found, and into a SQLite file in the end: that one is written as a whole each time.

export interface Journal {
  /** Of the environment, whatever is in the SQLite file, or still on its way there. */
  readonly known: LatencyTable;
  add(row: Row): Promise<void>;
  /** Brings its rows into the SQLite file, and those that killed processes have left. */
  finish(): Promise<void>;
}

/**
 * A journal of this process alone, beside the SQLite file: `<db>.journal.<process>-<time>.jsonl`. What others have written to theirs is known, and stays until
 * their rows are in the SQLite file.
 * @throws DataError as openLatencyFile, and for a journal that is none
 */
export async function openJournal(db: string, environment: Environment): Promise<Journal> {
  const found = newTable();
  addEnvironment(found, environment);
  const others = await journalsOf(db);
  for (const { path } of others) await readInto(found, path);
  const known = existsSync(db) ? mergeTables(await tableIn(db, environment), found) : found;
  addEnvironment(known, environment);
  const own = `${db}.journal.${process.pid}-${Date.now()}.jsonl`;
  await writeFile(own, FIRST_LINE + environmentLine(environment), { flag: "wx" });
  return {
    known,
    async add(row) {
      addRow(found, row);
      if (known !== found) addRow(known, row);
      await appendFile(own, rowLine(row));
    },
    async finish() {
      await addToLatencyFile(db, found);
      const left = others.filter(({ isLeft }) => isLeft).map(({ path }) => path);
      // Who found the same ones may have been faster.
      for (const path of [own, ...left]) await rm(path, { force: true });
    },
  };
}

/** Those of this file, and whether nobody writes to them any more; that is asked before they are read. */
async function journalsOf(db: string): Promise<{ path: string; isLeft: boolean }[]> {
  const [folder, prefix] = [dirname(resolve(db)), `${basename(db)}.journal.`];
  return (await readdir(folder)).flatMap((name) => {
    const [, writer] = (name.startsWith(prefix) && /^(\d+)-\d+\.jsonl$/.exec(name.slice(prefix.length))) || [];
    if (writer === undefined) return [];
    // The number of this process, too, was another's before: in containers all have the same.
    const isLeft = Number(writer) === process.pid || !isRunning(Number(writer));
    return [{ path: join(folder, name), isLeft }];
  });
}

async function readInto(found: LatencyTable, path: string): Promise<void> {
  // One that ends meanwhile has its rows in the SQLite file, which is read later.
  const lines = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  try {
    if (lines) parseLines(lines, { into: found, torn: true });
  } catch (error) {
    throw error instanceof DataError ? new DataError(`${path}: ${error.message}`) : error;
  }
}

async function tableIn(db: string, { id }: Environment): Promise<LatencyTable> {
  const file = await openLatencyFile(db);
  try {
    return file.table({ environment: id });
  } finally {
    await file.close();
  }
}
