import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Dataset } from "../../src/data/dataset.ts";
import { openData } from "../../src/data.ts";
import type { Engine, Value } from "../../src/engine/engine.ts";
import { runtimeName } from "../../src/engine/onnx/runtime.ts";
import { type OnnxRuntime, onnxEngine } from "../../src/engine/onnx.ts";
import { bytesSource, type Model, readOnnx } from "../../src/index.ts";
import { detectEnvironment } from "../../src/latency/detect.ts";
import type { Environment, RuntimeName } from "../../src/latency/environment.ts";
import { parseLines } from "../../src/latency/lines.ts";
import { predictRun } from "../../src/latency/predict.ts";
import type { LatencyTable } from "../../src/latency/table.ts";
import { openAsRun } from "../../src/measure/asrun.ts";
import { knownReference } from "../../src/measure/build.ts";
import { nameOf, relative } from "../../src/measure/family.ts";
import { onnxRunner } from "../../src/measure/ort.ts";
import { givenTo } from "../../src/measure/unit.ts";
import { timeInVisits } from "../../src/measure/visits.ts";
import { wholeOf } from "../../src/measure/whole.ts";
import { readModelFields } from "../../src/model/onnx/graph.ts";
import { walkOver } from "../../src/model/onnx/wire.ts";
import { printPlan } from "../../src/plan.ts";
import { newJob } from "../../src/strategy/begin.ts";
import { type Candidate, parseCandidate } from "../../src/strategy/candidate.ts";
import { compress } from "../../src/strategy/compress.ts";
import { candidatesOf } from "../../src/strategy/filter.ts";
import { waysToRun } from "../../src/strategy/how.ts";
import { memoryPlace } from "../../src/strategy/ledger.ts";
import { presetSpace } from "../../src/strategy/presets.ts";
import { tryOut } from "../../src/strategy/trial.ts";
import { memoryFiles, raw } from "../data.files.ts";
import { type PageTimer, pageTimer } from "./choice.page.ts";
import { basicPitch, stories } from "./compress.models.ts";

// Whether the plan that compress chooses for a place is the fastest there: all candidates of the presets are run for their loss, and every way that they run
// units is timed. The machine has to be quiet.
// npx tsx test/accuracy/choice.bench.ts --runtime onnxruntime-web|onnxruntime-node --table rows.jsonl [--graphs 72] [--visits 4] [--max-loss 0.01] [--real]
// With --page, ways are timed in Chromium, for a table that was measured there (test/browser/latency.build.mjs); what they lose is found in Node.

const { values } = parseArgs({
  options: {
    runtime: { type: "string", default: "onnxruntime-web" },
    table: { type: "string", default: "docs/latency.jsonl" },
    graphs: { type: "string", default: "72" },
    visits: { type: "string", default: "4" },
    /** In place of none. */
    "max-loss": { type: "string" },
    /** Those that somebody has trained, and none of the family. */
    real: { type: "boolean", default: false },
    page: { type: "boolean", default: false },
    /** Models whose names have this in them. */
    only: { type: "string", default: "" },
    /** Every way, as it is told and as it was measured. */
    list: { type: "boolean", default: false },
  },
});

const HELD_OUT = 3;
const BAR = 1.05;

interface Subject {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly engine: Engine;
  readonly model: Model;
  readonly data: Dataset;
  readonly samples: { readonly trial: number; readonly score: number };
  /** Samples that the model takes at once. */
  readonly batch: number;
}

async function drawn(index: number): Promise<Subject> {
  const { name, bytes, input } = relative(index);
  const count = 16;
  const [batch = 1, ...rest] = input.shape;
  const all = givenTo([count, ...rest]);
  const data = await openData(memoryFiles({ x: raw(all) }), [{ path: "x" }], { shape: [...rest], dtype: "f32" });
  const engine = await onnxEngine(bytes, { ort });
  const model = await readOnnx(bytesSource(bytes));
  return { name, bytes, engine, model, data, samples: { trial: count, score: count }, batch };
}

const module = await import(values.runtime);
const ort: OnnxRuntime = module.InferenceSession ? module : module.default;
const table: LatencyTable = parseLines(readFileSync(values.table), { torn: true });
const environment = await environmentHere();
const runner = onnxRunner(ort);
const ms = knownReference(table, environment, runner) as number;
const timer = values.page ? await pageTimer(ms) : await ownTimer();

