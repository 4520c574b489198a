import { costTable } from "../container/estimate.ts";
import type { Dataset } from "../data/dataset.ts";
import { describedFor, firstOf } from "../data/described.ts";
import { feedOf } from "../data/feed.ts";
import { argument, DataError } from "../errors.ts";
import { loadKernels } from "../kernels.ts";
import { decodeSpeed } from "../latency/decoding.ts";
import { predictLoad } from "../latency/load.ts";
import { latencyModel } from "../latency/predict.ts";
import { rowsOf } from "../latency/table.ts";
import { shuffled } from "../random.ts";
import type { Model } from "../tensor.ts";
import { decodedTensors } from "./decoded.ts";
import { dataDigest, digest, modelDigest, outputsDigest } from "./digest.ts";
import { GOALS, type Job, type Limits, newSpending } from "./job.ts";
import { type Ledger, memoryLedger, openLedger } from "./ledger.ts";
import { presetSpace } from "./presets.ts";
import { DEFAULT_PRIORITY } from "./prior.ts";
import { type CompressOptions, DEFAULT_LOSS } from "./settings.ts";

// A run begins: what was asked for is checked, samples are drawn, and the ledger is read.

const TRIAL = 256;
const SCORE = 64;

export async function newJob(model: Model, options: CompressOptions): Promise<Job> {
  const { engine, environment, table, data, signal, goal = "latency", limits = {}, seed = 1 } = options;
  demandOptions(options);
  if (goal === "load") demandLine(options);
  const kernels = options.kernels ?? (await loadKernels());
  const samples = drawn(data, options, seed);
  const description = await describedFor(engine, data);
  // What a table of thousands of rows tells takes seconds, in which no signal is heard.
  await new Promise((resolve) => setTimeout(resolve));
  signal?.throwIfAborted();
  const job: Omit<Job, "ledger"> = {
    ...{ kernels, engine, model, environment, table, data, goal, seed, samples, signal },
    description,
    latency: latencyModel(table, environment, options.wholeOf),
    decoding: decodeSpeed(table, environment),
    costs: costTable(kernels, model),
    decoded: decodedTensors(kernels),
    fitted: new WeakMap(),
    priority: options.priority ?? DEFAULT_PRIORITY,
    comparing: options.comparing ?? {},
    limits: limitsOf(limits),
    graph: options.graph ?? null,
    spending: newSpending(options.budget ?? {}),
    onProgress: options.onProgress ?? (() => {}),
  };
  return { ...job, ledger: await ledgerOf(job, options) };
}

function demandOptions({
  goal = "latency",
  limits = {},
  budget = {},
  rounds = 2,
  samples = {},
}: CompressOptions): void {
  argument(GOALS.includes(goal), "goal", GOALS.join(", "), goal);
  for (const [name, value] of Object.entries(limits))
    argument(value === undefined || value >= 0, `limits.${name}`, "a number from 0", value);
  const { trials = 1, seconds = 1 } = budget;
  argument(Number.isInteger(trials) && trials > 0, "budget.trials", "a whole number above 0", trials);
  argument(seconds >= 0, "budget.seconds", "a number from 0", seconds);
  argument(Number.isInteger(rounds) && rounds >= 0, "rounds", "a whole number from 0", rounds);
  for (const [name, value = 1] of Object.entries(samples))
    argument(Number.isInteger(value) && value > 0, `samples.${name}`, "a whole number above 0", value);
}

/** Infinite ones are none. */
function limitsOf({ loss = DEFAULT_LOSS, ...others }: Limits): Limits {
  const finite = Object.entries({ loss, ...others }).filter(
    ([, most]) => most !== undefined && most < Number.POSITIVE_INFINITY,
  );
  return Object.fromEntries(finite);
}

function demandLine({ environment, table }: CompressOptions): void {
  const empty = { fileBytes: 0, headerBytes: 0, chunks: [], tensors: [], peak: 0, rareHeader: false };
  const { reason } = predictLoad(empty, environment, table);
  if (reason !== null) throw new DataError(`the goal "load" needs to know the line: ${reason}`);
}

/** In the order of the data, which are read faster so. Those for scores are among those for trials: what both say is of the same model. */
function drawn({ count }: Dataset, { samples = {} }: CompressOptions, seed: number): Job["samples"] {
  if (count === 0) throw new DataError("the data have no samples: losses cannot be measured");
  const order = shuffled(count, seed);
  const first = (most: number): number[] => order.slice(0, most).sort((a, b) => a - b);
  return {
    all: Array.from({ length: count }, (_, i) => i),
    trial: first(samples.trial ?? TRIAL),
    score: first(Math.min(samples.score ?? SCORE, samples.trial ?? TRIAL)),
  };
}

async function ledgerOf(job: Omit<Job, "ledger">, options: CompressOptions): Promise<Ledger> {
  if (!options.ledger) return memoryLedger();
  const { engine, data, samples, signal, goal, limits, seed, priority, comparing, table, environment } = job;
  const { rounds = 2, tune = false, opset = null, space = presetSpace(job.description) } = options;
  const of = (value: unknown): string => digest().add(JSON.stringify(value)).text();
  return openLedger(options.ledger, {
    model: await modelDigest(job.model, signal),
    data: await dataDigest(data, samples.all, signal),
    units: of(job.description),
    outputs: outputsDigest(await engine.run(await firstOf(feedOf(job.description, data), data))),
    table: of(rowsOf(table)),
    environment: of([environment.id, environment.line]),
    runtime: engine.runtime,
    ...{ goal, seed, rounds, tune, opset, trials: job.spending.most },
    limits: JSON.stringify(limits),
    samples: `${samples.trial.length} ${samples.score.length}`,
    space: of(space),
    priority: of(priority),
    comparing: of(comparing),
    graph: job.graph ? digest().add(job.graph).text() : null,
  });
}
