import { nonNegative } from "./nnls.ts";
import type { UnitSpec } from "./spec.ts";

// What whole models take by what their units take: in a model a unit finds its input in other caches than by itself, and so do its neighbours.

export interface Calibration {
  /** What units of a group take in models, by what they take alone. */
  factor(group: string): number;
  /** Standard deviation, from model to model, of the logarithm of what is left. */
  readonly deviation: number;
}

/** A model that was measured whole. */
export interface Known {
  readonly ms: number;
  /** What its parts take alone. */
  readonly parts: readonly { readonly ms: number; readonly group: string }[];
}

/** Units that are in models what they are alone to the same degree. */
export function groupOf({ type, precision }: UnitSpec): string {
  if (type === "run") return type;
  const kind = GROUPED.includes(type) ? type : "other";
  return precision === "int8" ? `${kind} int8` : kind;
}

const GROUPED = ["conv", "depthwise", "dense"];

/** Of measurements of the same, minutes apart. */
export const AGAIN = 0.02;
/** Without any model that was measured. */
const UNKNOWN = 0.1;
/** Fewer models say nothing. */
const FEWEST = 3;
/** As many models as it takes to believe that a group differs from all others by half of what it seems to; its share of their time is squared. */
const DOUBT = 0.1;
/** Half of the distance between the quartiles of a normal distribution, in standard deviations. */
const HALF_QUARTILES = 0.6745;

/** A factor for each group, near the one for all unless models show otherwise. */
export function calibrate(models: readonly Known[]): Calibration {
  if (models.length < FEWEST) return { factor: () => 1, deviation: UNKNOWN };
  const sums = models.map(({ ms, parts }) => {
    const shares = new Map<string, number>();
    for (const part of parts) shares.set(part.group, (shares.get(part.group) ?? 0) + part.ms / ms);
    return shares;
  });
  const all = 1 / medianOf(sums.map((shares) => [...shares.values()].reduce((sum, share) => sum + share, 0)));
  const groups = [...new Set(sums.flatMap((shares) => [...shares.keys()]))].sort();
  const rows = sums.map((shares) => groups.map((group) => shares.get(group) ?? 0));
  const doubts = groups.map((_, i) => groups.map((_, j) => (i === j ? Math.sqrt(DOUBT) : 0)));
  const found = nonNegative([...rows, ...doubts], [...rows.map(() => 1), ...doubts.map(() => Math.sqrt(DOUBT) * all)]);
  // Squares of relative errors are least a little below the middle.
  const middle = medianOf(rows.map((row) => row.reduce((sum, share, i) => sum + share * (found[i] as number), 0)));
  const balanced = found.map((factor) => factor / middle);
  const factors = new Map(groups.map((group, i) => [group, balanced[i] as number]));
  const left = rows.map((row) =>
    Math.abs(Math.log(row.reduce((sum, share, i) => sum + share * (balanced[i] as number), 0))),
  );
  // The factors follow these models more than they will others.
  const free = Math.sqrt(models.length / Math.max(1, models.length - groups.length));
  return {
    factor: (group) => factors.get(group) ?? all,
    deviation: Math.max(AGAIN, (free * medianOf(left)) / HALF_QUARTILES),
  };
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const [a, b] = [sorted[half - 1] ?? 0, sorted[half] ?? 0];
  return sorted.length % 2 === 1 ? b : (a + b) / 2;
}
