import { execFile, spawn, spawnSync } from "node:child_process";
import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  rmdir,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import fc from "fast-check";
import { Database } from "node-sqlite3-wasm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataError } from "../src/index.ts";
import { latencies, lookup, mergeTables, printLines, type Row, rowsOf } from "../src/latency.ts";
import { addToLatencyFile, openLatencyFile } from "../src/node.ts";
import { ENVIRONMENTS, HERE, ROW, someRows, THERE, tableOf } from "./latency.rows.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "quern-latency-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
let files = 0;
const fresh = (): string => join(folder, `${files++}.sqlite`);

async function made(...tables: Row[][]): Promise<string> {
  const path = fresh();
  for (const rows of tables) await addToLatencyFile(path, tableOf(rows));
  return path;
}

async function read(path: string) {
  const file = await openLatencyFile(path);
  try {
    return file.table();
  } finally {
    await file.close();
  }
}

const PYTHON = spawnSync("python3", ["-c", "import sqlite3"]).status === 0;

/**
 * What another program does to a file: Python brings a SQLite of its own. Where there is no Python (.ci/run installs it), the package that our code uses,
 * past that code.
 */
async function outside(path: string, ...statements: string[]): Promise<unknown[][]> {
  if (!PYTHON) {
    const db = new Database(path);
    db.exec("PRAGMA foreign_keys = OFF");
    const rows = statements.map((statement) => db.all(statement).map((row) => Object.values(row)));
    db.close();
    return rows.at(-1) as unknown[][];
  }
  const program = `
import json, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
rows = []
for statement in sys.argv[2:]: rows = db.execute(statement).fetchall()
db.commit()
print(json.dumps(rows))`;
  return new Promise((resolve, reject) => {
    execFile("python3", ["-c", program, path, ...statements], (error, stdout) =>
      error ? reject(error) : resolve(JSON.parse(stdout)),
    );
  });
}

