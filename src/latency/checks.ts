import { DataError, printed } from "../errors.ts";

// How values of files are taken or refused: a check gives the value it was shown, or names the field, what it should and what it does hold.

export type Check<T> = (value: unknown, field: string) => T;

export function refuse(field: string, expected: string, actual: unknown): never {
  throw new DataError(`${field}: expected ${expected}, got ${printed(actual)}`);
}

/** Text that is printed somewhere: no control characters. */
export function text(most: number): Check<string> {
  return (value, field) => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    const ok = typeof value === "string" && value.length <= most && value !== "" && !/[\0-\x1f\x7f-\x9f]/.test(value);
    return ok ? value : refuse(field, `text of 1 to ${most} characters`, value);
  };
}

export function matching(pattern: RegExp, expected: string): Check<string> {
  return (value, field) => (typeof value === "string" && pattern.test(value) ? value : refuse(field, expected, value));
}

export function oneOf<T extends string>(words: readonly T[]): Check<T> {
  return (value, field) => (words.includes(value as T) ? (value as T) : refuse(field, words.join(" or "), value));
}

export const flag: Check<boolean> = (value, field) =>
  typeof value === "boolean" ? value : refuse(field, "true or false", value);

export function whole(least: number): Check<number> {
  return (value, field) =>
    Number.isSafeInteger(value) && (value as number) >= least
      ? (value as number)
      : refuse(field, `a whole number from ${least}`, value);
}

/** A finite number; -0 becomes 0, since JSON has none. */
export function between(least: number, most: number): Check<number> {
  return (value, field) =>
    Number.isFinite(value) && (value as number) >= least && (value as number) <= most
      ? (value as number) + 0
      : refuse(field, `a number from ${least} to ${most}`, value);
}

export const above0: Check<number> = (value, field) =>
  Number.isFinite(value) && (value as number) > 0 ? (value as number) : refuse(field, "a number above 0", value);

export function orNull<T>(check: Check<T>): Check<T | null> {
  return (value, field) => (value === null ? null : check(value, field));
}

const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** A moment to the second, in UTC, in one spelling: so order of text is order of time. */
export const moment: Check<string> = (value, field) => {
  const told = typeof value === "string" && DATE.test(value) ? Date.parse(value) : Number.NaN;
  const same = Number.isFinite(told) && new Date(told).toISOString() === `${(value as string).slice(0, -1)}.000Z`;
  return same ? (value as string) : refuse(field, "a moment like 2026-01-31T12:00:00Z", value);
};

/** Now, as `moment` wants it. */
export function now(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`;
}

/** A set of words, in the order of their code units. */
export function words(check: Check<string>, most: number): Check<readonly string[]> {
  return (value, field) => {
    if (!Array.isArray(value) || value.length > most) return refuse(field, `a list of at most ${most}`, value);
    const sorted = value.map((word, i) => check(word, `${field}[${i}]`)).sort();
    if (new Set(sorted).size < sorted.length) refuse(field, "each only once", value);
    return sorted;
  };
}

/** An object of these fields and no other. */
export function object<T extends object>(fields: { readonly [K in keyof T]: Check<T[K]> }): Check<T> {
  const names = Object.keys(fields) as (keyof T & string)[];
  return (value, field) => {
    const given = record(value, field);
    const other = Object.keys(given).find((name) => !(names as string[]).includes(name));
    if (other !== undefined) refuse(field, `the fields ${names.join(", ")}`, other);
    return Object.fromEntries(names.map((name) => [name, fields[name](given[name], `${field}.${name}`)])) as T;
  };
}

export function record(value: unknown, field: string): Record<string, unknown> {
  const ok = typeof value === "object" && value !== null && !Array.isArray(value);
  return ok ? (value as Record<string, unknown>) : refuse(field, "an object", value);
}

/** JSON without spaces, keys in the order of their code units: the same value has one text. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, each]) => `${JSON.stringify(key)}:${canonical(each)}`).join(",")}}`;
}

/** Of JSON text. */
export function parseJson(json: string, field: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new DataError(`${field}: expected JSON, got ${printed(json.slice(0, 40))} (${(error as Error).message})`);
  }
}
