import { type Alike, alike, bytesOf } from "./alike.ts";
import { CACHES, farOf } from "./far.ts";
import { nonNegative } from "./nnls.ts";
import { HALF_QUARTILES } from "./pool.ts";
import type { UnitSpec } from "./spec.ts";

// What whole models take by what their units take: in a model a unit finds its input in other caches than by itself, and so do its neighbours.

export interface Calibration {
  /** A model of such parts. */
  told(parts: readonly PartTime[]): ToldModel;
  /** Standard deviation, from model to model, of the logarithm of what is left. */
  readonly deviation: number;
}

export interface ToldModel {
  /** Milliseconds. */
  readonly ms: number;
  /** Of each part. */
  readonly parts: readonly number[];
  /** Standard deviation of the logarithm of `ms`. */
  readonly deviation: number;
}

/** A model that was measured whole. */
export interface Known {
  readonly ms: number;
  /** What its parts take alone. */
  readonly parts: readonly PartTime[];
}

export interface PartTime {
  readonly ms: number;
  /** Standard deviation of its logarithm. */
  readonly deviation: number;
  readonly spec: UnitSpec;
}

/** Rows and neighbours that several units have in common err together: half of what a unit may err by is taken as common to all. */
const COMMON = 0.5;

/** What parts take in models by what they take alone. */
interface Factors {
  of(group: string): number;
  /** Of what weights take that are read from beyond that cache. */
  readonly far: number;
  readonly cache: number;
}

const ALONE: Factors = { of: () => 1, far: 0, cache: CACHES[0] as number };

function summed(parts: readonly PartTime[], { of, far, cache }: Factors): ToldModel {
  const beyond = farOf(specsOf(parts), cache);
  const times = groupsOf(parts).map((group, i) => (parts[i] as PartTime).ms * of(group) + (beyond[i] as number) * far);
  let [ms, together, apart] = [0, 0, 0];
  for (const [i, own] of times.entries()) {
    const { deviation } = parts[i] as PartTime;
    ms += own;
    together += own * deviation;
    apart += (own * deviation) ** 2;
  }
  return { ms, parts: times, deviation: Math.sqrt(COMMON ** 2 * together ** 2 + (1 - COMMON ** 2) * apart) / ms };
}

const specsOf = (parts: readonly PartTime[]): UnitSpec[] => parts.map(({ spec }) => spec);

/** Values of models that go through more do not stay in the second cache. */
const LARGE = 1 << 20;

/** Of each part, what it is in models to the same degree as others of its group. */
function groupsOf(parts: readonly PartTime[]): string[] {
  const large = bytesOf(specsOf(parts)) > LARGE;
  return parts.map(({ spec }) => (large && !SAME.includes(spec.type) ? `${groupOf(spec)} large` : groupOf(spec)));
}

function groupOf({ type, precision }: UnitSpec): string {
  if (type === "run") return type;
  const kind = GROUPED.includes(type) ? type : "other";
  return precision === "int8" ? `${kind} int8` : kind;
}

const GROUPED = ["conv", "depthwise", "dense"];
/** Alike in large models but for where their weights are. */
const SAME = ["run", "dense"];

/** Of measurements of the same, minutes apart. */
export const AGAIN = 0.02;
/** Without any model that was measured. */
const UNKNOWN = 0.1;
/** Fewer models say nothing. */
const FEWEST = 3;
/** As many models as it takes to believe that a group differs from all others by half of what it seems to; its share of their time is squared. */
const DOUBT = 0.1;

