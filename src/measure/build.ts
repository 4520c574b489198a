import { DataError } from "../errors.ts";
import { now } from "../latency/checks.ts";
import type { Environment } from "../latency/environment.ts";
import { pooled } from "../latency/pool.ts";
import { keyText, type Row } from "../latency/row.ts";
import type { UnitSpec } from "../latency/spec.ts";
import { type LatencyTable, lookup } from "../latency/table.ts";
import { type Clock, withResolution } from "./clock.ts";
import { checkReference, type Measured, measureUnit, quartiles, type Reference, settled } from "./loop.ts";
import type { Runner } from "./runner.ts";
import type { OpenUnit } from "./unit.ts";
import { warmUp } from "./warm.ts";
import { familySpec } from "./whole.ts";

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
  /** Units that the runtime does not open or run, with its words. */
  readonly refused: readonly { readonly unit: string; readonly reason: string }[];
  /** Least and most of what the reference took, by what it took first. */
  readonly drift: readonly [number, number];
}

/** Of the budget, what whole models get. */
const WHOLE_SHARE = 0.3;
/** Whole models of the family that the factor of an environment is made of, by index; their seed is of this file alone. */
const WHOLE_SEED = 7;
const WHOLE = Array.from({ length: 96 }, (_, index) => index);
/** By what a unit gets. */
const LONG = 2.5;
/** Undisturbed rounds that are enough: more units tell more than more rounds of each; of whole models each counts. */
const [ENOUGH_OF_UNIT, ENOUGH_OF_MODEL] = [9, 31];
/** Times what they get, what is waited for the machine to be left alone: a second for each unit and model of a runtime, five for quern's own. */
const [PATIENCE_OF_UNIT, PATIENCE_OF_MODEL] = [12, 5];
/** Of the time after the warm-up, what is waited altogether for that: on some machines it never is. */
const WAIT_SHARE = 0.8;
/** Models that wait to be measured again: neighbours are gone after some seconds. */
const MOST_DISTURBED = 12;
/** Of the budget, and in seconds: code of WebAssembly is compiled well only when it has run. */
const [WARM_SHARE, MOST_WARM] = [0.08, 15];

/**
 * Measures units of a runtime, the most telling first, and then whole models, until the time is up. Whatever was found stays found, whenever it ends.
 * @throws the signal's reason; DataError where the runtime does not have the reference, or the table has it of another machine
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
    ready: 0,
    waited: 0,
    rows: 0,
    known: 0,
    refused: [],
    drifts: [],
    disturbed: [],
  };
  const onUnit = (spec: UnitSpec) => tell(job, `warm-up, ${nameOf(spec)}`);
  await warmUp(runner, clock, { first: CALLS, seconds: warm, signal: options.signal, onUnit });
  const reference = await openReference(job);
  job.ready = clock.now();
  const alone = (spec: UnitSpec, until: number): Wish => {
    const open = async () => runner.open(spec);
    return { spec, open, long: each, enough: ENOUGH_OF_UNIT, patience: PATIENCE_OF_UNIT, until };
  };
  try {
    for (const spec of [...CALLS, ...(options.first ?? [])]) await measured(job, reference, alone(spec, budget));
    for (const spec of runner.specs()) {
      if (seconds(job) >= (1 - WHOLE_SHARE) * budget) break;
      await measured(job, reference, alone(spec, budget));
    }
    for (const [index, run] of WHOLE.flatMap((index) => runner.runs.map((run) => [index, run] as const))) {
      const open = async () => (await runner.openModel(index, WHOLE_SEED, run))?.unit ?? null;
      const spec = familySpec(runner.family, index, WHOLE_SEED, run);
      const how = { long: LONG * each, enough: ENOUGH_OF_MODEL, patience: PATIENCE_OF_MODEL };
      await measured(job, reference, { spec, open, ...how, until: budget });
    }
    for (const wish of job.disturbed.splice(0)) await again(job, reference, wish);
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
  /** By the clock, when the first unit is measured. */
  ready: number;
  /** Milliseconds. */
  waited: number;
  rows: number;
  known: number;
  readonly refused: { unit: string; reason: string }[];
  readonly drifts: number[];
  /** What is to be measured again. */
  readonly disturbed: Wish[];
}

const seconds = ({ clock, start }: Job): number => (clock.now() - start) / 1000;

const waits = ({ clock, ready, waited }: Job): boolean => waited < WAIT_SHARE * (clock.now() - ready);

const nameOf = ({ type, form, precision }: UnitSpec): string => `${type} ${form} ${precision}`;

