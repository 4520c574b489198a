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
  readonly code: string;
  readonly offset: number;
  readonly field: string;
  readonly expected: string;
  readonly actual: string;

  constructor(problem: FormatProblem) {
    const { code, offset, field, expected, actual } = problem;
    super(`${field} at byte ${offset}: expected ${expected}, got ${actual}`);
    this.name = "FormatError";
    this.code = code;
    this.offset = offset;
    this.field = field;
    this.expected = expected;
    this.actual = actual;
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

/** A plan that cannot be parsed, or cannot be applied to the tensor it meets. */
export class PlanError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "PlanError";
  }
}

/** Weights that a step cannot take, such as NaN where a scale is to be found. */
export class DataError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "DataError";
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

/** A value from a file as short text; a value nested too deep for JSON.stringify is only named. */
export function printed(value: unknown): string {
  try {
    return (JSON.stringify(value) ?? "nothing").slice(0, 80);
  } catch {
    return "a value nested too deep to print";
  }
}

function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return JSON.stringify(value);
  if (typeof value === "object" && value !== null) return value.constructor?.name ?? "object";
  return String(value);
}
