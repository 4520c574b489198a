import { DataError, printed } from "../errors.ts";
import { canonical, parseJson } from "../latency/checks.ts";
import { type Environment, parseEnvironment } from "../latency/environment.ts";
import { type Latency, pooled } from "../latency/pool.ts";
import { keyText, parseRow, type Row, type UnitKey } from "../latency/row.ts";
import { addEnvironment, addRow, inOrder, type LatencyTable, newTable, rowsOf, type Where } from "../latency/table.ts";
import { changeDatabase, type Database, damageOf, type Found, openDatabase } from "./sqlite.ts";

// Latencies in a SQLite file. What it means is that of the table in memory: rows are a set, and pooled when they are looked up.

/** A file that is open: reads what is asked for, and not the rest. */
export interface LatencyFile {
  environments(): Environment[];
  /** As `lookup` of a table. @throws DataError for what is no key, and for damage */
  lookup(key: UnitKey): Latency | null;
  /** A table of these rows and their environments. @throws DataError for damage */
  table(where?: Where): LatencyTable;
  close(): Promise<void>;
}

const VERSION = 1;
const COLUMNS = [
  ...["environment", "type", "form", "attributes", "precision", "batch"],
  ...["runtime", "tool", "date", "median", "spread", "count"],
] as const;

const SCHEMA = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE environment (id TEXT PRIMARY KEY, name TEXT NOT NULL, json TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE latency (
  environment TEXT NOT NULL REFERENCES environment (id), type TEXT NOT NULL, form TEXT NOT NULL,
  attributes TEXT NOT NULL, precision TEXT NOT NULL, batch INTEGER NOT NULL,
  runtime TEXT NOT NULL, tool TEXT NOT NULL, date TEXT NOT NULL,
  median REAL NOT NULL, spread REAL NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY (${COLUMNS.join(", ")})
) WITHOUT ROWID;
CREATE INDEX latency_by_type ON latency (type, form, precision);
INSERT INTO meta VALUES ('format', 'quern latency'), ('version', '${VERSION}');
`;
const TABLES: Readonly<Record<string, string>> = {
  meta: "key value",
  environment: "id name json",
  latency: COLUMNS.join(" "),
};

/**
 * Opens a file of latencies to read. Others may exchange it meanwhile: this one goes on reading the old one.
 * @throws DataError for what is no SQLite file, has another schema, or is of a newer quern
 */
export async function openLatencyFile(path: string): Promise<LatencyFile> {
  const { database, close } = await openDatabase(path);
  const reading = <T>(read: () => T): T => damageOf(path, read);
  try {
    reading(() => checkSchema(path, database));
  } catch (error) {
    await close();
    throw error;
  }
  const ids = new Map<string, Environment>();
  const environments = (): Environment[] => {
    if (ids.size === 0) for (const each of environmentsOf(path, database)) ids.set(each.id, each);
    return [...ids.values()];
  };
  return {
    environments: () => reading(environments),
    lookup: (key) =>
      reading(() => {
        keyText(key);
        const { environment, type, form, attributes, precision, batch } = key;
        const exact = { environment, type, form, precision, batch, attributes: canonical(attributes) };
        const rows = [...rowsWhere(path, database, exact)];
        return rows.length > 0 ? pooled(rows) : null;
      }),
    table: (where = {}) =>
      reading(() => {
        const table = newTable();
        const wanted = environments().filter(({ id }) => (where.environment ?? id) === id);
        for (const each of wanted) addEnvironment(table, each);
        for (const row of rowsWhere(path, database, where)) addRow(table, row, `${path}: row`);
        return table;
      }),
    close,
  };
}

/**
 * Adds a table to a file, which is made if there is none. The file that lies there is whole at any moment, whenever the process ends.
 * @param options - `replace`: whatever lies there makes way, instead of being added to
 * @returns how many rows and environments were new
 * @throws DataError as openLatencyFile
 */
export async function addToLatencyFile(
  path: string,
  table: LatencyTable,
  { replace = false }: { replace?: boolean | undefined } = {},
): Promise<{ rows: number; environments: number }> {
  return changeDatabase(path, replace, (database, isNew) => {
    if (isNew) database.exec(SCHEMA);
    else checkSchema(path, database);
    const known = isNew ? [] : environmentsOf(path, database);
    const merged = newTable();
    for (const each of [...known, ...table.environments.values()]) addEnvironment(merged, each);
    const put = "INSERT OR REPLACE INTO environment VALUES (?, ?, ?)";
    const environments = inOrder(merged.environments).map((each) => [each.id, each.name, canonical(each)]);
    inserted(database, put, environments);
    const add = `INSERT OR IGNORE INTO latency VALUES (${COLUMNS.map(() => "?").join(", ")})`;
    const rows = inserted(database, add, rowsOf(table).map(valuesOf));
    return { rows, environments: merged.environments.size - known.length };
  });
}

function valuesOf(row: Row): (string | number)[] {
  return COLUMNS.map((name) => (name === "attributes" ? canonical(row.attributes) : row[name]));
}

function inserted(database: Database, sql: string, rows: readonly (readonly (string | number)[])[]): number {
  const statement = database.prepare(sql);
  try {
    return rows.reduce((sum, values) => sum + statement.run(values).changes, 0);
  } finally {
    statement.finalize();
  }
}

function checkSchema(path: string, database: Database): void {
  const found = database.all("SELECT type, name FROM sqlite_schema");
  const has = (type: string, name: string) => found.some((each) => each.type === type && each.name === name);
  if (!has("table", "meta"))
    throw new DataError(`${path}: expected a table "meta", got a SQLite file of other software`);
  const meta = new Map(database.all("SELECT key, value FROM meta").map(({ key, value }) => [key, value]));
  if (meta.get("format") !== "quern latency")
    throw new DataError(`${path}: meta.format: expected "quern latency", got ${printed(meta.get("format"))}`);
  const version = meta.get("version");
  const newer = Number(version) > VERSION ? ": it is of a newer quern" : "";
  if (version !== String(VERSION))
    throw new DataError(`${path}: meta.version: expected "${VERSION}", got ${printed(version)}${newer}`);
  for (const [name, columns] of Object.entries(TABLES)) {
    const names = has("table", name) ? database.all("SELECT name FROM pragma_table_info(?)", [name]) : [];
    const actual = names.map((column) => column.name).join(" ");
    if (actual !== columns)
      throw new DataError(`${path}: table "${name}": expected columns ${columns}, got ${printed(actual)}`);
  }
  // Nothing that quern has made runs by itself.
  const trigger = found.find(({ type }) => type === "trigger");
  if (trigger) throw new DataError(`${path}: expected no triggers, got ${printed(trigger.name)}`);
}

function environmentsOf(path: string, database: Database): Environment[] {
  return database.all("SELECT id, json FROM environment ORDER BY id").map(({ id, json }) => {
    const environment = parseEnvironment(String(json), `${path}: environment ${printed(id)}`);
    if (environment.id !== id)
      throw new DataError(`${path}: environment.id: expected "${environment.id}", got ${printed(id)}`);
    return environment;
  });
}

type Exact = Where & { readonly attributes?: string };

function* rowsWhere(path: string, database: Database, where: Exact): Generator<Row> {
  const wanted = COLUMNS.filter((name) => where[name as keyof Exact] !== undefined);
  const condition = wanted.map((name) => `${name} = ?`).join(" AND ") || "TRUE";
  const statement = database.prepare(`SELECT ${COLUMNS.join(", ")} FROM latency WHERE ${condition}`);
  try {
    for (const found of statement.iterate(wanted.map((name) => where[name as keyof Exact] as string))) {
      yield parseRow(rowOf(path, found), `${path}: row`);
    }
  } finally {
    statement.finalize();
  }
}

function rowOf(path: string, found: Found): unknown {
  return { ...found, attributes: parseJson(String(found.attributes), `${path}: row.attributes`) };
}