async function environmentHere(): Promise<Environment> {
  const [one, ...others] = [...table.environments.values()];
  if (values.page && one && others.length === 0) return one;
  if (values.page) throw new Error(`${values.table}: expected the rows of one environment, those of a page`);
  const { id } = await detectEnvironment({
    runtime: { name: values.runtime as RuntimeName, version: runtimeName(ort).split(" ")[1], threads: 1 },
  });
  const found = table.environments.get(id);
  if (!found) throw new Error(`no rows of this machine in ${values.table}: ${id}`);
  return found;
}

async function ownTimer(): Promise<PageTimer> {
  const unit = await runner.open(runner.reference);
  if (!unit) throw new Error("no reference");
  const reference = { run: unit.run, ms };
  return {
    times: (toRun, ways, visits) =>
      timeInVisits(
        ways.map((runOf) => () => openAsRun(ort, toRun, runOf)),
        { reference, visits },
      ),
    close: async () => unit.close(),
  };
}

async function chosen(subject: Subject): Promise<boolean> {
  const { name, bytes, engine, model, data, samples, batch } = subject;
  const loss = values["max-loss"] === undefined ? Number.POSITIVE_INFINITY : Number(values["max-loss"]);
  const ledger = memoryPlace();
  const { opset } = await readModelFields(walkOver(bytesSource(bytes)));
  const options = {
    ...{
      engine,
      environment,
      table,
      wholeOf,
      data,
      samples,
      ledger,
      opset,
      seed: 1,
      rounds: 0,
      goal: "latency" as const,
    },
    ...{ limits: { loss }, budget: { trials: 1000 }, comparing: { batch } },
  };
  const answer = await compress(model, options);
  const job = await newJob(model, options);
  const { description } = job;
  const { kept } = candidatesOf(presetSpace(description), model, description, environment, { opset });
  const answered = parseCandidate(answer.plan);
  const within: Candidate[] = [];
  for (const candidate of [...kept, answered]) {
    if (Number.isFinite(loss) && (await tryOut(job, candidate)).loss > loss) continue;
    within.push(candidate);
  }
  const all = waysToRun(job, within, (candidate) => candidate);
  const mine = all.findIndex(({ alike }) => alike.includes(answered));
  const [input] = description.inputs;
  const { inputs } = await data.read(Array.from({ length: batch }, (_, i) => i));
  const toRun = {
    model: bytes,
    units: description.units,
    inputs: new Map<string, Value>([[input?.name ?? "", inputs]]),
  };
  const times = await timer.times(
    toRun,
    all.map(({ runOf }) => runOf),
    Number(values.visits),
  );
  await engine.close();
  const best = Math.min(...times.map((time) => time?.ms ?? Number.POSITIVE_INFINITY));
  const own = mine < 0 ? Number.POSITIVE_INFINITY : (times[mine]?.ms ?? Number.POSITIVE_INFINITY);
  const met = own <= BAR * best;
  console.log(
    `${met ? "met   " : "MISSED"} ${name}: ${kept.length} candidates, ${all.length} ways; "${answer.plan.slice(-40)}" takes ${own.toFixed(3)} ms, the best ${best.toFixed(3)}: ${(100 * (own / best - 1)).toFixed(1)} % more`,
  );
  for (const [i, { runOf, alike }] of values.list ? all.entries() : []) {
    const told = predictRun(job.latency, description, runOf, batch);
    const runs = [...new Set(alike.map(({ run, smooth }) => (smooth ? `${run} smooth` : run)))].join(", ");
    console.log(
      `  ${(times[i]?.ms ?? Number.NaN).toFixed(3)} ms, told ${told.ms.toFixed(3)} (${told.low.toFixed(3)} to ${told.high.toFixed(3)}): ${runs}; "${alike[0] ? printPlan(alike[0].plan).slice(-50) : ""}"`,
    );
  }
  return met;
}

let [good, count] = [0, 0];
const judge = async (subject: Subject): Promise<void> => {
  count++;
  if (await chosen(subject)) good++;
};
if (values.real) {
  for (const open of [stories, basicPitch]) {
    const found = await open();
    if (found?.name.includes(values.only)) await judge({ ...found, bytes: found.bytes as Uint8Array, batch: 1 });
  }
} else {
  for (let index = HELD_OUT - 1; index < Number(values.graphs); index += HELD_OUT)
    if (nameOf(index).includes(values.only)) await judge(await drawn(index));
}
await timer.close();
console.log(`${environment.id}: ${good} of ${count} within 5 %`);
process.exitCode = good >= 0.9 * count ? 0 : 1;
