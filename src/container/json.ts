import { FormatError, PlanError, printed } from "../errors.ts";
import { PRELUDE_BYTES } from "./prelude.ts";

// How what the JSON part says is refused.

export function wrong(field: string, expected: string, actual: string): FormatError {
  return new FormatError({ code: "json", offset: PRELUDE_BYTES, field, expected, actual });
}

/** Throws a FormatError unless `ok`. Fields are named and values printed only then: there may be many tensors. */
export function check(ok: boolean, field: () => string, expected: string, actual: unknown): asserts ok {
  if (!ok) throw wrong(field(), expected, printed(actual));
}

/** What `make` gives; what it refuses of plans and sizes becomes a FormatError. */
export function valid<T>(field: () => string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof PlanError || error instanceof RangeError)) throw error;
    throw wrong(field(), "a valid tensor", error.message);
  }
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** JSON in ASCII. */
export function escaped(json: string): string {
  return json.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
