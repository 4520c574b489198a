import { DataError } from "../errors.ts";
import { type Clock, type Meter, meter } from "./clock.ts";
import type { OpenUnit } from "./unit.ts";

// Times of a unit on a machine that nobody else uses. Virtual machines are slowed down by their neighbours for seconds, and not everything alike: where calls
// and small units took 1.8 times as long, large convolutions took 1.2 times. So a reference is timed in turn with the unit, and what counts is what
// was read while the reference took what it takes at its fastest, before and after: with the reading before alone, times of three seconds differed from
// others by 6 to 10 %, with both by 2 to 4 %.

export interface Reference {
  run(): Promise<unknown> | unknown;
  /** What a run takes at the fastest, as it was found first: milliseconds, in which everything is told. */
  readonly ms: number;
  /** The fastest that was seen in this process, which measureUnit goes on with; undefined: `ms`. */
  least?: number | undefined;
}

export interface Measured {
  /** Runs that count. */
  readonly count: number;
  /** Of one unit, in milliseconds of a machine on which the reference takes what it takes at its fastest. */
  readonly median: number;
  /** Half of the distance between the quartiles. */
  readonly spread: number;
  /** What the reference took meanwhile, by what it takes at its fastest. */
  readonly drift: number;
  /** Whether enough of it was undisturbed; else it is told as well as can be. */
  readonly calm: boolean;
}

/** The first rounds find caches empty and code that is not compiled: so many, and that share of the budget, do not count. */
const DROPPED = 3;
const DROPPED_SHARE = 0.2;
const LEAST = 9;
/** A reference that takes no more than this times its least is undisturbed. */
const NEAR = 1.08;
const PATIENCE = 4;

interface Round {
  /** Before it and after it. */
  readonly beside: readonly [number, number];
  /** Of one copy. */
  readonly own: number;
}

export interface MeasureOptions {
  readonly signal?: AbortSignal | undefined;
  /** Times the budget that is waited for enough undisturbed rounds. Default: 4 */
  readonly patience?: number | undefined;
  /** Undisturbed rounds that are enough, so that no more are waited for. Default: as many as there is time for */
  readonly enough?: number | undefined;
}

/**
 * Rounds until time is up, and at least 9 were undisturbed; where that takes too long, the least disturbed count, by what the reference took in them.
 * @param budget - milliseconds
 */
export async function measureUnit(
  clock: Clock,
  reference: Reference,
  { run, base, copies }: OpenUnit,
  budget: number,
  options: MeasureOptions = {},
): Promise<Measured> {
  const { ms, least = ms } = reference;
  const beside = meter(clock, reference.run);
  const own = [run, ...(base ? [base] : [])].map((task) => meter(clock, task));
  const begin = clock.now();
  for (let i = 0; i < DROPPED || clock.now() - begin < DROPPED_SHARE * budget; i++) {
    options.signal?.throwIfAborted();
    for (const { warm } of [beside, ...own]) await warm();
  }
  const lookAtOwn = async (): Promise<number> => {
    const [whole = 0, without = 0] = await inTurn(own);
    return (whole - without) / copies;
  };
  const near = NEAR * least;
  const { rounds, looks } = await roundsOf(clock, { lookBeside: beside.read, lookAtOwn, near, budget }, options);
  const kept = undisturbed(rounds, near);
  const [low, median, high] = quartiles(kept.map(({ own }) => own));
  const [, taken] = quartiles(kept.flatMap(({ beside }) => beside));
  const scale = ms / Math.max(taken, 1e-6);
  // The least of many medians is less than what is usual.
  if (NEAR * taken < least) reference.least = taken;
  return {
    count: kept.length,
    // A unit may take less than what is measured beside it varies.
    median: Math.max(0, median * scale),
    spread: ((high - low) / 2) * scale,
    drift: quartiles(looks)[1] / ms,
    calm: kept.every((round) => slower(round) <= near),
  };
}

interface Looks {
  lookBeside(): Promise<number>;
  lookAtOwn(): Promise<number>;
  /** What takes longer is disturbed. */
  readonly near: number;
  readonly budget: number;
}

