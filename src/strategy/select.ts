import type { Interval } from "../latency/interval.ts";
import type { Excluded } from "./filter.ts";
import type { Goal, Job, Limits } from "./job.ts";
import { LIMITS, type LimitName, misses, shownAmount, shownLimit } from "./limits.ts";
import type { Priced } from "./price.ts";
import { decidingReason, inPriorityOrder } from "./priority.ts";

// Candidates in the order in which they are worth trying, by what is predicted of them.

export interface Ranked<T extends Priced> {
  /** The first is to be tried first. */
  readonly ranked: readonly T[];
  /** Those that cannot meet a limit, whatever their loss is. */
  readonly excluded: readonly Excluded[];
}

type Rules = Pick<Job, "goal" | "limits" | "priority" | "description">;

/**
 * By predicted latency, bytes or loading. Those whose intervals overlap with the first one's are ties if they are at most 3 % behind it, in the order of the
 * priority list; then the next that are left. If no candidate can meet the limits, all are ranked, those that miss them least first.
 */
export function rank<T extends Priced>(priced: readonly T[], rules: Rules): Ranked<T> {
  const { limits } = rules;
  const able = priced.filter((one) => cannot(one, limits).length === 0);
  if (able.length === 0) {
    const missed = (one: T): number => cannot(one, limits).reduce((sum, name) => sum + misses(one, limits, name), 0);
    return { ranked: inTies(priced, rules).sort((a, b) => missed(a) - missed(b)), excluded: [] };
  }
  const excluded = priced.flatMap((one) => {
    const [name] = cannot(one, limits);
    return name ? [{ candidate: one.text, reason: tooMuch(one, limits, name) }] : [];
  });
  return { ranked: inTies(able, rules), excluded };
}

/** Limits that a candidate misses even at the best end of what is predicted. */
function cannot(one: Priced, limits: Limits): LimitName[] {
  const best = { ...one, latency: { ...one.latency, ms: one.latency.low } };
  return LIMITS.filter((name) => name !== "loss" && misses(best, limits, name) > 0);
}

function tooMuch(one: Priced, limits: Limits, name: LimitName): string {
  const { got, asked, surely } = shownLimit(one, limits, name);
  return `its ${surely} ${got}, and the limit is ${asked}`;
}

function inTies<T extends Priced>(priced: readonly T[], { goal, priority, description }: Rules): T[] {
  let left = [...priced].sort((a, b) => goalOf(a, goal).ms - goalOf(b, goal).ms || (a.text < b.text ? -1 : 1));
  const order: T[] = [];
  while (left.length > 0) {
    const first = left[0] as T;
    const ties = new Set(left.filter((one) => one === first || areTied(goalOf(first, goal), goalOf(one, goal))));
    const byCandidate = new Map([...ties].map((one) => [one.candidate, one]));
    order.push(
      ...inPriorityOrder([...byCandidate.keys()], priority, description).map((one) => byCandidate.get(one) as T),
    );
    left = left.filter((one) => !ties.has(one));
  }
  return order;
}

/** What the goal is about. */
export function goalOf({ latency, load, bytes }: Priced, goal: Goal): Interval {
  if (goal === "latency") return latency;
  const exact = { ms: bytes, low: bytes, high: bytes };
  return goal === "size" ? exact : (load ?? exact);
}

/** Both times are of one model, and mostly err together: of two whose intervals overlap, one may still be known to be faster. So no more is given away. */
const GIVEN_AWAY = 0.03;

function areTied(a: Interval, b: Interval): boolean {
  const overlap = a.low <= b.high && b.low <= a.high;
  return overlap && Math.max(a.ms, b.ms) <= (1 + GIVEN_AWAY) * Math.min(a.ms, b.ms);
}

/** Why one goes before another that was ranked behind it. */
export function whyBehind(first: Priced, second: Priced, { goal, priority, description }: Rules): string {
  const [a, b] = [goalOf(first, goal), goalOf(second, goal)];
  if (areTied(a, b)) {
    const prior = decidingReason(first.candidate, second.candidate, priority, description);
    return `as good as "${first.text}" by ${goal}${prior ? `, which goes first: ${prior}` : ""}`;
  }
  const [own, other] = [b, a].map(({ ms }) =>
    goal === "size" ? shownAmount("bytes", ms) : `${Number(ms.toPrecision(4))} ms`,
  );
  return `its ${goal} is ${own}, and that of "${first.text}" is ${other}`;
}
