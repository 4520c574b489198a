import { DataError } from "../errors.ts";
import { now } from "../latency/checks.ts";
import type { Environment } from "../latency/environment.ts";
import type { Row } from "../latency/row.ts";
import type { Run } from "../latency/run.ts";
import type { UnitSpec } from "../latency/spec.ts";
import { type LatencyTable, lookup } from "../latency/table.ts";
import { type Clock, meter, withResolution } from "./clock.ts";
import { type Measured, measureUnit, quartiles, type Reference } from "./loop.ts";
import type { Runner } from "./runner.ts";
import type { OpenUnit } from "./unit.ts";
import { warmUp } from "./warm.ts";

export interface BuildOptions {
  /** Rows that are there already are not measured again. */
  readonly table: LatencyTable;
  /** Of this quern. */
  readonly tool: string;
  /** Seconds. Default: 180 */
  readonly budget?: number | undefined;
  /** Units to begin with, such as those of a model. */
  readonly first?: readonly UnitSpec[] | undefined;
  /** What a unit gets, in milliseconds. Default: what the runner says */
  readonly each?: number | undefined;
  /** Seconds of the budget in which units are run before any is measured, for engines that compile code well only then: see warm.ts. Default: a twelfth, at most 15 */
  readonly warm?: number | undefined;
  readonly clock?: Clock | undefined;
  /** UTC, to the second. */
  readonly date?: (() => string) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Rows as they are found. */
  readonly onRow: (row: Row) => Promise<void> | void;
  readonly onProgress?: ((progress: BuildProgress) => Promise<void> | void) | undefined;
}

export interface BuildProgress {
  /** Seconds. */
  readonly done: number;
  readonly total: number;
  readonly rows: number;
  readonly unit: string;
}

export interface BuildReport {
  readonly rows: number;
  /** Rows that were there before. */
  readonly known: number;
  /** Units that the runtime does not have, with its words. */
  readonly refused: readonly { readonly unit: string; readonly reason: string }[];
  /** Least and most of what the reference took, by what it took first. */
  readonly drift: readonly [number, number];
}

/** Of the budget, what whole models get. */
const WHOLE_SHARE = 0.2;
/** Whole models of the family that the factor of an environment is made of, by index; their seed is of this file alone. */
const WHOLE_SEED = 7;
const WHOLE: readonly number[] = [0, 1, 2, 3, 5, 6, 7, 4, 9, 10, 11, 8];
/** A unit that ran while the machine was this much slower is measured again. */
const MOST_DRIFT = 1.6;
const LONG = 2.5;
/** Of the budget, and in seconds: code of WebAssembly is compiled well only when it has run. */
const [WARM_SHARE, MOST_WARM] = [0.08, 15];

/**
 * Measures units of a runtime, the most telling first, and then whole models, until the time is up. Whatever was found stays found, whenever it ends.
 * @throws the signal's reason; DataError where the runtime does not have the reference
 */
export async function buildTable(
  runner: Runner,
  environment: Environment,
  options: BuildOptions,
): Promise<BuildReport> {
  const { budget = 180, each = runner.each ?? 90, warm = Math.min(MOST_WARM, WARM_SHARE * budget) } = options;
  const clock = withResolution(options.clock ?? performance);
  const job: Job = {
    runner,
    environment,
    options,
    clock,
    start: clock.now(),
    rows: 0,
    known: 0,
    refused: [],
    drifts: [],
  };
  const onUnit = (spec: UnitSpec) => tell(job, `warm-up, ${nameOf(spec)}`);
  await warmUp(runner, clock, { first: CALLS, seconds: warm, signal: options.signal, onUnit });
  const reference = await openReference(job);
  const alone = (spec: UnitSpec, until: number): Promise<void> =>
    measured(job, reference, spec, { open: () => runner.open(spec), long: each, until });
  try {
    for (const spec of [...CALLS, ...(options.first ?? [])]) await alone(spec, budget);
    for (const spec of runner.specs()) {
      if (seconds(job) >= (1 - WHOLE_SHARE) * budget) break;
      await alone(spec, budget);
    }
    for (const [index, run] of WHOLE.flatMap((index) => runner.runs.map((run) => [index, run] as const))) {
      const open = async () => (await runner.openModel(index, WHOLE_SEED, run))?.unit ?? null;
      await measured(job, reference, modelSpec(runner, index, run), { open, long: LONG * each, until: budget });
    }
  } finally {
    await reference.close();
  }
  const { rows, known, refused, drifts } = job;
  await options.onProgress?.({ done: budget, total: budget, rows, unit: "" });
  return { rows, known, refused, drift: [Math.min(...drifts, 1), Math.max(...drifts, 1)] };
}