/** A factor for each group, near the one for all unless models show otherwise; then what models that are alike have in common. */
export function calibrate(models: readonly Known[]): Calibration {
  if (models.length < FEWEST) {
    const bare = (parts: readonly PartTime[]): ToldModel => {
      const sum = summed(parts, ALONE);
      return { ...sum, deviation: Math.hypot(sum.deviation, UNKNOWN) };
    };
    return { told: bare, deviation: UNKNOWN };
  }
  const { factors, count } = factorsOf(models);
  const told = models.map(({ parts }) => summed(parts, factors));
  const others = alike(
    models.map(({ ms, parts }, i) => {
      const own = told[i] as ToldModel;
      return { parts: timed(parts, own), off: Math.log(ms / own.ms) };
    }),
  );
  // The factors follow these models more than they will others.
  const free = Math.sqrt(models.length / Math.max(1, models.length - count));
  const deviation = Math.max(AGAIN, (free * medianOf(others.left.map(Math.abs))) / HALF_QUARTILES);
  const within = sharedOut(deviation, medianOf(told.map((each) => each.deviation)));
  return { deviation, told: (parts) => corrected(parts, summed(parts, factors), others, within) };
}

const timed = (parts: readonly PartTime[], { parts: times }: ToldModel) =>
  parts.map(({ spec }, i) => ({ spec, ms: times[i] as number }));

function corrected(
  parts: readonly PartTime[],
  sum: ToldModel,
  others: Alike,
  within: (own: number) => number,
): ToldModel {
  const { mean, doubt } = others.at(timed(parts, sum));
  const factor = Math.exp(mean);
  return {
    ms: factor * sum.ms,
    parts: sum.parts.map((ms) => factor * ms),
    deviation: Math.hypot(within(sum.deviation), doubt),
  };
}

interface Fitted {
  readonly factors: Factors;
  /** How many factors there are: one for each group, and `far`. */
  readonly count: number;
  /** Squares of relative errors that are left of the models. */
  readonly left: number;
}

/** By the cache that leaves the least of what models take: rows do not tell what their machine has. */
function factorsOf(models: readonly Known[]): Fitted {
  const sums = models.map(({ ms, parts }) => {
    const shares = new Map<string, number>();
    for (const [i, group] of groupsOf(parts).entries())
      shares.set(group, (shares.get(group) ?? 0) + (parts[i] as PartTime).ms / ms);
    return shares;
  });
  const all = 1 / medianOf(sums.map((shares) => sumOf([...shares.values()])));
  const groups = [...new Set(sums.flatMap((shares) => [...shares.keys()]))].sort();
  const believed = [...groups.map(() => all), 0];
  const doubts = believed.map((_, i) => believed.map((_, j) => (i === j ? Math.sqrt(DOUBT) : 0)));
  const aims = [...sums.map(() => 1), ...believed.map((factor) => Math.sqrt(DOUBT) * factor)];
  const fitted = CACHES.map((cache): Fitted => {
    const rows = models.map(({ ms, parts }, i) => [
      ...groups.map((group) => sums[i]?.get(group) ?? 0),
      sumOf(farOf(specsOf(parts), cache)) / ms,
    ]);
    const found = nonNegative([...rows, ...doubts], aims);
    const told = rows.map((row) => sumOf(row.map((share, i) => share * (found[i] as number))));
    // Squares of relative errors are least a little below the middle.
    const middle = medianOf(told);
    const factors = new Map(groups.map((group, i) => [group, (found[i] as number) / middle]));
    return {
      factors: { of: (group) => factors.get(group) ?? all, far: (found.at(-1) as number) / middle, cache },
      count: believed.length,
      left: sumOf(told.map((each) => (each - 1) ** 2)),
    };
  });
  return fitted.reduce((best, each) => (each.left < best.left ? each : best));
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/**
 * Squares of deviations add up: those of units, less if models show that they are told too large, and what models have beside them.
 * @param all - of models that were measured @param units - what their units tell of it
 */
function sharedOut(all: number, units: number): (own: number) => number {
  const scale = Math.sqrt(Math.min(1, Math.max(all ** 2 - AGAIN ** 2, AGAIN ** 2) / units ** 2));
  const beside = Math.max(AGAIN, Math.sqrt(Math.max(0, all ** 2 - units ** 2)));
  return (own) => Math.hypot(scale * own, beside);
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const [a, b] = [sorted[half - 1] ?? 0, sorted[half] ?? 0];
  return sorted.length % 2 === 1 ? b : (a + b) / 2;
}
