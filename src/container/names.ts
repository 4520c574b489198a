import { argument, demand, printed } from "../errors.ts";
import { MAX_NAME, MAX_NAMES } from "./header.ts";
import { check, isCount } from "./json.ts";
import { PRELUDE_BYTES } from "./prelude.ts";

// Names in the header: how much of the name before each keeps, and what follows. Limits, as a short header could make endless names.

/** How many UTF-16 units of `name` are those of the name `before`; a surrogate pair is not cut in two. */
export function keptOf(before: string, name: string): number {
  const most = Math.min(before.length, name.length);
  let kept = 0;
  while (kept < most && name.charCodeAt(kept) === before.charCodeAt(kept)) kept++;
  const half = kept > 0 && (name.charCodeAt(kept - 1) & 0xfc00) === 0xd800;
  return half ? kept - 1 : kept;
}

/** Throws a RangeError for names that are beyond the limits. */
export function checkNames(names: readonly string[]): void {
  const longest = names.reduce((most, { length }) => Math.max(most, length), 0);
  argument(longest <= MAX_NAME, "name", `at most ${MAX_NAME} UTF-16 units`, longest);
  const units = names.reduce((sum, { length }) => sum + length, 0);
  argument(units <= MAX_NAMES, "names", `at most ${MAX_NAMES} UTF-16 units together`, units);
}

/** A function that makes names, in order, from what they keep and what they add. It throws a FormatError. */
export function nameReader(): (kept: unknown, rest: unknown) => string {
  const names = new Set<string>();
  let [before, units] = ["", 0];
  return (kept, rest) => {
    const field = () => `name of tensor ${names.size}`;
    check(isCount(kept) && kept <= before.length, field, `0 to ${before.length} units kept`, kept);
    check(typeof rest === "string", field, "a string", rest);
    const length = kept + rest.length;
    check(length <= MAX_NAME, field, `at most ${MAX_NAME} UTF-16 units`, length);
    units += length;
    check(units <= MAX_NAMES, () => "names", `at most ${MAX_NAMES} UTF-16 units together`, units);
    const name = before.slice(0, kept) + rest;
    demand(!names.has(name), "duplicate", PRELUDE_BYTES, "tensor names", "each only once", printed(name));
    names.add(name);
    before = name;
    return name;
  };
}
