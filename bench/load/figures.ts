import { table } from "../../src/cli/print.ts";
import { median } from "../harness.ts";
import type { Bench } from "./processes.ts";

// What the bench finds, and how it is printed.

/** One figure, as --json prints it. */
export interface Figure {
  readonly section: string;
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it is to be at most, or at least; null where it only explains others. */
  readonly bar: { readonly most: number } | { readonly least: number } | null;
  /** What it was reckoned from. */
  readonly of: string;
}

export interface Settings {
  readonly quick: boolean;
  /** Least times instead of medians, where a section knows how: for machines that others use too. */
  readonly best: boolean;
  /** Processes of each kind, in turn. */
  readonly runs: number;
  status(text: string): void;
}

export type Section = (bench: Bench, settings: Settings) => Promise<Figure[]>;

/** Runs all in turn, forward and back, so that what else the machine does meets them alike. Gives what each gave, in the order of its runs. */
export async function inTurn<K extends string, T>(
  runs: number,
  contenders: Record<K, () => Promise<T>>,
): Promise<Record<K, T[]>> {
  const names = Object.keys(contenders) as K[];
  const found = Object.fromEntries(names.map((name) => [name, [] as T[]])) as Record<K, T[]>;
  for (let run = 0; run < runs; run++) {
    for (const name of run % 2 === 0 ? names : names.toReversed()) found[name].push(await contenders[name]());
  }
  return found;
}

/** Of the runs of several processes: the median of their first ones, and of all others. */
export function coldAndWarm(processes: readonly { readonly ms: readonly number[] }[]): { cold: number; warm: number } {
  return { cold: median(processes.map(({ ms }) => ms[0])), warm: median(processes.flatMap(({ ms }) => ms.slice(1))) };
}

export function holds({ value, bar }: Figure): boolean | null {
  if (!bar) return null;
  return "most" in bar ? value <= bar.most : value >= bar.least;
}

export function printFigures(figures: readonly Figure[]): string {
  const sections = [...new Set(figures.map(({ section }) => section))];
  return sections.map((section) => `\n${section}\n${tableOf(figures.filter((f) => f.section === section))}\n`).join("");
}

function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { name, value, unit, bar, of } = figure;
    const limit = !bar ? "" : "most" in bar ? `<= ${digits(bar.most)}` : `>= ${digits(bar.least)}`;
    return [
      name,
      digits(value),
      unit,
      limit,
      { true: "yes", false: "NO", null: "" }[String(holds(figure))] as string,
      of,
    ];
  });
  return table(["", "figure", "unit", "bar", "holds", "of"], rows, [1, 3]);
}

export function digits(value: number): string {
  return Math.abs(value) >= 100 || Number.isInteger(value)
    ? value.toFixed(0)
    : value.toFixed(Math.abs(value) < 10 ? 2 : 1);
}

export const MIB = 2 ** 20;
export const mib = (bytes: number): string => (bytes / MIB).toFixed(1);
/** Bytes per second of a link of so many Mbit/s. */
export const linkOf = (megabits: number): number => (megabits * 1e6) / 8;
