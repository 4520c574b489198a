import type { AlphaRange } from "./coefficients.ts";
import type { Grouping, GroupRule } from "./groups.ts";

// Which coefficients to take: by trying, from what is known to be good, one group at a time, keeping only what lowers the loss.

/** A coefficient for each group of a grouping; null: the group is left as it is. */
export interface CoefficientSet {
  readonly grouping: Grouping;
  readonly alphas: readonly (number | null)[];
}

/** A set that was tried. */
export interface Trial {
  readonly rule: GroupRule | "none";
  readonly alphas: readonly (number | null)[];
  readonly loss: number;
}

export interface SearchResult {
  /** null: without factors. */
  readonly best: CoefficientSet | null;
  readonly loss: number;
  /** Loss without factors. */
  readonly none: number;
  /** Least loss of one coefficient for all channels, and that coefficient. */
  readonly single: { readonly alpha: number; readonly loss: number };
  readonly trials: readonly Trial[];
}

export interface SearchOptions {
  /** The same channels, all in one group. */
  readonly one: Grouping;
  /** Other groupings, of two groups or more. */
  readonly groupings: readonly Grouping[];
  /** Of the coefficient of a group of such a magnitude. */
  readonly range: (magnitude: number) => AlphaRange;
  /** Loss with such factors, or without. */
  readonly evaluate: (set: CoefficientSet | null) => Promise<number>;
  /** Sets to try, at most. Default: 40 */
  readonly evaluations?: number | undefined;
}

const SINGLES = [0.2, 0.4, 0.6, 0.8, 1];
/** How far a coefficient is moved, first and last. */
const STEPS = [0.16, 0.08, 0.04];

/**
 * Looks for the coefficients of least loss: none; one for all channels; then from the best of these, groupings with their groups from the largest
 * values to the smallest. What is found is never worse than any set that was tried.
 */
export async function searchCoefficients(options: SearchOptions): Promise<SearchResult> {
  const { one, groupings, evaluations = 40 } = options;
  const trials: Trial[] = [];
  let best: { set: CoefficientSet | null; loss: number } = { set: null, loss: Number.POSITIVE_INFINITY };
  const tried = new Map<string, number>();
  let allowed = evaluations;
  /** Infinity when there are no tries left. */
  async function attempt(set: CoefficientSet | null): Promise<number> {
    const key = set ? `${set.grouping.rule} ${set.alphas}` : "none";
    const known = tried.get(key);
    if (known !== undefined) return known;
    if (tried.size >= allowed) return Number.POSITIVE_INFINITY;
    const measured = await options.evaluate(set);
    const loss = Number.isNaN(measured) ? Number.POSITIVE_INFINITY : measured;
    tried.set(key, loss);
    trials.push({ rule: set?.grouping.rule ?? "none", alphas: set?.alphas ?? [], loss });
    if (loss < best.loss || trials.length === 1) best = { set, loss };
    return loss;
  }
  const none = await attempt(null);
  // Nothing can be better than nothing lost: an input of zeros, say.
  if (none === 0) return { best: null, loss: 0, none, single: { alpha: 0.5, loss: 0 }, trials };
  const single = await bestSingle(one, attempt);
  const { loss } = best;
  const start = best.set ? single.alpha : null;
  for (const [i, grouping] of groupings.entries()) {
    // Each its share of the tries that are left.
    allowed = tried.size + Math.floor((evaluations - tried.size) / (groupings.length - i));
    await refine({ grouping, start, loss, alpha: single.alpha, range: options.range }, attempt);
  }
  return { best: best.set, loss: best.loss, none, single, trials };
}

type Attempt = (set: CoefficientSet | null) => Promise<number>;

async function bestSingle(one: Grouping, attempt: Attempt): Promise<{ alpha: number; loss: number }> {
  let best = { alpha: 0.5, loss: Number.POSITIVE_INFINITY };
  const consider = async (alpha: number): Promise<void> => {
    const loss = await attempt({ grouping: one, alphas: [alpha] });
    if (loss < best.loss) best = { alpha, loss };
  };
  for (const alpha of SINGLES) await consider(alpha);
  for (const step of [0.1, 0.05]) {
    const { alpha } = best;
    await consider(round(alpha - step));
    if (alpha + step <= 1) await consider(round(alpha + step));
  }
  return best;
}

interface Refinement {
  readonly grouping: Grouping;
  /** What all groups begin with, and the loss of that, which is known: one coefficient for all, or null. */
  readonly start: number | null;
  readonly loss: number;
  /** Where to look for the coefficient of a group that begins with none. */
  readonly alpha: number;
  readonly range: SearchOptions["range"];
}

async function refine(from: Refinement, attempt: Attempt): Promise<void> {
  const { grouping, alpha } = from;
  const ranges = grouping.magnitudes.map(from.range);
  let alphas: (number | null)[] = grouping.magnitudes.map(() => from.start);
  let { loss } = from;
  async function change(group: number, value: number | null): Promise<boolean> {
    const next = alphas.map((old, i) => (i === group ? value : old));
    const found = await attempt({ grouping, alphas: next });
    if (!(found < loss)) return false;
    [alphas, loss] = [next, found];
    return true;
  }
  // From the largest values on; the normal group, which comes last, may also be left as it is.
  const order = grouping.magnitudes.map((_, group) => grouping.magnitudes.length - 1 - group);
  for (const step of STEPS) {
    for (const group of order) {
      const { low, high } = ranges[group] as AlphaRange;
      const within = (x: number): number => round(Math.min(Math.max(x, low), high));
      const now = alphas[group] ?? within(alpha);
      if (alphas[group] === null) await change(group, now);
      if (group === 0 && step === STEPS[0]) await change(group, null);
      if (!(await change(group, within(now + step)))) await change(group, within(now - step));
    }
  }
}

const round = (x: number): number => Math.round(x * 1e4) / 1e4;
