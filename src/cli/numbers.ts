import { UsageError } from "./terminal.ts";

// Values of options.

/** @throws UsageError for what is not a whole number within the bounds */
export function wholeNumber(
  flag: string,
  text: string | undefined,
  least: number,
  most: number = Number.POSITIVE_INFINITY,
): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  const bounds = Number.isFinite(most) ? `from ${least} to ${most}` : `from ${least}`;
  throw new UsageError(`${flag} expected a whole number ${bounds}, got "${text}"`);
}

/** @throws UsageError for what is none of the words */
export function oneOf<T extends string>(flag: string, text: string, words: readonly T[]): T {
  const found = words.find((word) => word === text);
  if (found) return found;
  throw new UsageError(`${flag} expected ${words.join(", ")}, got "${text}"`);
}
