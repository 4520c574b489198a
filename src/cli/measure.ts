import { type Command, Option } from "commander";
import type { OnnxRuntime } from "../engine/onnx.ts";
import { runtimeOf } from "../engine/tfjs/runtime.ts";
import { DataError } from "../errors.ts";
import { loadKernels } from "../kernels.ts";
import { detectEnvironment } from "../latency/detect.ts";
import { type Environment, RUNTIMES, type RuntimeName } from "../latency/environment.ts";
import { specsOf, wholeModel } from "../latency/predict.ts";
import { RUNS } from "../latency/run.ts";
import type { UnitSpec } from "../latency/spec.ts";
import { type BuildReport, buildTable } from "../measure/build.ts";
import { onnxRunner } from "../measure/ort.ts";
import { quernRunner } from "../measure/quern.ts";
import type { Runner } from "../measure/runner.ts";
import { type TfjsModulesReady, tfjsRunner } from "../measure/tfjs.ts";
import { openJournal } from "../node/journal.ts";
import { addSampleOptions, type DataFlags } from "./data.ts";
import { descriptionOf } from "./described.ts";
import { installedRuntimes, packagesOf, runtimeModules } from "./engines.ts";
import { ownVersion } from "./environment.ts";
import { table } from "./print.ts";
import { type Result, runVerb, type Task, UsageError } from "./terminal.ts";

// quern latency build: measures units here.

interface Flags extends DataFlags {
  readonly json?: boolean;
  readonly db: string;
  readonly runtime?: RuntimeName;
  readonly budget: string;
  readonly model?: string[];
  readonly name?: string;
}

export function addBuildVerb(group: Command): void {
  const verb = group
    .command("build")
    .description(
      "measures units of models in a runtime that is installed here: one operator at a time in many sizes, the most telling first, then whole models. " +
        "What was found is kept when it is stopped, and not measured again",
    );
  addSampleOptions(verb, "whose first sample has the extents that models of --model leave free (default: each is 1)")
    .requiredOption("--db <file>", "the SQLite file that rows are added to; it is made if there is none")
    .addOption(new Option("--runtime <name>", "(default: the first that is installed)").choices(RUNTIMES))
    .option("--budget <time>", "how long it may take, such as 3m or 90s", "3m")
    .option("--model <file...>", "models whose units are measured first, so that they are known exactly")
    .option("--name <text>", "what the environment is called (default: the runtime and where it runs)")
    .option("--json", "one JSON object on stdout")
    .action((flags: Flags) => runVerb(flags.json === true, (task) => buildVerb(task, flags)));
}

async function buildVerb({ signal, progress }: Task, flags: Flags): Promise<Result> {
  const budget = secondsOf("--budget", flags.budget);
  const { runner, environment } = await openRuntime(flags);
  const first = await unitsOf(flags);
  const journal = await openJournal(flags.db, environment);
  let report: BuildReport;
  try {
    report = await buildTable(runner, environment, {
      ...{ table: journal.known, tool: ownVersion(), budget, first, signal, onRow: journal.add },
      onProgress: ({ done, total, rows, unit }) =>
        progress({ done: Math.round(10 * done), total: Math.round(10 * total), note: `${rows} rows, ${unit}` }),
    });
  } finally {
    // Even what was found before it was stopped.
    await journal.finish();
  }
  const json = { db: flags.db, environment, ...report };
  return { json, text: () => buildText(flags.db, environment, report) };
}

async function openRuntime({ runtime: wanted, name }: Flags): Promise<{ runner: Runner; environment: Environment }> {
  if (wanted === "quern") {
    const version = ownVersion();
    const environment = await detectEnvironment({ runtime: { name: wanted, version, threads: 1 }, name });
    return { runner: await quernRunner(await loadKernels(), version), environment };
  }
  const installed = await installedRuntimes();
  const found = installed.find((each) => each.name === (wanted ?? each.name));
  if (!found)
    throw new DataError(
      `${wanted ?? "no runtime"} is ${wanted ? "not " : ""}installed: npm install ${packagesOf(wanted ?? "onnxruntime-web")}`,
    );
  const modules = await runtimeModules(found.name as Exclude<RuntimeName, "quern">);
  const environment = await detectEnvironment({ runtime: { ...found, threads: 1 }, name });
  if (found.name !== "tfjs-wasm") return { runner: onnxRunner(modules as OnnxRuntime), environment };
  const { core, layers } = await runtimeOf(modules);
  return { runner: tfjsRunner({ core, layers } as unknown as TfjsModulesReady), environment };
}

/** Units of models, and calls of them, in every way to run them. */
async function unitsOf({ model = [], ...flags }: Flags): Promise<UnitSpec[]> {
  if (flags.data && model.length === 0) throw new UsageError("--data goes with --model: it tells extents of models");
  const specs = new Map<string, UnitSpec>();
  for (const path of model) {
    const description = await descriptionOf(path, flags);
    for (const run of RUNS)
      for (const spec of specsOf(wholeModel(description, () => run, 1))) specs.set(JSON.stringify(spec), spec);
  }
  return [...specs.values()];
}

function buildText(db: string, { id, name }: Environment, { rows, known, refused, drift }: BuildReport): string {
  const reasons = new Map(refused.map(({ unit, reason }) => [unit, reason]));
  const [least, most] = drift.map((share) => share.toFixed(2));
  return [
    `${db}: ${rows} new rows of ${name} (${id}), ${known} known before`,
    `speed of the machine meanwhile, by the reference: ${least} to ${most} times what it took first`,
    ...(reasons.size > 0 ? ["", table(["the runtime refuses", "because"], [...reasons], [])] : []),
  ].join("\n");
}

/** @throws UsageError */
function secondsOf(flag: string, text: string): number {
  const [, number, unit = "s"] = /^(\d+(?:\.\d+)?) ?(s|m|h)$/.exec(text) ?? [];
  const seconds = Number(number) * ({ s: 1, m: 60, h: 3600 }[unit] as number);
  if (seconds > 0) return seconds;
  throw new UsageError(`${flag} expected a time such as 3m or 90s, got "${text}"`);
}
