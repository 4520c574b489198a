// What time is read from, and how much has to happen between two looks at it.

export interface Clock {
  /** Milliseconds. */
  now(): number;
  /** The least that it tells apart, in milliseconds: 0.1 in pages, 0.005 in isolated ones. Default: it is fine enough for all that is timed */
  readonly resolution?: number | undefined;
}

/** Steps of the clock that are looked at, and looks that are enough for one that stands. */
const STEPS = 24;
const MOST_LOOKS = 2e6;

/** The clock with its resolution, which is found out where it does not tell it: the least that it has gone on by at once. */
export function withResolution(clock: Clock): Clock & { readonly resolution: number } {
  const now = () => clock.now();
  if (clock.resolution !== undefined) return { now, resolution: clock.resolution };
  let least = Number.POSITIVE_INFINITY;
  let last = now();
  for (let steps = 0, looks = 0; steps < STEPS && looks < MOST_LOOKS; looks++) {
    const time = now();
    if (time <= last) continue;
    least = Math.min(least, time - last);
    last = time;
    steps++;
  }
  return { now, resolution: Number.isFinite(least) ? least : 0 };
}

/** A reading is so many times what the clock tells apart: off by 2 % at most. And no shorter than this, in milliseconds. */
const [TIMES, SHORTEST] = [50, 0.25];
const MOST_RUNS = 1 << 14;

export interface Meter {
  /** What is timed comes to be run so often that a reading is long enough. */
  warm(): Promise<void>;
  /**
   * Milliseconds of a run that comes after another: what ran before has left its own data in the caches, and from where it comes instead is another machine's
   * business. Perceptrons with weights of half a megabyte took from 0.09 to 0.19 ms at once after a reference, and 0.056 after themselves.
   */
  read(): Promise<number>;
}

export function meter(clock: Clock, task: () => unknown): Meter {
  const enough = Math.max(SHORTEST, TIMES * (clock.resolution ?? 0));
  let runs = 1;
  const timed = async (): Promise<number> => {
    const start = clock.now();
    for (let i = 0; i < runs; i++) await task();
    return clock.now() - start;
  };
  return {
    async warm() {
      while ((await timed()) < enough && runs < MOST_RUNS) runs *= 2;
    },
    async read() {
      await task();
      return (await timed()) / runs;
    },
  };
}