async function roundsOf(
  clock: Clock,
  { lookBeside, lookAtOwn, near, budget }: Looks,
  { signal, patience = PATIENCE, enough = Number.POSITIVE_INFINITY }: MeasureOptions,
): Promise<{ rounds: Round[]; looks: number[] }> {
  const [rounds, looks]: [Round[], number[]] = [[], []];
  const start = clock.now();
  const goesOn = (calm: number): boolean => {
    const spent = (clock.now() - start) / budget;
    if (rounds.length < LEAST) return true;
    return calm < LEAST ? spent < patience : calm < enough && spent < 1;
  };
  for (let calm = 0, before = await lookBeside(); goesOn(calm); ) {
    signal?.throwIfAborted();
    // Of disturbed ones there are enough.
    const own = before > near && rounds.length >= LEAST ? null : await lookAtOwn();
    const after = await lookBeside();
    looks.push(after);
    if (own !== null) {
      rounds.push({ beside: [before, after], own });
      if (Math.max(before, after) <= near) calm++;
    }
    before = after;
  }
  return { rounds, looks };
}

const slower = ({ beside }: Round): number => Math.max(...beside);

function undisturbed(rounds: readonly Round[], near: number): readonly Round[] {
  const sorted = [...rounds].sort((a, b) => slower(a) - slower(b));
  const calm = sorted.filter((round) => slower(round) <= near);
  return calm.length >= LEAST ? calm : sorted.slice(0, Math.max(LEAST, Math.ceil(sorted.length / 3)));
}

async function inTurn(meters: readonly Meter[]): Promise<number[]> {
  const readings: number[] = [];
  for (const { read } of meters) readings.push(await read());
  return readings;
}

const WINDOW_MS = 100;
/** Code is compiled, and compiled better, while it runs, and neighbours come and go: windows for six seconds, and two more after each that was faster. */
const [FEWEST_WINDOWS, MORE_WINDOWS, MOST_WINDOWS] = [60, 20, 200];
const FASTER = 0.95;

/** Readings of a window, in milliseconds. */
export interface Settled {
  readonly times: readonly number[];
  readonly median: number;
}

export interface SettleOptions {
  /** Milliseconds, after which no window begins. */
  readonly long?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The fastest window of a task. @throws the signal's reason */
export async function settled(
  clock: Clock,
  task: Reference["run"],
  { long = Number.POSITIVE_INFINITY, signal }: SettleOptions = {},
): Promise<Settled> {
  const { warm, read } = meter(clock, task);
  const begin = clock.now();
  await warm();
  let best: Settled = { times: [], median: Number.POSITIVE_INFINITY };
  for (let window = 0, most = FEWEST_WINDOWS; window < most; window++) {
    if (window > 0 && clock.now() - begin >= long) break;
    // Runs need not give way to events, and signals come with those.
    if (signal) await new Promise((turn) => setTimeout(turn));
    signal?.throwIfAborted();
    const times: number[] = [];
    for (const end = clock.now() + WINDOW_MS; clock.now() < end || times.length < LEAST; ) times.push(await read());
    const [, median] = quartiles(times);
    if (median < FASTER * best.median) most = Math.min(MOST_WINDOWS, Math.max(most, window + 1 + MORE_WINDOWS));
    if (median <= best.median) best = { times, median };
  }
  return best;
}

/** Times either way: no machine varies that much by itself. */
const FARTHEST = 10;

/** What a table says of a reference against what it takes here: all that is timed beside it is told by their ratio. @throws DataError */
export function checkReference(told: number, taken: number): void {
  if (Math.max(told / taken, taken / told) <= FARTHEST) return;
  const [before, now] = [told, taken].map((ms) => ms.toPrecision(3));
  throw new DataError(
    `the table says that its reference takes ${before} ms here, and it takes ${now} ms: rows of another machine go with those of this one in no table, so begin a new one`,
  );
}

/** The quartiles of numbers. */
export function quartiles(values: readonly number[]): [number, number, number] {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => {
    const place = share * (sorted.length - 1);
    const [below, above] = [sorted[Math.floor(place)] ?? 0, sorted[Math.ceil(place)] ?? 0];
    return below + (above - below) * (place - Math.floor(place));
  };
  return [at(0.25), at(0.5), at(0.75)];
}