describe("a SQLite file", () => {
  test("is where a link says, and others may read it as any file", async () => {
    const [path, link, plain] = [fresh(), fresh(), fresh()];
    await addToLatencyFile(path, tableOf([ROW]));
    await symlink(path, link);
    const other = { ...ROW, batch: 7 };
    await addToLatencyFile(link, tableOf([other]));
    expect((await lstat(link)).isSymbolicLink()).toBe(true);
    expect(rowsOf(await read(path)).length).toBe(2);
    await writeFile(plain, "");
    expect((await stat(path)).mode).toBe((await stat(plain)).mode);
    await addToLatencyFile(path, tableOf([ROW]), { replace: true });
    expect((await stat(path)).mode).toBe((await stat(plain)).mode);
  });

  test("holds what the table holds, and is added to as tables are merged", async () => {
    await fc.assert(
      fc.asyncProperty(someRows, someRows, async (a, b) => {
        const path = await made(a, b, a);
        const merged = mergeTables(tableOf(a), tableOf(b));
        expect(printLines(await read(path))).toBe(printLines(merged));
        const file = await openLatencyFile(path);
        for (const row of [...a, ...b]) expect(file.lookup(row)).toEqual(lookup(merged, row));
        const where = { environment: HERE.id, type: "conv" };
        expect(latencies(file.table(where))).toEqual(latencies(merged, where));
        expect([...file.table(where).environments.keys()]).toEqual([HERE.id]);
        expect(file.lookup({ ...ROW, form: "none" })).toBeNull();
        expect(() => file.lookup({ ...ROW, batch: 0 })).toThrow(DataError);
        expect(file.environments()).toHaveLength(ENVIRONMENTS.length);
        await file.close();
      }),
      { numRuns: 15 },
    );
  });

  test("says how much was new, and leaves nothing beside it", async () => {
    const path = join(folder, "alone", "f.sqlite");
    await expect(addToLatencyFile(path, tableOf([]))).rejects.toThrow(/ENOENT/);
    const here = await mkdtemp(join(folder, "alone-"));
    const file = join(here, "f.sqlite");
    expect(await addToLatencyFile(file, tableOf([ROW]))).toEqual({ rows: 1, environments: 2 });
    expect(await addToLatencyFile(file, tableOf([ROW, { ...ROW, batch: 2 }]))).toEqual({ rows: 1, environments: 0 });
    expect(await addToLatencyFile(file, tableOf([ROW]), { replace: true })).toEqual({ rows: 1, environments: 2 });
    const open = await openLatencyFile(file);
    expect(await readdir(here)).toEqual(["f.sqlite"]);
    await open.close();
  });

  test("is read by other software, which finds tables, indices and what is written there", async () => {
    const path = await made([ROW, { ...ROW, type: "conv", environment: THERE.id }]);
    expect(await outside(path, "PRAGMA integrity_check")).toEqual([["ok"]]);
    expect(await outside(path, "PRAGMA foreign_key_check")).toEqual([]);
    expect(await outside(path, "SELECT key, value FROM meta ORDER BY key")).toEqual([
      ["format", "quern latency"],
      ["version", "1"],
    ]);
    const join =
      "SELECT name, type, attributes, batch, count, median, spread, date FROM latency JOIN environment ON id = environment ORDER BY name";
    expect(await outside(path, join)).toEqual([
      ["threads 1", "dense", '{"inputs":1024,"outputs":1024}', 1, 30, 0.22, 0.01, ROW.date],
      ["threads 2", "conv", '{"inputs":1024,"outputs":1024}', 1, 30, 0.22, 0.01, ROW.date],
    ]);
    const plan = "EXPLAIN QUERY PLAN SELECT * FROM latency WHERE";
    const [key] = await outside(path, `${plan} environment = '' AND type = '' AND form = '' AND attributes = ''`);
    expect(key.join(" ")).toContain("SEARCH latency USING PRIMARY KEY");
    const [byType] = await outside(path, `${plan} type = '' AND form = ''`);
    expect(byType.join(" ")).toContain("INDEX latency_by_type");
  });

  test("is read after other software has written to it", async () => {
    const path = await made([ROW]);
    await outside(path, "UPDATE latency SET median = 5");
    expect(rowsOf(await read(path))).toEqual([{ ...ROW, median: 5 }]);
  });

  test("is read where nothing can be written, and by two at once", async () => {
    const path = await made([ROW]);
    await chmod(path, 0o444);
    const [a, b] = [await openLatencyFile(path), await openLatencyFile(path)];
    expect(a.lookup(ROW)).toEqual(b.lookup(ROW));
    await Promise.all([a.close(), b.close()]);
  });

  test("goes on being read while it is exchanged", async () => {
    const path = await made([ROW]);
    const file = await openLatencyFile(path);
    await addToLatencyFile(path, tableOf([{ ...ROW, median: 9 }]));
    expect(file.lookup(ROW)?.pooled).toBe(1);
    await file.close();
    expect(lookup(await read(path), ROW)?.pooled).toBe(2);
  });

  test("loses nothing if several add to it at once", async () => {
    const path = await made([]);
    const rows = [1, 2, 3, 4, 5, 6, 7, 8].map((batch) => ({ ...ROW, batch }));
    await Promise.all(rows.map((row) => addToLatencyFile(path, tableOf([row]))));
    expect(rowsOf(await read(path))).toHaveLength(8);
  });

  test("does not wait for ever for one who was killed while the file was exchanged", async () => {
    const path = await made([]);
    const lock = join(folder, `.${basename(path)}.lock`);
    const held = join(lock, `.${basename(path)}.abcdef`);
    await mkdir(lock);
    await writeFile(held, "");
    const long = new Date(Date.now() - 60_000);
    for (const each of [held, lock]) await utimes(each, long, long);
    expect(await addToLatencyFile(path, tableOf([ROW]))).toEqual({ rows: 1, environments: 0 });
  });

  test("waits for one who holds the lock, however old the lock's folder is", async () => {
    const path = await made([]);
    const lock = join(folder, `.${basename(path)}.lock`);
    await mkdir(lock);
    await writeFile(join(lock, `.${basename(path)}.abcdef`), "");
    await utimes(lock, 1, 1);
    let done = false;
    const adding = addToLatencyFile(path, tableOf([ROW])).finally(() => {
      done = true;
    });
    await setTimeout(200);
    expect(done).toBe(false);
    await rm(join(lock, `.${basename(path)}.abcdef`));
    // As its holder does: the empty folder may be the other's by then.
    await rmdir(lock).catch(() => {});
    expect(await adding).toEqual({ rows: 1, environments: 0 });
  });

  test.each(["a file", "a folder with files of others"])("says what to do about a lock that is %s", async (kind) => {
    const path = await made([]);
    const lock = join(folder, `.${basename(path)}.lock`);
    if (kind === "a file") await writeFile(lock, "");
    else {
      await mkdir(lock);
      await writeFile(join(lock, "x"), "");
    }
    await utimes(lock, 1, 1);
    const adding = addToLatencyFile(path, tableOf([ROW]));
    await expect(adding).rejects.toThrow(DataError);
    await expect(adding).rejects.toThrow(`${lock}: this lock stays`);
    await expect(adding).rejects.toThrow("remove it yourself");
    expect((await readdir(folder)).filter((name) => name.startsWith(`.${basename(path)}.`))).toEqual([basename(lock)]);
  });

  test("is read without being loaded whole: pages that nothing asks for may be damaged", async () => {
    const many = Array.from({ length: 4000 }, (_, batch) => ({ ...ROW, batch: batch + 1 }));
    const path = await made(many);
    const bytes = await readFile(path);
    const [[[pageSize]], [[pages]]] = [
      await outside(path, "PRAGMA page_size"),
      await outside(path, "PRAGMA page_count"),
    ] as number[][][];
    expect(pages).toBeGreaterThan(100);
    // Each row stands in the table; batch 4000 in its last leaf. Leaves with neither it nor the first row are overwritten.
    const leaf = (at: number) => [10, 13].includes(bytes[at]);
    let damaged = 0;
    for (let at = 20 * pageSize; at < bytes.length - 20 * pageSize; at += pageSize)
      if (leaf(at)) damaged += Number(bytes.fill(0xee, at, at + pageSize).length > 0);
    expect(damaged).toBeGreaterThan(50);
    await writeFile(path, bytes);
    const file = await openLatencyFile(path);
    expect(file.lookup({ ...ROW, batch: 1 })).toMatchObject({ median: 0.22 });
    expect(() => file.table()).toThrow(DataError);
    await file.close();
  });
});

