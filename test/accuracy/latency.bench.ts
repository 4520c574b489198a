import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { detectEnvironment } from "../../src/latency/detect.ts";
import type { RuntimeName } from "../../src/latency/environment.ts";
import { environmentLine, FIRST_LINE, parseLines, rowLine } from "../../src/latency/lines.ts";
import { latencyModel, predictWhole } from "../../src/latency/predict.ts";
import type { Run } from "../../src/latency/run.ts";
import { addEnvironment, addRow, newTable } from "../../src/latency/table.ts";
import { buildTable, knownReference } from "../../src/measure/build.ts";
import { nameOf, relative } from "../../src/measure/family.ts";
import { quartiles } from "../../src/measure/loop.ts";
import { onnxRunner } from "../../src/measure/ort.ts";
import type { Runner } from "../../src/measure/runner.ts";
import { tfjsRunner } from "../../src/measure/tfjs.ts";
import { timeInVisits } from "../../src/measure/visits.ts";
import { layersRelative, wholeFrom, wholeOf } from "../../src/measure/whole.ts";

// How well times of whole models are told from a table that has never seen them: a table is built within its budget, then the graphs of the family that
// are held out are measured, every third one. One runtime to a process; the machine has to be quiet.
// tsx test/accuracy/latency.bench.ts --runtime onnxruntime-web [--budget 180] [--graphs 72] [--visits 4] [--table rows.jsonl] [--measured models.json]

const { values } = parseArgs({
  options: {
    runtime: { type: "string", default: "onnxruntime-web" },
    budget: { type: "string", default: "180" },
    graphs: { type: "string", default: "72" },
    table: { type: "string" },
    measured: { type: "string" },
    visits: { type: "string", default: "4" },
    list: { type: "boolean", default: false },
  },
});

const HELD_OUT = 3;
const percent = (x: number): string => `${(100 * x).toFixed(1)} %`;

interface MeasuredModel {
  readonly index: number;
  readonly run: Run;
  readonly ms: number;
  /** Of pages. */
  readonly calm?: boolean | undefined;
}

async function openRunner(): Promise<Runner> {
  if (values.runtime === "tfjs-wasm") return tfjsRunner((await import("./tensorflow.ts")).tfjs as never);
  const module = await import(values.runtime);
  const ort = module.InferenceSession ? module : module.default;
  return onnxRunner(ort);
}

async function openTable(runner: Runner) {
  const { table: path } = values;
  const version = runner.runtime.split(" ")[1];
  const name = values.runtime as RuntimeName;
  const environment = await detectEnvironment({ runtime: { name, version, threads: 1 } });
  const known = path !== undefined && existsSync(path);
  const table = known ? parseLines(readFileSync(path), { torn: true }) : newTable();
  // Measured elsewhere, such as in a page: what is there is what there is.
  const [first] = table.environments.values();
  if (known && first && Number(values.budget) === 0) return { table, environment: first };
  if (path !== undefined && !known) writeFileSync(path, FIRST_LINE + environmentLine(environment));
  addEnvironment(table, environment);
  const report = await buildTable(runner, environment, {
    ...{ table, tool: "bench", budget: Number(values.budget) },
    onRow(row) {
      addRow(table, row);
      if (path !== undefined) appendFileSync(path, rowLine(row));
    },
  });
  console.log(`${report.rows} rows in ${values.budget} s, drift ${report.drift.map((x) => x.toFixed(2)).join(" to ")}`);
  return { table, environment };
}

async function measureModels(runner: Runner, referenceMs: number): Promise<MeasuredModel[]> {
  const reference = await runner.open(runner.reference);
  if (!reference) throw new Error("no reference");
  const held = Array.from({ length: Math.floor(Number(values.graphs) / HELD_OUT) }, (_, i) => HELD_OUT * (i + 1) - 1);
  const all = held.flatMap((index) => runner.runs.map((run) => ({ index, run })));
  const opens = all.map(
    ({ index, run }) =>
      async () =>
        (await runner.openModel(index, 1, run))?.unit ?? null,
  );
  const beside = { run: reference.run, ms: referenceMs };
  const times = await timeInVisits(opens, { reference: beside, visits: Number(values.visits) });
  await reference.close();
  const found = all.flatMap((each, i) => (times[i] ? [{ ...each, ...times[i] }] : []));
  const apart = found.reduce((sum, { ms, low, high }) => sum + (high - low) / ms / found.length, 0);
  console.log(`the visits of a model are ${percent(apart)} apart`);
  return found;
}

