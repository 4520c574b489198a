import { type Clock, type Meter, meter } from "./clock.ts";
import type { OpenUnit } from "./unit.ts";

// Times of a unit beside a reference, in turn: machines get slower and faster by halves within seconds, and then both do.

export interface Reference {
  run(): Promise<unknown> | unknown;
  /** What a run takes when nothing else happens: milliseconds. */
  readonly ms: number;
}

export interface Measured {
  /** Runs that count. */
  readonly count: number;
  /** Of one unit, in milliseconds of a machine on which the reference takes what it took first. */
  readonly median: number;
  /** Half of the distance between the quartiles. */
  readonly spread: number;
  /** What the reference took, by what it took first. */
  readonly drift: number;
}

/** The first rounds find caches empty and code that is not compiled. */
const DROPPED = 3;
const LEAST = 9;

/** Rounds until time is up, at least 9. @param budget - milliseconds */
export async function measureUnit(
  clock: Clock,
  reference: Reference,
  { run, base, copies }: OpenUnit,
  budget: number,
  signal?: AbortSignal,
): Promise<Measured> {
  const meters = [reference.run, run, ...(base ? [base] : [])].map((task) => meter(clock, task));
  const [shares, references]: [number[], number[]] = [[], []];
  const end = clock.now() + budget;
  for (let round = 0; round < DROPPED + LEAST || clock.now() < end; round++) {
    signal?.throwIfAborted();
    if (round < DROPPED) {
      for (const { warm } of meters) await warm();
      continue;
    }
    const [other, whole, beside] = (await inTurn(meters)) as [number, number, number?];
    references.push(other);
    shares.push((whole - (beside ?? 0)) / copies / Math.max(other, 1e-6));
  }
  const [low, median, high] = quartiles(shares);
  const { ms } = reference;
  return {
    count: shares.length,
    // A unit may take less than what is measured beside it varies.
    median: Math.max(0, median * ms),
    spread: ((high - low) / 2) * ms,
    drift: quartiles(references)[1] / ms,
  };
}

async function inTurn(meters: readonly Meter[]): Promise<number[]> {
  const readings: number[] = [];
  for (const { read } of meters) readings.push(await read());
  return readings;
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
