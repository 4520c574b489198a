// Errors that the smallest reader needs.

/** What a FormatError found: where (bytes from the start of the file), which field, what it should and what it does hold. */
export interface FormatProblem {
  /** Stable word for programs, such as "magic", "checksum", "kraft". */
  code: string;
  /** Byte offset in the file. */
  offset: number;
  field: string;
  expected: string;
  actual: string;
}

/** Bytes that are not what their format demands. Thrown for every malformed, damaged or unsupported file. */
export class FormatError extends Error implements FormatProblem {
  declare readonly code: string;
  declare readonly offset: number;
  declare readonly field: string;
  declare readonly expected: string;
  declare readonly actual: string;

  constructor({ code, offset, field, expected, actual }: FormatProblem) {
    super(`${field} at byte ${offset}: expected ${expected}, got ${actual}`);
    Object.assign(this, { name: "FormatError", code, offset, field, expected, actual });
  }
}

/**
 * Bytes that could not be had, although nothing says that they are damaged. `code` is for programs: "network" (after all tries), "status",
 * "content-range", "length", "html", "encoding", "changed" (another file lies there now), "forward" (a stream has passed the place), "closed", "budget".
 */
export class LoadError extends Error {
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "LoadError";
    this.code = code;
  }
}

/** Throws a FormatError unless `ok`. */
export function demand(
  ok: boolean,
  code: string,
  offset: number,
  field: string,
  expected: string | number,
  actual: string | number,
): asserts ok {
  if (!ok) throw new FormatError({ code, offset, field, expected: String(expected), actual: String(actual) });
}

/** Throws a RangeError unless `ok`: `"${name}" expected ${expected}, got ${actual}`. */
export function argument(ok: boolean, name: string, expected: string, actual: unknown): asserts ok {
  if (!ok) throw new RangeError(`"${name}" expected ${expected}, got ${describe(actual)}`);
}

function describe(value: unknown): string {
  if (typeof value === "string" || Array.isArray(value)) return JSON.stringify(value);
  if (typeof value === "object" && value !== null) return value.constructor?.name ?? "object";
  return String(value);
}
