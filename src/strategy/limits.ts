import type { Limits } from "./job.ts";
import type { Priced } from "./price.ts";

// Limits, and whether they are met.

export type LimitName = keyof Limits;
export const LIMITS: readonly LimitName[] = ["loss", "bytes", "latency", "memory"];

/** A limit that was asked for. */
export interface Met {
  readonly limit: LimitName;
  readonly asked: number;
  /** null: it is infinite. */
  readonly got: number | null;
  readonly ok: boolean;
}

type Judged = Priced & { readonly loss?: number | undefined };

function gotOf(one: Judged, name: LimitName): number {
  if (name === "loss") return one.loss ?? 0;
  return name === "latency" ? one.latency.ms : one[name];
}

/** By how much of the limit it is missed; 0: it is met, or none was asked for. What was not run has no loss yet. */
export function misses(one: Judged, limits: Limits, name: LimitName): number {
  const asked = limits[name];
  if (asked === undefined) return 0;
  const got = gotOf(one, name);
  if (got <= asked) return 0;
  return Number.isFinite(got) ? Math.min(got / Math.max(asked, Number.MIN_VALUE) - 1, 1e9) : 1e9;
}

export function missesAll(one: Judged, limits: Limits): number {
  return LIMITS.reduce((sum, name) => sum + misses(one, limits, name), 0);
}

export function metBy(one: Judged, limits: Limits): Met[] {
  return LIMITS.flatMap((limit) => {
    const asked = limits[limit];
    if (asked === undefined) return [];
    const got = gotOf(one, limit);
    return [{ limit, asked, got: Number.isFinite(got) ? got : null, ok: got <= asked }];
  });
}

const WORDS: Record<LimitName, string> = {
  loss: "loss is",
  bytes: "file takes",
  latency: "latency is",
  memory: "memory is",
};

/** What is asked and what is got, for people. */
export function shownLimit(
  one: Judged,
  limits: Limits,
  name: LimitName,
): { got: string; asked: string; surely: string } {
  const shown = (value: number): string => shownAmount(name, value);
  const low = name === "latency" ? one.latency.low : gotOf(one, name);
  const surely = name === "latency" ? "latency is at least" : WORDS[name];
  return { got: shown(low), asked: shown(limits[name] ?? Number.POSITIVE_INFINITY), surely };
}

export function shownAmount(name: LimitName, value: number): string {
  if (name === "loss")
    return value === Number.POSITIVE_INFINITY ? "not finite" : `${Number((100 * value).toPrecision(3))} %`;
  if (name === "latency") return `${Number(value.toPrecision(3))} ms`;
  return `${Math.round(value).toLocaleString("en")} bytes`;
}