interface Job {
  readonly runner: Runner;
  readonly environment: Environment;
  readonly options: BuildOptions;
  readonly clock: Clock;
  /** By the clock. */
  readonly start: number;
  rows: number;
  known: number;
  readonly refused: { unit: string; reason: string }[];
  readonly drifts: number[];
}

const seconds = ({ clock, start }: Job): number => (clock.now() - start) / 1000;

const nameOf = ({ type, form, precision }: UnitSpec): string => `${type} ${form} ${precision}`;

async function tell(job: Job, unit: string): Promise<void> {
  const { budget = 180, onProgress } = job.options;
  await onProgress?.({ done: seconds(job), total: budget, rows: job.rows, unit });
}

interface Wish {
  readonly open: () => Promise<OpenUnit | null>;
  /** Milliseconds. */
  readonly long: number;
  /** Seconds from the start, after which nothing begins. */
  readonly until: number;
}

/** One unit, unless it is known. */
async function measured(job: Job, reference: Reference, spec: UnitSpec, { open, long, until }: Wish): Promise<void> {
  const { options, environment, clock, refused } = job;
  const { signal, table } = options;
  signal?.throwIfAborted();
  if (seconds(job) >= until) return;
  if (lookup(table, { ...spec, environment: environment.id })) {
    job.known++;
    return;
  }
  const unit = nameOf(spec);
  await tell(job, unit);
  const opened = await opening(open, unit, refused);
  if (!opened) return;
  try {
    let found = await measureUnit(clock, reference, opened, long, signal);
    if (found.drift > MOST_DRIFT) found = await measureUnit(clock, reference, opened, long, signal);
    job.drifts.push(found.drift);
    await add(job, spec, found);
  } finally {
    await opened.close();
  }
}

async function add(job: Job, spec: UnitSpec, measured: Measured): Promise<void> {
  await job.options.onRow(rowOf(job, spec, measured));
  job.rows++;
}

/** What calls cost by what goes in and out. */
const CALLS: readonly UnitSpec[] = [16, 256, 4096, 16384, 49152].flatMap((from) =>
  [10, 8192].map((to) => ({
    ...{ type: "run", form: "run", precision: "f32", batch: 1 },
    attributes: { in: [from], out: [to] },
  })),
);

function modelSpec({ family }: Runner, index: number, run: Run): UnitSpec {
  return { type: "model", form: family, attributes: { seed: WHOLE_SEED, index }, precision: run, batch: 1 };
}

async function opening(
  open: () => Promise<OpenUnit | null>,
  unit: string,
  refused: { unit: string; reason: string }[],
): Promise<OpenUnit | null> {
  try {
    return await open();
  } catch (error) {
    refused.push({ unit, reason: String((error as Error)?.message ?? error).slice(0, 300) });
    return null;
  }
}

const REFERENCE_MS = 600;

/** The reference, and what it takes: as an earlier build has found it, so that rows of all builds go together. */
async function openReference(job: Job): Promise<Reference & { close(): Promise<void> | void }> {
  const { runner, environment, options, clock } = job;
  const unit = await runner.open(runner.reference);
  if (!unit) throw new DataError(`${runner.runtime} does not have the unit that all others are compared with`);
  const { run } = unit;
  const { warm, read } = meter(clock, run);
  const times: number[] = [];
  const end = clock.now() + REFERENCE_MS;
  await warm();
  while (clock.now() < end || times.length < 32) times.push(await read());
  const spec = { ...runner.reference, type: "reference" };
  const known = lookup(options.table, { ...spec, environment: environment.id });
  if (known) return { run, ms: known.median, close: () => unit.close() };
  // Code is compiled, and compiled better, while it runs.
  const late = times.slice(times.length >> 1);
  const [low, median, high] = quartiles(late);
  await add(job, spec, { count: late.length, median, spread: (high - low) / 2, drift: 1 });
  return { run, ms: median, close: () => unit.close() };
}

function rowOf({ runner, environment, options }: Job, spec: UnitSpec, { count, median, spread }: Measured): Row {
  const version = runner.runtime.split(" ")[1] ?? environment.runtime.version;
  const { tool, date = now } = options;
  const times = { count, median: digits(median), spread: digits(spread) };
  return { ...spec, environment: environment.id, ...times, date: date(), tool, runtime: version };
}

/** A time as far as it is known: tables are files that people send each other. */
function digits(ms: number): number {
  return Number(ms.toPrecision(5));
}
