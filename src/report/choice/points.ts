import type { Interval } from "../../latency/interval.ts";
import type { Answer, TrialReport } from "../../strategy/answer.ts";
import type { Goal } from "../../strategy/job.ts";
import type { Expectation, Layer } from "../../strategy/outline.ts";
import { isTold } from "../figures.ts";

// What compress has found, and its trials as points.

/** What a model really took where it runs. */
export interface Measured {
  /** As that of the trial. */
  readonly plan: string;
  readonly latency?: Interval | undefined;
  readonly load?: Interval | undefined;
}

export interface ReportedChoice {
  readonly goal: Goal;
  readonly answer: Omit<Answer, "file">;
  /** Of the answer's file. */
  readonly fileBytes: number;
  /** What was known of candidates before they were run, of those that were run, too. Default: nothing */
  readonly expected?: readonly Expectation[] | undefined;
  readonly layers?: readonly Layer[] | undefined;
  /** Default: nothing was measured but losses and bytes */
  readonly measured?: readonly Measured[] | undefined;
}

/** A model that was run. */
export interface Point {
  /** In the table of trials, from 1. */
  readonly number: number;
  readonly plan: string;
  readonly from: TrialReport["from"];
  /** null: no number. */
  readonly loss: number | null;
  readonly bytes: number | null;
  readonly latency: Interval | null;
  readonly measured: Interval | null;
  readonly load: Interval | null;
  readonly ok: boolean;
  readonly taken: boolean;
}

/** A candidate that was priced and not run. */
export interface Waiting {
  readonly plan: string;
  readonly bytes: number | null;
  readonly latency: Interval | null;
}

export function pointsOf({ answer, measured = [] }: ReportedChoice): Point[] {
  const own = new Map(measured.map((one) => [one.plan, one]));
  return answer.trials.map((trial, i) => ({
    ...{ number: i + 1, plan: trial.plan, from: trial.from, ok: trial.ok, taken: trial.lost === null },
    loss: numberOf(trial.loss),
    bytes: numberOf(trial.bytes),
    latency: soundOf(trial.latency),
    measured: soundOf(own.get(trial.plan)?.latency),
    load: soundOf(trial.load),
  }));
}

export function waitingOf({ answer, expected = [] }: ReportedChoice): Waiting[] {
  const run = new Set(answer.trials.map(({ plan }) => plan));
  return expected
    .filter(({ plan }) => !run.has(plan))
    .map(({ plan, bytes, latency }) => ({ plan, bytes: numberOf(bytes), latency: soundOf(latency) }));
}

/** Those than which no other loses less and costs no more, from the cheapest on. */
export function frontOf(points: readonly Point[], costOf: (point: Point) => number | null): Point[] {
  const sound = points.flatMap((point) => {
    const cost = costOf(point);
    return cost === null || point.loss === null ? [] : [{ point, cost, loss: point.loss }];
  });
  sound.sort((a, b) => a.cost - b.cost || a.loss - b.loss);
  let least = Number.POSITIVE_INFINITY;
  return sound.flatMap(({ point, loss }) => {
    if (loss >= least) return [];
    least = loss;
    return [point];
  });
}

export function numberOf(value: number | null | undefined): number | null {
  return isTold(value) ? value : null;
}

/** null: no times. An end that is none is the middle. */
export function soundOf(interval: Interval | null | undefined): Interval | null {
  if (!interval || !isTold(interval.ms) || interval.ms < 0) return null;
  const { ms, low, high } = interval;
  return {
    ms,
    low: isTold(low) ? Math.min(Math.max(low, 0), ms) : ms,
    high: isTold(high) ? Math.max(high, ms) : ms,
  };
}
