import type { Budget } from "../container/budget.ts";
import { globMatches } from "../plan.ts";
import { UsageError } from "./terminal.ts";

// What a whole file may take, from the command line.

export interface BudgetFlags {
  totalSize?: string;
  totalBits?: string;
  importance?: string[];
}

export const TOTAL_SIZE_HELP =
  "the whole file takes at most this, such as 2MB or 500kB: int8 tensors get one step size each, and bits go where they lower the error most";
export const TOTAL_BITS_HELP = "the same, as bits of the file by weight, such as 3.8";
export const IMPORTANCE_HELP = 'an error in these tensors counts so many times, such as "head.*=10"; may be repeated';

const UNITS: Record<string, number> = { b: 1, kb: 1e3, mb: 1e6, gb: 1e9, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30 };

/** The budget that the flags ask for, or undefined. @throws UsageError */
export function budgetOf({ totalSize, totalBits, importance = [] }: BudgetFlags): Budget | undefined {
  if (totalSize === undefined && totalBits === undefined) {
    if (importance.length > 0) throw new UsageError("--importance needs --total-size or --total-bits");
    return undefined;
  }
  if (totalSize !== undefined && totalBits !== undefined)
    throw new UsageError("--total-size and --total-bits say the same thing: give one");
  const weights = importance.map(weightOf);
  const budget = { importance: (name: string) => weights.find(({ glob }) => globMatches(glob, name))?.weight ?? 1 };
  if (totalSize !== undefined) return { ...budget, bytes: bytesOf("--total-size", totalSize) };
  return { ...budget, bits: positive("--total-bits", totalBits, totalBits) };
}

/** A size such as 2MB. @throws UsageError */
export function bytesOf(flag: string, text: string): number {
  const [, number, unit = "B"] = /^([\d.]+) ?([a-zA-Z]*)$/.exec(text.trim()) ?? [];
  const factor = UNITS[unit.toLowerCase() || "b"];
  if (factor === undefined) throw new UsageError(`${flag} expected a size such as 2MB, got "${text}"`);
  return positive(flag, number, text) * factor;
}

function weightOf(text: string): { glob: string; weight: number } {
  const equals = text.lastIndexOf("=");
  if (equals < 1) throw new UsageError(`--importance expected glob=number, got "${text}"`);
  return { glob: text.slice(0, equals), weight: positive("--importance", text.slice(equals + 1), text) };
}

function positive(flag: string, number: string | undefined, text: string | undefined): number {
  const value = number?.trim() ? Number(number) : Number.NaN;
  if (value > 0 && Number.isFinite(value)) return value;
  throw new UsageError(`${flag} expected a number above 0, got "${text}"`);
}
