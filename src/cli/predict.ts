import type { Command } from "commander";
import { freeExtents } from "../data/described.ts";
import { fixedBatch } from "../engine/batch.ts";
import type { Description } from "../engine/engine.ts";
import type { Environment } from "../latency/environment.ts";
import { type LatencyModel, latencyModel, partTimes, predictRun } from "../latency/predict.ts";
import { RUNS, type Run } from "../latency/run.ts";
import { type Feature, supports } from "../latency/support.ts";
import { rowsOf } from "../latency/table.ts";
import { wholeOf } from "../measure/whole.ts";
import { addSampleOptions, type DataFlags } from "./data.ts";
import { descriptionOf } from "./described.ts";
import { wholeNumber } from "./numbers.ts";
import { table } from "./print.ts";
import { environmentIn, tableOf } from "./tables.ts";
import { type Result, runVerb, UsageError } from "./terminal.ts";

// quern latency predict: how long a model would take.

interface Flags extends DataFlags {
  readonly json?: boolean;
  readonly db: string;
  readonly env?: string;
  readonly batch?: string;
  readonly units?: boolean;
}

export function addPredictVerb(group: Command): void {
  const verb = group
    .command("predict <model>")
    .description(
      "tells from a table how long a model would take in an environment: as floats, in integers, and with weights that are integers in memory",
    );
  addSampleOptions(verb, "whose first sample has the extents that the model leaves free (default: each is 1)")
    .requiredOption("--db <file>", "the table: a SQLite file, or lines of JSON")
    .option("--env <what>", "the environment: its id, its name, or its JSON file (default: the only one of the table)")
    .option("--batch <n>", "samples that are run at once (default: what the model fixes, else 1)")
    .option("--units", "every part by itself, too")
    .option("--json", "one JSON object on stdout")
    .action((model: string, flags: Flags) => runVerb(flags.json === true, () => predictVerb(model, flags)));
}

/** What an environment has to have for each way to run: the operators that compressed models are written with. */
const NEEDED: Readonly<Record<Run, Feature>> = {
  f32: "f32",
  int8: "QDQ",
  w8: "DequantizeLinear int8",
  w4: "DequantizeLinear int4 blocks",
};

async function predictVerb(path: string, flags: Flags): Promise<Result> {
  const known = await tableOf(flags.db, {});
  const environment = await environmentIn(known, flags.env);
  const runtime = supports(environment, "f32");
  if (!runtime.ok)
    throw new UsageError(
      `--env: no model runs in ${environment.name} (${environment.id}): ${runtime.reason}; name an environment of a runtime`,
    );
  const wanted = wholeNumber("--batch", flags.batch, 1);
  const description = await descriptionOf(path, flags);
  const batch = batchOf(description, wanted);
  const model = latencyModel(known, environment, wholeOf);
  const runs = RUNS.filter((run) => supports(environment, NEEDED[run]).ok);
  const predictions = runs.map((run) => ({ run, ...predictRun(model, description, () => run, batch) }));
  const units = flags.units ? runs.flatMap((run) => unitsOf(model, description, run, batch)) : null;
  const guessed = !flags.data && freeExtents(description);
  const json = { model: path, environment, batch, predictions, units, guessed };
  return {
    json,
    text: () =>
      predictionText({
        path,
        environment,
        predictions,
        units,
        guessed,
        rows: rowsOf(known, { environment: environment.id }).length,
      }),
  };
}

/** @throws UsageError where the model takes another number of samples at once */
function batchOf(description: Description, wanted: number | undefined): number {
  const own = fixedBatch(description) ?? wanted ?? 1;
  if (wanted === undefined || wanted === own) return own;
  throw new UsageError(`--batch ${wanted}: the model runs ${own} at once, and no other number of samples`);
}

function unitsOf(model: LatencyModel, description: Description, run: Run, batch: number) {
  return partTimes(model, description, () => run, batch).map(({ spec, unit, ms, from }) => {
    return { run, unit, form: spec.form, ms, from };
  });
}

interface Told {
  readonly path: string;
  readonly environment: Environment;
  readonly predictions: readonly { run: Run; ms: number; low: number; high: number; known: number }[];
  readonly units: readonly { run: Run; unit: string; form: string; ms: number; from: string }[] | null;
  /** The model leaves extents free, and no data told them. */
  readonly guessed: boolean;
  readonly rows: number;
}

function predictionText({ path, environment, predictions, units, guessed, rows }: Told): string {
  const ms = (x: number): string => x.toPrecision(3);
  const whole = predictions.map(({ run, known, ...each }) => {
    return [run, ms(each.ms), `${ms(each.low)} to ${ms(each.high)}`, `${Math.round(100 * known)} %`];
  });
  const parts = (units ?? []).map((each) => [each.run, each.unit, each.form, ms(each.ms), each.from]);
  return [
    `${path} in ${environment.name} (${environment.id}), from ${rows} rows`,
    "",
    table(["run", "ms", "9 of 10 times", "from rows of the very units"], whole, [1, 3]),
    ...(guessed
      ? ["", "The model leaves extents of its input free, taken as 1 here: --data has samples of others."]
      : []),
    ...(units ? ["", table(["run", "unit", "operators", "ms", "from"], parts, [3])] : []),
  ].join("\n");
}
