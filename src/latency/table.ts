import { DataError } from "../errors.ts";
import { type Environment, newerEnvironment, parseEnvironment } from "./environment.ts";
import { type Latency, measureText, pooled } from "./pool.ts";
import { keyOf, keyText, parseRow, type Row, type UnitKey } from "./row.ts";

// Latencies in memory.

/**
 * A set of rows, and the environments they are of. Merging is the union of sets, so it does not matter in which order files are merged, in which groups,
 * or how often; what rows of the same key say together is decided when they are looked up.
 */
export interface LatencyTable {
  /** By id. */
  readonly environments: Map<string, Environment>;
  /** By the text of the key, then by that of what was measured. */
  readonly rows: Map<string, Map<string, Row>>;
}

export function newTable(): LatencyTable {
  return { environments: new Map(), rows: new Map() };
}

/** Names, dates and lines of an environment that the table has stay those of the newer one. @throws DataError for what is no environment */
export function addEnvironment(table: LatencyTable, environment: Environment): void {
  const checked = parseEnvironment(environment);
  const known = table.environments.get(checked.id);
  table.environments.set(checked.id, known ? newerEnvironment(known, checked) : checked);
}

/**
 * Adds a measurement; one that is there already is not added twice.
 * @param field - what the row is called in errors
 * @throws DataError for what is no row, or is of an environment that the table does not have
 */
export function addRow(table: LatencyTable, row: Row, field = "row"): void {
  const checked = parseRow(row, field);
  if (!table.environments.has(checked.environment))
    throw new DataError(`${field}.environment: expected one that was added before, got "${checked.environment}"`);
  const key = keyOf(checked);
  const same = table.rows.get(key) ?? new Map<string, Row>();
  table.rows.set(key, same.set(measureText(checked), checked));
}

/** What is known of a unit, or null. @throws DataError for what is no key */
export function lookup(table: LatencyTable, key: UnitKey): Latency | null {
  const rows = table.rows.get(keyText(key));
  return rows ? pooled([...rows.values()]) : null;
}

/** Fields that keys have to have. */
export type Where = { readonly [K in Exclude<keyof UnitKey, "attributes">]?: UnitKey[K] | undefined };

/** All that is known of units, in the order of their keys. */
export function latencies(table: LatencyTable, where: Where = {}): Latency[] {
  return found(table, where).map((rows) => pooled([...rows.values()]));
}

/** All rows in one order. */
export function rowsOf(table: LatencyTable, where: Where = {}): Row[] {
  return found(table, where).flatMap((rows) => inOrder(rows));
}

function found(table: LatencyTable, where: Where): Map<string, Row>[] {
  const wanted = Object.entries(where).filter(([, value]) => value !== undefined);
  const those = [...table.rows].filter(([, rows]) => {
    const [first] = rows.values();
    return wanted.every(([name, value]) => first?.[name as keyof Row] === value);
  });
  return inOrder(those);
}

export function inOrder<T>(entries: Iterable<readonly [string, T]>): T[] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}

/** A table of what is in any of these. */
export function mergeTables(...tables: readonly LatencyTable[]): LatencyTable {
  const merged = newTable();
  for (const table of tables) {
    for (const environment of table.environments.values()) addEnvironment(merged, environment);
    for (const same of table.rows.values()) for (const row of same.values()) addRow(merged, row);
  }
  return merged;
}