async function tell(job: Job, unit: string): Promise<void> {
  const { budget = 180, onProgress } = job.options;
  await onProgress?.({ done: seconds(job), total: budget, rows: job.rows, unit });
}

interface Wish {
  readonly spec: UnitSpec;
  readonly open: () => Promise<OpenUnit | null>;
  /** Milliseconds. */
  readonly long: number;
  /** See measureUnit. */
  readonly enough: number;
  readonly patience: number;
  /** Seconds from the start, after which nothing begins. */
  readonly until: number;
}

/** A unit or a model, unless it is known; what was disturbed comes again later. */
async function measured(job: Job, reference: Reference, wish: Wish): Promise<void> {
  const { options, environment, disturbed } = job;
  options.signal?.throwIfAborted();
  if (lookup(options.table, { ...wish.spec, environment: environment.id })) {
    job.known++;
    return;
  }
  const found = await timed(job, reference, wish);
  if (found && (found.calm || !waits(job))) await add(job, wish.spec, found);
  else if (found) disturbed.push(wish);
  if (disturbed.length > MOST_DISTURBED) await again(job, reference, disturbed.shift() as Wish);
}

/** Now it counts however it goes. */
async function again(job: Job, reference: Reference, wish: Wish): Promise<void> {
  const found = await timed(job, reference, wish);
  if (found) await add(job, wish.spec, found);
}

/** null: time is up, or there is no such unit. */
async function timed(
  job: Job,
  reference: Reference,
  { spec, open, long, enough, patience, until }: Wish,
): Promise<Measured | null> {
  const { options, clock, refused } = job;
  const { signal } = options;
  if (seconds(job) >= until) return null;
  const unit = nameOf(spec);
  await tell(job, unit);
  const refuse = (error: unknown): null => {
    refused.push({ unit, reason: String((error as Error)?.message ?? error).slice(0, 300) });
    return null;
  };
  const opened = await open().catch(refuse);
  if (!opened) return null;
  try {
    const begin = clock.now();
    const how = { signal, enough, patience: waits(job) ? patience : 1 };
    const found = await measureUnit(clock, reference, opened, long, how);
    job.waited += Math.max(0, clock.now() - begin - long);
    job.drifts.push(found.drift);
    return found;
  } catch (error) {
    signal?.throwIfAborted();
    // A runtime in which this does not run any more has nothing to say of units.
    await reference.run();
    return refuse(error);
  } finally {
    await opened.close();
  }
}

async function add(job: Job, spec: UnitSpec, measured: Omit<Measured, "calm">): Promise<void> {
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

/** Of the budget, at most. */
const SETTLED_SHARE = 0.1;

/** What the reference took when the table was begun: milliseconds; null: the table does not tell. A row of 0 tells nothing. */
export function knownReference(table: LatencyTable, { id }: Environment, { reference }: Runner): number | null {
  const rows = table.rows.get(keyText({ ...reference, type: "reference", environment: id }));
  const told = [...(rows?.values() ?? [])].filter(({ median }) => median > 0);
  return told.length > 0 ? pooled(told).median : null;
}

/** The reference, and what it takes: as an earlier build has found it, so that rows of all builds go together. */
async function openReference(job: Job): Promise<Reference & { close(): Promise<void> | void }> {
  const { runner, environment, options, clock } = job;
  const unit = await runner.open(runner.reference);
  if (!unit) throw new DataError(`${runner.runtime} does not have the unit that all others are compared with`);
  const { run } = unit;
  try {
    const long = SETTLED_SHARE * 1000 * (options.budget ?? 180);
    const { times, median } = await settled(clock, run, { long, signal: options.signal });
    const known = knownReference(options.table, environment, runner);
    if (known !== null) checkReference(known, median);
    else {
      const spec = { ...runner.reference, type: "reference" };
      const [low, , high] = quartiles(times);
      await add(job, spec, { count: times.length, median, spread: (high - low) / 2, drift: 1 });
    }
    return { run, ms: known ?? median, least: median, close: () => unit.close() };
  } catch (error) {
    await unit.close();
    throw error;
  }
}

function rowOf(
  { runner, environment, options }: Job,
  spec: UnitSpec,
  { count, median, spread }: Omit<Measured, "calm">,
): Row {
  const version = runner.runtime.split(" ")[1] ?? environment.runtime.version;
  const { tool, date = now } = options;
  const times = { count, median: digits(median), spread: digits(spread) };
  return { ...spec, environment: environment.id, ...times, date: date(), tool, runtime: version };
}

/** A time as far as it is known: tables are files that people send each other. */
function digits(ms: number): number {
  return Number(ms.toPrecision(5));
}
