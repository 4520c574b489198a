import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { type Command, Option } from "commander";
import { detectEnvironment } from "../latency/detect.ts";
import { type Environment, parseEnvironment, type RuntimeName } from "../latency/environment.ts";
import type { LatencyTable } from "../latency/table.ts";
import type { LossKind } from "../loss/loss.ts";
import { wholeOf } from "../measure/whole.ts";
import { modelGraph } from "../model/graph.ts";
import { readModelFields } from "../model/onnx/graph.ts";
import { walkOver } from "../model/onnx/wire.ts";
import { formatOf, readModel } from "../model/recognise.ts";
import { compress } from "../strategy/compress.ts";
import { GOALS, type Goal, type Limits } from "../strategy/job.ts";
import { parsePriority } from "../strategy/priority.ts";
import type { CompressSettings } from "../strategy/settings.ts";
import { expandPlan } from "../strategy/space.ts";
import { bytesOf } from "./budget.ts";
import { type Chosen, chosenJson, chosenText } from "./chosen.ts";
import { choicePage } from "./compressed.ts";
import { addDataOptions, type DataFlags, dataPaths, withData } from "./data.ts";
import { installedRuntimes, openEngine } from "./engines.ts";
import { timeOf } from "./environment.ts";
import { kernelsFor, type OpenFlags, outputPath, readText, withSource, writeWhole } from "./files.ts";
import { formatIn } from "./format.ts";
import { ledgerAt } from "./ledger.ts";
import { wholeNumber } from "./numbers.ts";
import { REPORT_OPTION, reportPath } from "./page.ts";
import { demandApart, demandPlaces, watchedFolder } from "./places.ts";
import { environmentIn, tableOf } from "./tables.ts";
import { type Result, type Task, UsageError } from "./terminal.ts";

// quern compress: chooses how a model is compressed for a place, and packs it.

export interface CompressFlags extends OpenFlags, DataFlags {
  readonly output?: string;
  readonly env?: string;
  readonly table?: string;
  readonly goal?: Goal;
  readonly maxLoss?: string;
  readonly maxSize?: string;
  readonly maxLatency?: string;
  readonly maxMemory?: string;
  readonly space?: string[];
  readonly priority?: string;
  readonly trials?: string;
  readonly time?: string;
  readonly rounds?: string;
  readonly samples?: string;
  readonly seed?: string;
  readonly ledger?: string;
  readonly report?: string | boolean;
  readonly tune?: boolean;
  readonly withGraph?: boolean;
  readonly kind?: "auto" | LossKind;
  readonly batch?: string;
}

const HELP = `
Candidates are priced for the environment, and run on the data in the order of their goal until one meets all limits; that one is refined:
steps are chosen for single tensors by what each does to the outputs, and chosen again in the model that came of it. There is always a file.

Loss is what quern evaluate makes small: divergence of classes and text from the original's (1 % is 0.01 nats), or of other values the square
of the error by that of the original. Losses of candidates are measured on 256 samples drawn by the seed, and that of the answer on all.

Candidates are plans, with how units are run behind @ (f32, int8, int8 smooth, w8, w4), and lists in braces or between bars:
  quern compress model.onnx --data x.npy --goal size --max-loss 1%
  quern compress model.onnx --data x.npy --env phone.json --table latency.sqlite --max-latency 20ms --max-size 2MB
  quern compress model.onnx --data x.npy --space "int{8,4} channel|group 64 > auto @ {f32,int8}" --ledger run.jsonl -o model.quern

With --ledger a run that was stopped goes on where it was, and ends with the same bytes; --time makes both depend on the machine.`;

export function addCompressOptions(command: Command): Command {
  const collect = (value: string, list: string[] = []): string[] => [...list, value];
  return addDataOptions(command)
    .option("-o, --output <file>", "the file to write (default: the model's name with .quern)")
    .option(
      "--env <what>",
      "the environment that the model is for: a JSON file of quern env, or its name in the table (default: this machine, with the runtime of the model)",
    )
    .option(
      "--table <file>",
      "latencies that were measured there: SQLite or lines of JSON (default: those that ship, of the machine that builds quern; elsewhere only bounds are known)",
    )
    .addOption(new Option("--goal <what>", "what is to be small (default: latency)").choices([...GOALS]))
    .option("--max-loss <share>", "such as 1% or 0.01 (default: 1%)")
    .option("--max-size <size>", "of the file, such as 2MB")
    .option("--max-latency <time>", "of a run on one sample, such as 20ms")
    .option("--max-memory <size>", "while it is loaded, such as 64MB")
    .option("--space <candidates>", "in place of those for the kind of model; may be repeated", collect)
    .option("--priority <file>", "JSON: what goes first of candidates that are as good (default: a list of its own)")
    .option("--trials <n>", "models that are packed and run, at most (default: 40)")
    .option("--time <time>", "after which no trial is begun, such as 300s (default: none)")
    .option("--rounds <n>", "of refinement that find nothing better before it ends; 0: none (default: 2)")
    .option("--samples <n>", "that tell candidates apart, drawn by the seed (default: 256)")
    .option("--batch <n>", "samples that are run at once (default: 32)")
    .option("--seed <n>", "of all that is drawn (default: 1)")
    .option("--ledger <file>", "keeps what was found as lines of JSON; a run that was stopped goes on from it")
    .option(...REPORT_OPTION)
    .option("--tune", "trains the weights in the end, where the runtime can and the data have labels")
    .option("--with-graph", "keeps the graph of the model in the file")
    .addOption(
      new Option("--kind <kind>", "what the outputs are (default: by their shape)").choices([
        ...["auto", "classes", "values", "text", "embedding", "detection"],
      ]),
    )
    .addHelpText("after", HELP);
}