describe("a process that is killed", () => {
  const WRITER = `
const { addToLatencyFile } = await import(process.argv[2]);
const { addEnvironment, addRow, newTable } = await import(process.argv[3]);
const environment = JSON.parse(process.argv[5]);
const row = JSON.parse(process.argv[6]);
console.log("ready");
for (let batch = 1; ; batch++) {
  const table = newTable();
  addEnvironment(table, environment);
  for (let i = 0; i < 200; i++) addRow(table, { ...row, batch, attributes: { i } });
  await addToLatencyFile(process.argv[4], table);
  console.log(batch);
}`;
  const dist = (name: string) => new URL(`../dist/${name}`, import.meta.url).href;

  test("while it writes leaves a whole file with all that it had said was written", async () => {
    const script = join(folder, "writer.mjs");
    await writeFile(script, WRITER);
    for (const wait of [0, 3, 10, 17, 31, 44]) {
      const path = await made([]);
      const child = spawn(process.execPath, [
        script,
        dist("node.js"),
        dist("latency.js"),
        path,
        JSON.stringify(HERE),
        JSON.stringify(ROW),
      ]);
      let said = "";
      child.stdout.on("data", (text) => {
        said += text;
      });
      while (!/\n2\n/.test(said)) await setTimeout(5);
      await setTimeout(wait);
      const ended = new Promise((resolve) => child.once("close", resolve));
      child.kill("SIGKILL");
      await ended;
      const last = Number(said.trim().split("\n").at(-1));
      expect(await outside(path, "PRAGMA integrity_check")).toEqual([["ok"]]);
      const rows = rowsOf(await read(path));
      expect(rows.length % 200).toBe(0);
      expect([last, last + 1]).toContain(rows.length / 200);
      // What it leaves beside the file is in nobody's way.
      await addToLatencyFile(path, tableOf([ROW]));
      expect(rowsOf(await read(path))).toHaveLength(rows.length + 1);
    }
  });
});

