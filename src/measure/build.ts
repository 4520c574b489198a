import { DataError } from "../errors.ts";
import { now } from "../latency/checks.ts";
import type { Environment } from "../latency/environment.ts";
import type { Row, UnitKey } from "../latency/row.ts";
import type { Run } from "../latency/run.ts";
import type { UnitSpec } from "../latency/spec.ts";
import { type LatencyTable, lookup } from "../latency/table.ts";
import { type Clock, type Measured, measureUnit, quartiles, type Reference } from "./loop.ts";
import type { Runner } from "./runner.ts";
import type { OpenUnit } from "./unit.ts";

export interface BuildOptions {
  /** Rows that are there already are not measured again. */
  readonly table: LatencyTable;
  /** Of this quern. */
  readonly tool: string;
  /** Seconds. Default: 180 */
  readonly budget?: number | undefined;
  /** Units to begin with, such as those of a model. */
  readonly first?: readonly UnitSpec[] | undefined;
  /** What a unit gets, in milliseconds. Default: 90 */
  readonly each?: number | undefined;
  readonly clock?: Clock | undefined;
  /** UTC, to the second. */
  readonly date?: (() => string) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Rows as they are found. */
  readonly onRow: (row: Row) => Promise<void> | void;
  readonly onProgress?: ((progress: BuildProgress) => void) | undefined;
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

/**
 * Measures units of a runtime, the most telling first, and then whole models, until the time is up. Whatever was found stays found, whenever it ends.
 * @throws the signal's reason; DataError where the runtime does not have the reference
 */
export async function buildTable(
  runner: Runner,
  environment: Environment,
  options: BuildOptions,
): Promise<BuildReport> {
  const { table, budget = 180, each = 90, clock = performance, signal, onProgress } = options;
  const start = clock.now();
  const seconds = (): number => (clock.now() - start) / 1000;
  const refused: { unit: string; reason: string }[] = [];
  const drifts: number[] = [];
  let [rows, known] = [0, 0];
  const add = async (spec: UnitSpec, measured: Measured): Promise<void> => {
    await options.onRow(rowOf(spec, measured, runner, environment, options));
    rows++;
  };
  const reference = await openReference(runner, environment, table, clock, add);
  const one = async (
    spec: UnitSpec,
    open: () => Promise<OpenUnit | null>,
    long: number,
    until: number,
  ): Promise<void> => {
    signal?.throwIfAborted();
    if (seconds() >= until) return;
    if (lookup(table, { ...spec, environment: environment.id })) {
      known++;
      return;
    }
    const unit = `${spec.type} ${spec.form} ${spec.precision}`;
    onProgress?.({ done: seconds(), total: budget, rows, unit });
    const opened = await opening(open, unit, refused);
    if (!opened) return;
    try {
      let measured = await measureUnit(clock, reference, opened, long, signal);
      if (measured.drift > MOST_DRIFT) measured = await measureUnit(clock, reference, opened, long, signal);
      drifts.push(measured.drift);
      await add(spec, measured);
    } finally {
      await opened.close();
    }
  };
  try {
    for (const spec of CALLS) await one(spec, () => runner.open(spec), each, budget);
    for (const spec of options.first ?? []) await one(spec, () => runner.open(spec), each, budget);
    for (const spec of runner.specs()) {
      if (seconds() >= (1 - WHOLE_SHARE) * budget) break;
      await one(spec, () => runner.open(spec), each, budget);
    }
    for (const index of WHOLE) {
      for (const run of runner.runs) {
        const open = async () => (await runner.openModel(index, WHOLE_SEED, run))?.unit ?? null;
        await one(modelSpec(runner, index, run), open, LONG * each, budget);
      }
    }
  } finally {
    await reference.close();
  }
  onProgress?.({ done: budget, total: budget, rows, unit: "" });
  return { rows, known, refused, drift: [Math.min(...drifts, 1), Math.max(...drifts, 1)] };
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
async function openReference(
  runner: Runner,
  environment: Environment,
  table: LatencyTable,
  clock: Clock,
  add: (spec: UnitSpec, measured: Measured) => Promise<void>,
): Promise<Reference & { close(): Promise<void> | void }> {
  const unit = await runner.open(runner.reference);
  if (!unit) throw new DataError(`${runner.runtime} does not have the unit that all others are compared with`);
  const { run } = unit;
  const spec = { ...runner.reference, type: "reference" };
  const known = lookup(table, { ...spec, environment: environment.id });
  if (known) return { run, ms: known.median, close: () => unit.close() };
  const times: number[] = [];
  const end = clock.now() + REFERENCE_MS;
  while (clock.now() < end || times.length < 32) {
    const start = clock.now();
    await run();
    times.push(clock.now() - start);
  }
  // Code is compiled, and compiled better, while it runs.
  const [low, median, high] = quartiles(times.slice(times.length >> 1));
  await add(spec, { count: times.length - (times.length >> 1), median, spread: (high - low) / 2, drift: 1 });
  return { run, ms: median, close: () => unit.close() };
}

function rowOf(
  spec: UnitSpec,
  { count, median, spread }: Measured,
  { runtime }: Runner,
  environment: Environment,
  { tool, date = now }: BuildOptions,
): Row {
  const version = runtime.split(" ")[1] ?? environment.runtime.version;
  const key: UnitKey = { ...spec, environment: environment.id };
  return { ...key, count, median, spread, date: date(), tool, runtime: version };
}