/** One of each model and way to run it: the middle of its visits, of those that were not disturbed where there are any. */
function together(visits: readonly MeasuredModel[]): MeasuredModel[] {
  const found = new Map<string, MeasuredModel[]>();
  for (const visit of visits) {
    const key = `${visit.index} ${visit.run}`;
    found.set(key, [...(found.get(key) ?? []), visit]);
  }
  return [...found.values()].map((all) => {
    const calm = all.filter((visit) => visit.calm !== false);
    const [, ms] = quartiles((calm.length > 0 ? calm : all).map((visit) => visit.ms));
    return { ...(all[0] as MeasuredModel), ms };
  });
}

const runner = await openRunner();
const { table, environment } = await openTable(runner);
const model = latencyModel(table, environment, wholeOf);
const stored = values.measured !== undefined && existsSync(values.measured);
const visits: MeasuredModel[] = stored
  ? JSON.parse(readFileSync(values.measured as string, "utf8"))
  : await measureModels(runner, knownReference(table, environment, runner) ?? 1);
if (values.measured !== undefined && !stored) writeFileSync(values.measured, JSON.stringify(visits));
const measured = together(visits);

const told = measured.map(({ index, run, ms }) => {
  const whole =
    values.runtime === "tfjs-wasm" ? layersRelative(index, 1, null)?.whole : wholeFrom(relative(index), run);
  if (!whole) throw new Error(`graph ${index} is none`);
  const prediction = predictWhole(model, whole);
  return {
    index,
    run,
    ms,
    ...{ told: prediction.ms, low: prediction.low, high: prediction.high, known: prediction.known },
  };
});
function rankCorrelation(a: readonly number[], b: readonly number[]): number {
  const ranks = (values: readonly number[]): number[] => {
    const order = values.map((_, i) => i).sort((i, j) => values[i] - values[j]);
    const rank = new Array<number>(values.length);
    for (const [place, i] of order.entries()) rank[i] = place;
    return rank;
  };
  const [x, y] = [ranks(a), ranks(b)];
  const squares = x.reduce((sum, rank, i) => sum + (rank - y[i]) ** 2, 0);
  return 1 - (6 * squares) / (a.length * (a.length ** 2 - 1));
}

console.log(`${environment.id}: whole models are within ${percent(model.whole.deviation)} of their units`);
for (const run of [...runner.runs, "all"]) {
  const rows = told.filter((each) => run === "all" || each.run === run);
  if (rows.length === 0) continue;
  const errors = rows.map(({ ms, told }) => Math.abs(told / ms - 1));
  const share = (test: (i: number) => boolean): string => percent(rows.filter((_, i) => test(i)).length / rows.length);
  console.log(
    [
      `${run}: ${rows.length} held-out models`,
      `mean error ${percent(errors.reduce((a, b) => a + b, 0) / rows.length)}`,
      `worst ${percent(Math.max(...errors))}`,
      `within 10 %: ${share((i) => errors[i] <= 0.1)}`,
      `within 15 %: ${share((i) => errors[i] <= 0.15)}`,
      `in the interval: ${share((i) => rows[i].ms >= rows[i].low && rows[i].ms <= rows[i].high)}`,
      `rank correlation ${rankCorrelation(
        rows.map((each) => each.ms),
        rows.map((each) => each.told),
      ).toFixed(3)}`,
    ].join(", "),
  );
}
if (values.list) {
  for (const { index, run, ms, told: own, low, high, known } of told) {
    const error = percent(own / ms - 1);
    console.log(
      `  ${nameOf(index).padEnd(15)} ${run.padEnd(5)} ${ms.toFixed(3)} told ${own.toFixed(3)} (${error}) [${low.toFixed(3)}, ${high.toFixed(3)}] known ${known.toFixed(2)}`,
    );
  }
}