describe("what is no file of latencies", () => {
  const refused = async (path: string, message: string | RegExp) => {
    for (const act of [() => read(path), () => addToLatencyFile(path, tableOf([ROW]))]) {
      const error = await act().then(
        () => undefined,
        (each: unknown) => each as Error,
      );
      expect(error).toBeInstanceOf(DataError);
      expect(error?.message.startsWith(`${path}: `), error?.message).toBe(true);
      expect(error?.message).toMatch(message);
    }
  };

  test.each([
    ["nothing", new Uint8Array(0)],
    ["text", new TextEncoder().encode("hello, this is no database at all")],
    ["zeros", new Uint8Array(4096)],
  ])("%s", async (_, bytes) => {
    const path = fresh();
    await writeFile(path, bytes);
    await refused(path, "expected a SQLite file, got other bytes");
    expect(await readFile(path)).toEqual(Buffer.from(bytes));
  });

  test("a folder, and nothing there", async () => {
    await refused(folder, "expected a regular file");
    await expect(openLatencyFile(join(folder, "none"))).rejects.toThrow(/ENOENT/);
  });

  test("only the beginning of one", async () => {
    const whole = await readFile(await made([ROW]));
    const path = fresh();
    for (const length of [16, 20, 99, 512, 4096, whole.length - 4096]) {
      await writeFile(path, whole.subarray(0, length));
      await refused(path, /expected a (whole )?SQLite file|expected a table/);
    }
  });

  test("bytes changed anywhere: an error that says so, or rows that are rows", async () => {
    const whole = await readFile(await made([ROW, { ...ROW, batch: 2 }]));
    const path = fresh();
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: whole.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, mask) => {
          const bytes = Buffer.from(whole);
          bytes[at] ^= mask;
          await writeFile(path, bytes);
          await read(path).then(rowsOf, (error: unknown) => expect(error).toBeInstanceOf(DataError));
        },
      ),
      { numRuns: 60 },
    );
  });

  const meta = "CREATE TABLE meta (key TEXT, value TEXT)";
  test.each([
    [
      "another program's",
      ["CREATE TABLE users (name TEXT)"],
      'expected a table "meta", got a SQLite file of other software',
    ],
    ["one with a view of that name", ["CREATE VIEW meta AS SELECT 1"], 'expected a table "meta"'],
    [
      "another format",
      [meta, "INSERT INTO meta VALUES ('format', 'mbtiles')"],
      'meta.format: expected "quern latency", got "mbtiles"',
    ],
    ["no format", [meta], 'meta.format: expected "quern latency", got nothing'],
    ["other columns in meta", ["CREATE TABLE meta (name TEXT)"], "no such column"],
  ])("%s", async (_, statements, message) => {
    const path = fresh();
    await outside(path, ...statements);
    await refused(path, message);
  });

  test.each([
    [
      "of a newer quern",
      "UPDATE meta SET value = '2' WHERE key = 'version'",
      'meta.version: expected "1", got "2": it is of a newer quern',
    ],
    ["of no version", "DELETE FROM meta WHERE key = 'version'", 'meta.version: expected "1", got nothing'],
    ["without a table", "DROP TABLE latency", 'table "latency": expected columns environment type form'],
    ["with another column", "ALTER TABLE latency ADD COLUMN more TEXT", 'table "latency": expected columns'],
    [
      "with a trigger",
      "CREATE TRIGGER t AFTER INSERT ON latency BEGIN DELETE FROM latency; END",
      'expected no triggers, got "t"',
    ],
  ])("one %s", async (_, statement, message) => {
    const path = await made([ROW]);
    await outside(path, statement);
    await refused(path, message);
  });

  test("one with a write-ahead log", async () => {
    const path = await made([ROW]);
    const bytes = await readFile(path);
    // As PRAGMA journal_mode = WAL leaves them: the versions of the format that writers and readers need.
    bytes.fill(2, 18, 20);
    await writeFile(path, bytes);
    await refused(path, "expected a file without a write-ahead log");
  });

  test.each([
    ["a negative time", "UPDATE latency SET median = -1", "row.median: expected a number from 0 to 1000000000, got -1"],
    [
      "text for a number",
      "UPDATE latency SET spread = 'x'",
      'row.spread: expected a number from 0 to 1000000000, got "x"',
    ],
    ["a large integer", "UPDATE latency SET count = 9223372036854775807", "row.count: expected a whole number from 1"],
    ["attributes that are no JSON", "UPDATE latency SET attributes = '{'", "row.attributes: expected JSON"],
    ["bytes for text", "UPDATE latency SET date = x'00'", "row.date: expected a moment"],
    [
      "an environment that is missing",
      "DELETE FROM environment",
      "row.environment: expected one that was added before",
    ],
    ["an environment that is none", "UPDATE environment SET json = '{}'", /environment ".*"\.quern: expected/],
    [
      "an environment under another id",
      "UPDATE environment SET json = (SELECT max(json) FROM environment)",
      "environment.id: expected",
    ],
  ])("one with %s", async (_, statement, message) => {
    const path = await made([ROW]);
    await outside(path, statement);
    const error = await read(path).catch((each: unknown) => each as Error);
    expect(error).toBeInstanceOf(DataError);
    expect((error as Error).message).toMatch(message);
  });

  test("one that another program was killed while it changed it", async () => {
    const path = await made([ROW]);
    await writeFile(`${path}-journal`, "x");
    await refused(path, "another program is changing it, or was killed doing so");
    const copy = fresh();
    await copyFile(path, copy);
    await writeFile(`${copy}-journal`, "");
    expect(rowsOf(await read(copy))).toHaveLength(1);
  });

  test("what is refused stays as it is, and nothing is left beside it", async () => {
    const here = await mkdtemp(join(folder, "refused-"));
    const path = join(here, "f.sqlite");
    await copyFile(await made([ROW]), path);
    await outside(path, "UPDATE meta SET value = '2' WHERE key = 'version'");
    const before = await stat(path);
    await refused(path, "newer quern");
    expect(await readdir(here)).toEqual(["f.sqlite"]);
    expect((await stat(path)).mtimeMs).toBe(before.mtimeMs);
  });
});
