import { readFile, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { type Command, Option } from "commander";
import { memorySink } from "../bytes.ts";
import { type PackReport, pack } from "../container/writer.ts";
import { modelGraph } from "../model/graph.ts";
import { readModel } from "../model/recognise.ts";
import { fileFolder, fileSink } from "../node.ts";
import { parsePlan } from "../plan.ts";
import type { Report } from "../report/report.ts";
import type { CheckpointPlace } from "../tune/checkpoint.ts";
import { DivergedError } from "../tune/diverged.ts";
import type { TuneOptions, TuneResult } from "../tune/options.ts";
import type { StepSizes } from "../tune/projection.ts";
import type { Score } from "../tune/score.ts";
import { tune } from "../tune/tune.ts";
import { addDataOptions, type DataFlags, withData } from "./data.ts";
import { openEngine } from "./engines.ts";
import { kernelsFor, type OpenFlags, withSinks, withSource } from "./files.ts";
import { wholeNumber } from "./numbers.ts";
import { nameOf, REPORT_OPTION, reportTo } from "./page.ts";
import { size, table } from "./print.ts";
import { Interrupted, type Result, type Task, UsageError } from "./terminal.ts";

export interface TuneFlags extends OpenFlags, DataFlags {
  readonly output?: string;
  readonly plan?: string;
  readonly planFor?: string[];
  readonly epochs?: string;
  readonly rate?: string;
  readonly batch?: string;
  readonly optimizer?: "adam" | "sgd";
  readonly sizes?: StepSizes;
  readonly validation?: string;
  readonly patience?: string;
  readonly seed?: string;
  readonly checkpoint?: string;
  readonly withGraph?: boolean;
  /** A file; true is what pack means by it. */
  readonly report?: string | boolean;
}

export function addTuneOptions(command: Command): Command {
  const collect = (value: string, list: string[] = []): string[] => [...list, value];
  return addDataOptions(command)
    .requiredOption("-o, --output <file>", "the .quern file to write")
    .requiredOption("-p, --plan <plan>", 'what is done to every tensor, such as "int8 bits 2 > smallest"')
    .option(
      "--plan-for <glob=steps>",
      'other steps for tensors by name, such as "conv1/*=int8 channel axis -1"; may be repeated',
      collect,
    )
    .option("--epochs <n>", "turns through the samples (default: 10)")
    .option("--rate <x>", "of the first steps; falls along a cosine (default: 0.001, of sgd 0.01)")
    .option("--batch <n>", "samples in a step (default: 32)")
    .addOption(new Option("--optimizer <name>", "default: adam").choices(["adam", "sgd"]))
    .addOption(
      new Option(
        "--sizes <how>",
        "step sizes of plans with a target: fixed (default), or learned, whatever that makes of the file's size",
      ).choices(["fixed", "learned"]),
    )
    .option("--validation <share>", "of the samples, kept to tell how good it gets (default: 0.2)")
    .option("--patience <n>", "ends after so many epochs that are no better (default: never)")
    .option("--seed <n>", "of the split and the order (default: 1)")
    .option("--checkpoint <file>", "kept after every epoch; a run that was stopped goes on from it")
    .option("--with-graph", "keeps the model's graph in the file, so that classify needs no other")
    .option(...REPORT_OPTION);
}

/** Trains a model under a plan and packs what comes of it. */
export async function tuneVerb(task: Task, flags: TuneFlags, path = ""): Promise<Result> {
  const { output = "", checkpoint } = flags;
  for (const other of [path, checkpoint ?? path])
    if (resolve(output) === resolve(other)) throw new UsageError(`the output would replace ${other}: name another`);
  const options = optionsOf(flags, task);
  const page = reportTo(flags.report, [path, output, ...(checkpoint === undefined ? [] : [checkpoint])]);
  const kernels = await kernelsFor(flags);
  if (kernels.tier === "js") throw new UsageError("tune needs WebAssembly: the js tier (QUERN_TIER) only decodes");
  return withData(flags, (dataset) =>
    withSource(path, async (source) => {
      const { engine, bytes } = await openEngine(path);
      try {
        const folder = fileFolder(dirname(path));
        const graph = flags.withGraph ? ((await modelGraph(source, folder)) ?? undefined) : undefined;
        const packed = { kernels, graph, signal: task.signal };
        const model = await readModel(source, folder);
        // What cannot be packed is known before hours of training.
        const before = await pack(model, options.plan, memorySink(), packed);
        const write = (result: TuneResult): Promise<PackReport> =>
          withSinks(async (create) => pack(result.model, result.plan, await create(output), packed));
        const result = await tune(engine, model, dataset, { ...options, kernels }).catch((error: Error) =>
          ended(error, task, flags, write),
        );
        const report = await write(result);
        const all = { source: bytes, before: before.fileBytes, after: report.fileBytes };
        const tuned = { file: path, output, runtime: engine.runtime, bytes: all, tuned: result, report };
        await page(reportOf(tuned));
        return resultOf(tuned);
      } finally {
        await engine.close();
      }
    }),
  );
}

function optionsOf(flags: TuneFlags, task: Task): TuneOptions {
  const { optimizer, sizes, checkpoint } = flags;
  return {
    ...{ plan: parsePlan(flags.plan ?? "", flags.planFor), optimizer, sizes, signal: task.signal },
    epochs: wholeNumber("--epochs", flags.epochs, 1),
    batch: wholeNumber("--batch", flags.batch, 1),
    patience: wholeNumber("--patience", flags.patience, 1),
    seed: wholeNumber("--seed", flags.seed, 0),
    rate: between("--rate", flags.rate, Number.POSITIVE_INFINITY),
    validation: between("--validation", flags.validation, 1),
    checkpoint: checkpoint === undefined ? undefined : checkpointAt(checkpoint),
    onProgress({ done, total, loss, score }) {
      const note = `loss ${loss.toFixed(3)}, validation ${score.loss.toFixed(3)}, ${percent(score.accuracy)} right`;
      task.progress({ done, total, note });
    },
  };
}

function between(flag: string, text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (value > 0 && value < most) return value;
  const range = most === 1 ? "a number between 0 and 1" : "a number above 0";
  throw new UsageError(`${flag} expected ${range}, got "${text}"`);
}

/** A file that is written aside, and then takes the place of the one before. */
function checkpointAt(path: string): CheckpointPlace {
  return {
    async read() {
      const found = await stat(path).catch(() => null);
      return found && new Uint8Array(await readFile(path));
    },
    async write(bytes) {
      const sink = await fileSink(path);
      try {
        await sink.write(bytes, 0);
        await sink.close();
      } finally {
        await sink.discard();
      }
    },
  };
}

/** Says what is left of a run that ends before its time. */
async function ended(
  error: Error,
  { signal }: Task,
  { output = "", checkpoint }: TuneFlags,
  write: (result: TuneResult) => Promise<PackReport>,
): Promise<never> {
  if (error instanceof DivergedError) {
    await write(error.result);
    error.message += `. ${output} has the best weights so far, of epoch ${error.result.best}`;
  }
  if (error !== signal.reason || checkpoint === undefined) throw error;
  const kept = (await stat(checkpoint).catch(() => null)) !== null;
  throw new Interrupted(
    kept ? `interrupted: the same command goes on from ${checkpoint}` : `interrupted before the first epoch's end`,
  );
}

interface Tuned {
  readonly file: string;
  readonly output: string;
  readonly runtime: string;
  readonly bytes: { readonly source: number; readonly before: number; readonly after: number };
  readonly tuned: TuneResult;
  readonly report: PackReport;
}

function reportOf({ file, output, runtime, bytes, tuned, report }: Tuned): Report {
  const { train, validation } = tuned.samples;
  return {
    title: nameOf(file),
    facts: [
      ["model", nameOf(file)],
      ["compressed", nameOf(output)],
      ["plan", report.plan],
      ["runtime", runtime],
      ["samples", `${train} to train with, ${validation} to validate`],
    ],
    bytes: { before: bytes.source, after: bytes.after },
    tuning: tuned,
  };
}

function resultOf(all: Tuned): Result {
  const { tuned, report, ...rest } = all;
  const { original, scores, best, early, samples } = tuned;
  const { plan, sha256 } = report;
  const [before, after] = [scores[0], scores[best]];
  const json = { ...rest, plan, sha256, samples, original, before, after, scores, best, early };
  return { json, text: () => tunedText(all) };
}

function tunedText({ file, output, runtime, bytes, tuned, report }: Tuned): string {
  const { original, scores, best, early, samples } = tuned;
  const row = (name: string, { loss, accuracy }: Score, stored: number): string[] => [
    name,
    percent(accuracy),
    loss.toFixed(4),
    size(stored),
  ];
  const rows = [
    row("as it was", original, bytes.source),
    row("compressed", scores[0] as Score, bytes.before),
    row("compressed and tuned", scores[best] as Score, bytes.after),
  ];
  const epochs = scores.length - 1;
  return [
    `${file}: ${samples.train} samples to train with, ${samples.validation} to validate, on ${runtime}`,
    `epochs: ${epochs}${early ? " (then nothing got better)" : ""}, the best is ${best === 0 ? "none" : best}`,
    "",
    table(["", "right", "loss, nats", "bytes"], rows, [1, 2, 3]),
    "",
    `${output}  sha256 ${report.sha256}`,
  ].join("\n");
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
