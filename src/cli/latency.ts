import { open, readFile, stat } from "node:fs/promises";
import type { Command } from "commander";
import { DataError, printed } from "../errors.ts";
import { canonical } from "../latency/checks.ts";
import { type Environment, parseEnvironment } from "../latency/environment.ts";
import { parseLines, printLines } from "../latency/lines.ts";
import type { Latency } from "../latency/pool.ts";
import {
  addEnvironment,
  addRow,
  type LatencyTable,
  latencies,
  mergeTables,
  newTable,
  rowsOf,
} from "../latency/table.ts";
import { addToLatencyFile, openLatencyFile } from "../node.ts";
import { withSinks } from "./files.ts";
import { addBuildVerb } from "./measure.ts";
import { table } from "./print.ts";
import { type Result, runVerb, type Task, UsageError } from "./terminal.ts";

// quern latency: what is known of how long units take.

interface Flags {
  readonly json?: boolean;
  readonly db?: string;
  readonly output?: string;
  readonly env?: string;
  readonly type?: string;
}

export function addLatencyVerbs(program: Command): void {
  const group = program.command("latency").description("latencies of units, in SQLite files or as lines of JSON");
  const verb = (usage: string, description: string, action: (flags: Flags, paths: string[]) => Promise<Result>) => {
    const command = group.command(usage).description(description).option("--json", "one JSON object on stdout");
    return command.action((paths: string | string[], flags: Flags) =>
      runVerb(flags.json === true, (_: Task) => action(flags, [paths].flat())),
    );
  };
  const filtered = (command: Command) =>
    command
      .option("--env <what>", "only of this environment: its id, its name, or its JSON file")
      .option("--type <type>", "only units of this type, such as conv");
  addBuildVerb(group);
  verb(
    "import <files...>",
    "adds the rows of other files to a SQLite file, which is made if there is none",
    importVerb,
  ).requiredOption("--db <file>", "the SQLite file");
  filtered(
    verb("export <file>", "writes the rows of a file as lines of JSON, in one order", exportVerb).requiredOption(
      "-o, --output <file>",
      "the file to write",
    ),
  );
  verb("merge <files...>", "makes one file of several, in which every row stands once", mergeVerb).requiredOption(
    "-o, --output <file>",
    "the file to write: lines of JSON if it ends in .jsonl, else SQLite",
  );
  filtered(verb("show <file>", "shows what is known of units: rows of the same unit pooled", showVerb));
}

async function importVerb({ db = "" }: Flags, paths: string[]): Promise<Result> {
  const added = await addToLatencyFile(db, mergeTables(...(await tablesOf(paths))));
  const json = { output: db, added };
  return { json, text: () => `${db}: ${added.rows} new rows, ${added.environments} new environments` };
}

async function exportVerb({ output = "", ...flags }: Flags, [path = ""]: string[]): Promise<Result> {
  const made = await tableOf(path, flags);
  await writeLines(output, made);
  return resultOf(output, made);
}

async function mergeVerb({ output = "" }: Flags, paths: string[]): Promise<Result> {
  const merged = mergeTables(...(await tablesOf(paths)));
  if (output.endsWith(".jsonl")) await writeLines(output, merged);
  else await addToLatencyFile(output, merged, { replace: true });
  return resultOf(output, merged);
}

async function writeLines(output: string, made: LatencyTable): Promise<void> {
  await withSinks(async (create) => {
    const sink = await create(output);
    await sink.write(new TextEncoder().encode(printLines(made)), 0);
    await sink.close();
  });
}

function resultOf(output: string, made: LatencyTable): Result {
  const json = { output, rows: rowsOf(made).length, environments: made.environments.size };
  return { json, text: () => `${output}: ${json.rows} rows, ${json.environments} environments` };
}

async function showVerb(flags: Flags, [path = ""]: string[]): Promise<Result> {
  const known = await tableOf(path, flags);
  const found = latencies(known);
  const environments = [...known.environments.values()];
  return { json: { environments, latencies: found }, text: () => latencyText(known, found) };
}

function latencyText(known: LatencyTable, found: readonly Latency[]): string {
  const names = [...known.environments.values()].map(({ id, name }) => `${id}  ${name}`);
  const rows = found.map((each) => [
    ...[each.environment, each.type, each.form, canonical(each.attributes), each.precision, `${each.batch}`],
    ...[each.median, each.spread].map((ms) => ms.toPrecision(4)),
    ...[`${each.count}`, each.date.slice(0, 10)],
  ]);
  const head = ["environment", "type", "form", "attributes", "precision", "batch", "ms", "spread", "runs", "date"];
  return [...names, "", table(head, rows, [5, 6, 7, 8]), "", `${found.length} units`].join("\n");
}

async function tablesOf(paths: readonly string[]): Promise<LatencyTable[]> {
  const tables: LatencyTable[] = [];
  for (const path of paths) tables.push(await tableOf(path, {}));
  return tables;
}

/** Of a file of either kind, told apart by its content. */
export async function tableOf(path: string, flags: Flags): Promise<LatencyTable> {
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
