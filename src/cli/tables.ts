import { open, readFile, stat } from "node:fs/promises";
import { DataError, printed } from "../errors.ts";
import { type Environment, parseEnvironment } from "../latency/environment.ts";
import { parseLines } from "../latency/lines.ts";
import { addEnvironment, addRow, type LatencyTable, newTable, rowsOf } from "../latency/table.ts";
import { openLatencyFile } from "../node.ts";
import { UsageError } from "./terminal.ts";

// Tables of latencies that are named on the command line.

export interface TableFlags {
  /** An environment: its id, its name, or its JSON file. */
  readonly env?: string | undefined;
  readonly type?: string | undefined;
}

/** Of a file of either kind, told apart by its content. */
export async function tableOf(path: string, flags: TableFlags): Promise<LatencyTable> {
  if (!(await isSqlite(path))) {
    const whole = await linesOf(path);
    return only(whole, { type: flags.type, environment: await idOf(flags.env, [...whole.environments.values()]) });
  }
  const file = await openLatencyFile(path);
  try {
    return file.table({ type: flags.type, environment: await idOf(flags.env, file.environments()) });
  } finally {
    await file.close();
  }
}

async function isSqlite(path: string): Promise<boolean> {
  const handle = await open(path, "r");
  try {
    if (!(await handle.stat()).isFile())
      throw new DataError(`${path}: expected a regular file, got a folder, pipe or device`);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(6), 0, 6, 0);
    return bytesRead === 6 && buffer.toString("latin1") === "SQLite";
  } finally {
    await handle.close();
  }
}

/** Strings of more are not to be had everywhere. */
const MOST_BYTES = 2 ** 28;

async function linesOf(path: string): Promise<LatencyTable> {
  const { size } = await stat(path);
  if (size > MOST_BYTES) throw new DataError(`${path}: expected at most ${MOST_BYTES} bytes, got ${size}`);
  try {
    return parseLines(await readFile(path));
  } catch (error) {
    throw error instanceof DataError ? new DataError(`${path}: ${error.message}`) : error;
  }
}

function only(whole: LatencyTable, where: { type: string | undefined; environment: string | undefined }): LatencyTable {
  const part = newTable();
  for (const each of whole.environments.values())
    if ((where.environment ?? each.id) === each.id) addEnvironment(part, each);
  for (const row of rowsOf(whole, where)) addRow(part, row);
  return part;
}

/** The environment that is wanted; of a table with one, that one. @throws UsageError */
export async function environmentIn({ environments }: LatencyTable, wanted: string | undefined): Promise<Environment> {
  const known = [...environments.values()];
  const id = await idOf(wanted, known);
  const [found, ...others] = known.filter((each) => (id ?? each.id) === each.id);
  if (found && others.length === 0) return found;
  const names = known.map(({ id, name }) => `${id} (${name})`).join(", ");
  if (!found)
    throw new UsageError(`--env: the table has no rows of ${id ?? "any environment"}, only of ${names || "none"}`);
  throw new UsageError(`--env: the table is of ${known.length} environments: choose one of ${names}`);
}

async function idOf(wanted: string | undefined, known: readonly Environment[]): Promise<string | undefined> {
  if (wanted === undefined) return undefined;
  if (wanted.endsWith(".json")) return parseEnvironment(await readFile(wanted, "utf8"), wanted).id;
  const found = known.filter(({ id, name }) => id === wanted || name === wanted);
  if (found.length > 1)
    throw new UsageError(`--env: ${found.length} environments are called ${printed(wanted)}: give an id`);
  const [one] = found;
  if (!one)
    throw new UsageError(
      `--env: there is no environment ${printed(wanted)}: ${known.map(({ id }) => id).join(", ") || "none"}`,
    );
  return one.id;
}
