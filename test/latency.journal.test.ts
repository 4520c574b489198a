import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database } from "node-sqlite3-wasm";
import { afterAll, beforeEach, expect, test } from "vitest";
import { DataError } from "../src/errors.ts";
import { printLines, type Row, rowLine, rowsOf } from "../src/latency.ts";
import { openJournal } from "../src/node/journal.ts";
import { addToLatencyFile, openLatencyFile } from "../src/node.ts";
import { HERE, ROW, tableOf } from "./latency.rows.ts";

// What builds find, on its way into the SQLite file.

let folder = "";
let db = "";
const folders: string[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "quern-journal-"));
  folders.push(folder);
  db = join(folder, "x.sqlite");
});
afterAll(async () => {
  for (const each of folders) await rm(each, { recursive: true });
});

const [FIRST, SECOND, THIRD] = [1, 2, 3].map((batch): Row => ({ ...ROW, batch })) as [Row, Row, Row];
const journal = (pid: number): string => `${db}.journal.${pid}-1790000000000.jsonl`;
/** The number of a process that is no more. */
const KILLED = spawnSync(process.execPath, ["-e", ""]).pid;

async function rowsIn(path: string): Promise<Row[]> {
  const file = await openLatencyFile(path);
  try {
    return rowsOf(file.table());
  } finally {
    await file.close();
  }
}

test("rows are on the disk as they are found, and in the file in the end", async () => {
  const { known, add, finish } = await openJournal(db, HERE);
  await add(FIRST);
  const [name = ""] = await readdir(folder);
  expect(name).toMatch(new RegExp(`^x\\.sqlite\\.journal\\.${process.pid}-\\d+\\.jsonl$`));
  expect((await readFile(join(folder, name), "utf8")).endsWith(rowLine(FIRST))).toBe(true);
  expect(rowsOf(known)).toEqual([FIRST]);
  await finish();
  expect(await rowsIn(db)).toEqual([FIRST]);
  expect(await readdir(folder)).toEqual(["x.sqlite"]);
});

test("rows of a process that was killed are known, and stay on the disk until they are in the file", async () => {
  await addToLatencyFile(db, tableOf([FIRST]));
  // It was killed while it wrote the last one.
  await writeFile(journal(KILLED), printLines(tableOf([SECOND])) + rowLine(THIRD).slice(0, 40));
  const { known, finish } = await openJournal(db, HERE);
  expect(rowsOf(known)).toEqual([FIRST, SECOND]);
  expect(await readdir(folder)).toContain(`x.sqlite.journal.${KILLED}-1790000000000.jsonl`);
  await finish();
  expect(await rowsIn(db)).toEqual([FIRST, SECOND]);
  expect(await readdir(folder)).toEqual(["x.sqlite"]);
});

test("the number of this process may have been that of one that was killed", async () => {
  await writeFile(journal(process.pid), printLines(tableOf([FIRST])));
  await (await openJournal(db, HERE)).finish();
  expect(await rowsIn(db)).toEqual([FIRST]);
  expect(await readdir(folder)).toEqual(["x.sqlite"]);
});

test("rows of a process that runs are known, and its journal stays", async () => {
  await writeFile(journal(process.ppid), printLines(tableOf([FIRST])));
  const { known, finish } = await openJournal(db, HERE);
  expect(rowsOf(known)).toEqual([FIRST]);
  await finish();
  expect(await readFile(journal(process.ppid), "utf8")).toBe(printLines(tableOf([FIRST])));
});

test("two at once lose nothing, whoever ends first", async () => {
  await writeFile(journal(KILLED), printLines(tableOf([FIRST])));
  const one = await openJournal(db, HERE);
  await one.add(SECOND);
  // Another millisecond, as of another process.
  await new Promise((resolve) => setTimeout(resolve, 5));
  const two = await openJournal(db, HERE);
  expect(rowsOf(two.known)).toEqual([FIRST, SECOND]);
  await two.add(THIRD);
  await two.finish();
  await one.finish();
  expect(await rowsIn(db)).toEqual([FIRST, SECOND, THIRD]);
  expect(await readdir(folder)).toEqual(["x.sqlite"]);
});

test("files of other names are nobody's journals", async () => {
  const names = ["x.sqlite.journal.jsonl", "x.sqlite.journal.7.jsonl", "y.sqlite.journal.7-1.jsonl"];
  for (const name of names) await writeFile(join(folder, name), "hello");
  await (await openJournal(db, HERE)).finish();
  expect(await readdir(folder)).toEqual([...names, "x.sqlite"].sort());
});

test("a journal that is damaged is named, and stays", async () => {
  await writeFile(journal(KILLED), "hello\n");
  const opening = openJournal(db, HERE);
  await expect(opening).rejects.toThrow(DataError);
  await expect(opening).rejects.toThrow(`${journal(KILLED)}: line 1: expected JSON`);
  expect(await readdir(folder)).toHaveLength(1);
});

test("a file with a row that is none is closed again", async () => {
  await addToLatencyFile(db, tableOf([FIRST]));
  const database = new Database(db);
  database.exec("UPDATE latency SET median = -1");
  database.close();
  const { TMPDIR } = process.env;
  process.env.TMPDIR = join(folder, "tmp");
  await mkdir(process.env.TMPDIR);
  try {
    await expect(openJournal(db, HERE)).rejects.toThrow("row.median");
    expect(await readdir(process.env.TMPDIR)).toEqual([]);
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  }
});
