import type { Command } from "commander";
import { canonical } from "../latency/checks.ts";
import { printLines } from "../latency/lines.ts";
import type { Latency } from "../latency/pool.ts";
import { type LatencyTable, latencies, mergeTables, rowsOf } from "../latency/table.ts";
import { addToLatencyFile } from "../node.ts";
import { writeWhole } from "./files.ts";
import { addBuildVerb } from "./measure.ts";
import { addPredictVerb } from "./predict.ts";
import { table } from "./print.ts";
import { tableOf } from "./tables.ts";
import { type Result, runVerb, type Task } from "./terminal.ts";

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
  addPredictVerb(group);
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
  await writeWhole(output, printLines(made));
  return resultOf(output, made);
}

async function mergeVerb({ output = "" }: Flags, paths: string[]): Promise<Result> {
  const merged = mergeTables(...(await tablesOf(paths)));
  if (output.endsWith(".jsonl")) await writeWhole(output, printLines(merged));
  else await addToLatencyFile(output, merged, { replace: true });
  return resultOf(output, merged);
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

/** What is read by people; and a table's columns take a time that grows with the square of its rows. */
const MOST_SHOWN = 1000;

function latencyText(known: LatencyTable, found: readonly Latency[]): string {
  const names = [...known.environments.values()].map(({ id, name }) => `${id}  ${name}`);
  const rows = found
    .slice(0, MOST_SHOWN)
    .map((each) => [
      ...[each.environment, each.type, each.form, canonical(each.attributes), each.precision, `${each.batch}`],
      ...[each.median, each.spread].map((ms) => ms.toPrecision(4)),
      ...[`${each.count}`, each.date.slice(0, 10)],
    ]);
  const head = ["environment", "type", "form", "attributes", "precision", "batch", "ms", "spread", "runs", "date"];
  const more =
    found.length > MOST_SHOWN ? `, of which ${MOST_SHOWN} are shown: --env and --type choose, --json has all` : "";
  return [...names, "", table(head, rows, [5, 6, 7, 8]), "", `${found.length} units${more}`].join("\n");
}

async function tablesOf(paths: readonly string[]): Promise<LatencyTable[]> {
  const tables: LatencyTable[] = [];
  for (const path of paths) tables.push(await tableOf(path, {}));
  return tables;
}
