export { argument, demand, FormatError, type FormatProblem, LoadError } from "./errors/base.ts";

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

/** A value from a file as short text; a value nested too deep for JSON.stringify is only named. */
export function printed(value: unknown): string {
  if (typeof value === "number") return String(value);
  try {
    return (JSON.stringify(value) ?? "nothing").slice(0, 80);
  } catch {
    return "a value nested too deep to print";
  }
}
