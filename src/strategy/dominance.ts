import type { Interval } from "../latency/interval.ts";

// Candidates that another one makes useless, whatever the goal.

/** What is known of a candidate before it is tried; less is better in everything. null: not known. */
export interface Figures {
  readonly latency: Interval;
  /** Of the file. */
  readonly bytes: number;
  readonly load: Interval | null;
  /** Bytes, at most at one time. */
  readonly memory: number | null;
  /** What the weights lose, as far as it can be told beforehand: in any unit that is the same for all. */
  readonly error: number;
}

export interface Dominated<T> {
  readonly loser: T;
  /** One that no other dominates. */
  readonly by: T;
  readonly reason: string;
}

/**
 * Those that another is at least as good as in everything and clearly better in something. Of intervals, one is at least as good as another if neither end
 * nor middle is later, and clearly better if they do not overlap. What is not known is as good as what is not known, and nothing else. The winner that is
 * named is the first that beats it and is beaten by none.
 */
export function dominated<T extends Figures>(priced: readonly T[]): Dominated<T>[] {
  const losers = new Set(priced.filter((each) => priced.some((other) => beats(other, each) !== null)));
  const winners = priced.filter((each) => !losers.has(each));
  return [...losers].flatMap((loser) => {
    const by = winners.find((winner) => beats(winner, loser) !== null);
    return by ? [{ loser, by, reason: beats(by, loser) as string }] : [];
  });
}

const KINDS = {
  latency: { of: ({ latency }: Figures) => latency, words: ["faster", "ms"] },
  bytes: { of: ({ bytes }: Figures) => exactly(bytes), words: ["smaller", "bytes"] },
  load: { of: ({ load }: Figures) => load, words: ["loaded sooner", "ms"] },
  memory: {
    of: ({ memory }: Figures) => (memory === null ? null : exactly(memory)),
    words: ["smaller in memory", "bytes"],
  },
  error: { of: ({ error }: Figures) => exactly(error), words: ["closer to the original", ""] },
} as const;

function exactly(value: number): Interval {
  return { ms: value, low: value, high: value };
}

/** What `a` is clearly better in, in words; null if it does not dominate `b`. */
function beats(a: Figures, b: Figures): string | null {
  const words: string[] = [];
  for (const {
    of,
    words: [better, unit],
  } of Object.values(KINDS)) {
    const [mine, other] = [of(a), of(b)];
    if (mine === null && other === null) continue;
    if (!mine || !other || !(mine.low <= other.low && mine.ms <= other.ms && mine.high <= other.high)) return null;
    if (mine.high < other.low) words.push(`${better} (${shown(mine.ms)} to ${shown(other.ms)}${unit && ` ${unit}`})`);
  }
  return words.length > 0 ? `the other is ${words.join(", ")}, and worse in nothing` : null;
}

function shown(value: number): string {
  return `${Number(value.toPrecision(4))}`;
}