const SHIPPED = fileURLToPath(new URL("../../docs/latency.jsonl", import.meta.url));

export async function compressVerb(task: Task, flags: CompressFlags, file = ""): Promise<Result> {
  const output = outputPath(file, flags.output, ".quern");
  const places = { "-o": output, "--ledger": flags.ledger, "--report": reportPath(flags.report) };
  demandApart(places, [file, flags.env, flags.table, flags.priority, ...dataPaths(flags)]);
  await demandPlaces(places);
  const place = flags.ledger === undefined ? undefined : ledgerAt(flags.ledger);
  const page = choicePage(flags.report, place);
  const settings = await settingsOf(flags);
  const kernels = await kernelsFor(flags);
  if (kernels.tier === "js") throw new UsageError("compress needs WebAssembly: the js tier (QUERN_TIER) only decodes");
  const known = await tableOf(flags.table ?? SHIPPED, {});
  const environment = await environmentOf(flags, known, file);
  const start = performance.now();
  const onProgress: CompressSettings["onProgress"] = (step) =>
    task.progress({ ...step, note: step.note?.slice(0, 60) ?? "" });
  return withData(flags, async (data) => {
    const { engine, bytes } = await openEngine(file);
    try {
      const found = await withSource(file, async (source) => {
        const folder = watchedFolder(dirname(file));
        const graph = flags.withGraph ? await modelGraph(source, folder) : null;
        const model = await readModel(source, folder);
        const opset = (await formatOf(source)) === "onnx" ? (await readModelFields(walkOver(source))).opset : undefined;
        demandApart(places, folder.opened);
        const own = { ...settings, kernels, graph, opset, ledger: page.ledger, onProgress, signal: task.signal };
        const options = { ...own, engine, environment, table: known, wholeOf, data };
        const answer = await compress(model, options);
        await writeWhole(output, answer.file);
        await page.write({ model, options, answer, file, output, bytes });
        return answer;
      });
      const { runtime } = engine;
      const seconds = (performance.now() - start) / 1000;
      const chosen: Chosen = {
        file,
        output,
        runtime,
        environment: { id: environment.id, name: environment.name },
        bytes,
        samples: data.count,
        seconds,
        answer: found,
      };
      const text = (): string => [chosenText(chosen), ...(page.path === undefined ? [] : ["", page.path])].join("\n");
      return { json: { ...chosenJson(chosen), report: page.path }, text };
    } finally {
      await engine.close();
    }
  });
}

/** What is wrong with options is said before anything is opened. */
async function settingsOf(flags: CompressFlags): Promise<CompressSettings> {
  const { goal, space, tune, kind, priority } = flags;
  for (const text of space ?? []) expandPlan(text);
  const seconds = timeOf(flags.time, "--time");
  return {
    ...{ goal, space, tune, limits: limitsOf(flags) },
    priority: priority === undefined ? undefined : parsePriority(await readText(priority), priority),
    budget: {
      trials: wholeNumber("--trials", flags.trials, 1),
      seconds: seconds === undefined ? undefined : seconds / 1000,
    },
    rounds: wholeNumber("--rounds", flags.rounds, 0),
    seed: wholeNumber("--seed", flags.seed, 0),
    samples: { trial: wholeNumber("--samples", flags.samples, 1) },
    comparing: { kind, batch: wholeNumber("--batch", flags.batch, 1) },
  };
}

function limitsOf({ maxLoss, maxSize, maxLatency, maxMemory }: CompressFlags): Limits {
  return {
    loss: maxLoss === undefined ? undefined : shareOf(maxLoss),
    bytes: maxSize === undefined ? undefined : bytesOf("--max-size", maxSize),
    latency: timeOf(maxLatency, "--max-latency"),
    memory: maxMemory === undefined ? undefined : bytesOf("--max-memory", maxMemory),
  };
}

function shareOf(text: string): number {
  const [, number, percent] = /^(\d+\.?\d*|\.\d+)( ?%)?$/.exec(text.trim()) ?? [];
  if (number !== undefined) return Number(number) / (percent ? 100 : 1);
  throw new UsageError(`--max-loss expected a share such as 1% or 0.01, got "${text}"`);
}

/** A file says what the line is; a table has the environment by its name, too. Where nothing is said it is here, in a runtime that runs such a model. */
async function environmentOf({ env }: CompressFlags, known: LatencyTable, file: string): Promise<Environment> {
  const format = await withSource(file, (source) => formatIn(source, file));
  if (env !== undefined) {
    const isFile = env.endsWith(".json") || existsSync(env);
    const found = isFile ? parseEnvironment(await readText(env), env) : await environmentIn(known, env);
    if (!runs(found.runtime.name, format))
      throw new UsageError(
        `--env: ${found.runtime.name} runs no ${format} models: name an environment of a runtime that does`,
      );
    return found;
  }
  const runtime = (await installedRuntimes()).find(({ name }) => runs(name, format));
  if (!runtime)
    throw new UsageError("no runtime is installed here: name the environment that the model is for with --env");
  return detectEnvironment({ runtime });
}

function runs(runtime: RuntimeName, format: string): boolean {
  return runtime !== "quern" && (runtime === "tfjs-wasm") === (format === "tfjs");
}
