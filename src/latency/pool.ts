import type { Row, UnitKey } from "./row.ts";

// What rows of the same key say together.

/** What is known of a unit's time. */
export interface Latency extends UnitKey {
  /** Milliseconds. */
  readonly median: number;
  /** Half of the distance between the quartiles, in milliseconds. */
  readonly spread: number;
  /** Runs, of all rows that are pooled. */
  readonly count: number;
  /** Of the newest of them. */
  readonly date: string;
  readonly tool: string;
  readonly runtime: string;
  /** Rows that are pooled, and those that do not count because other versions have measured since. */
  readonly pooled: number;
  readonly outdated: number;
}

/** Half of the distance between the quartiles of a normal distribution, in standard deviations. */
export const HALF_QUARTILES = 0.6745;

/** Of the median of a sample of a normal distribution, by its standard deviation and the square root of the count: sqrt(pi / 2). */
const OF_MEDIAN = 1.2533;

/** How far off a median may be, as a share of it: a standard deviation. @param ms - what is taken for the median */
export function errorOf({ median, spread, count }: Latency, ms = median): number {
  return (OF_MEDIAN * spread) / (HALF_QUARTILES * ms * Math.sqrt(Math.max(1, count)));
}

/**
 * Rows of one key as one latency. Those that the same versions of quern and of the runtime have measured are pooled. Of several pairs of versions the one
 * that measured last counts, and the others do not; if two did in the same second, the one whose text is greater. The order of the rows makes no
 * difference, to the last bit.
 * @param rows - of one key; at least one
 */
export function pooled(rows: readonly Row[]): Latency {
  const byVersions = new Map<string, Row[]>();
  for (const row of [...rows].sort(byText)) {
    const versions = `${row.runtime} ${row.tool}`;
    const alike = byVersions.get(versions);
    if (alike) alike.push(row);
    else byVersions.set(versions, [row]);
  }
  const groups = [...byVersions].map(([versions, alike]) => ({ alike, date: lastOf(alike), versions }));
  const [newest] = groups.sort((a, b) => (`${a.date} ${a.versions}` > `${b.date} ${b.versions}` ? -1 : 1));
  const { alike, date } = newest as (typeof groups)[number];
  const { environment, type, form, attributes, precision, batch, tool, runtime } = alike[0] as Row;
  const key = { environment, type, form, attributes, precision, batch };
  return {
    ...key,
    ...averaged(alike),
    date,
    tool,
    runtime,
    pooled: alike.length,
    outdated: rows.length - alike.length,
  };
}

/** Medians are averaged by their runs; the spread is that within the rows and that between them. */
function averaged(rows: readonly Row[]): { count: number; median: number; spread: number } {
  const [only] = rows;
  if (rows.length === 1 && only) return { count: only.count, median: only.median, spread: only.spread };
  const count = rows.reduce((sum, row) => sum + row.count, 0);
  const mean = (of: (row: Row) => number) => rows.reduce((sum, row) => sum + (row.count / count) * of(row), 0);
  const median = mean((row) => row.median);
  const within = mean((row) => row.spread ** 2);
  const between = mean((row) => (HALF_QUARTILES * (row.median - median)) ** 2);
  return { count, median, spread: Math.sqrt(within + between) };
}

function lastOf(rows: readonly Row[]): string {
  return rows.reduce((last, { date }) => (date > last ? date : last), "");
}

/** What sets rows of one key apart, as text. */
export function measureText({ runtime, tool, date, median, spread, count }: Row): string {
  return JSON.stringify([runtime, tool, date, median, spread, count]);
}

function byText(a: Row, b: Row): number {
  const [first, second] = [measureText(a), measureText(b)];
  return first < second ? -1 : Number(first > second);
}
