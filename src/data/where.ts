import { DataError, FormatError } from "../errors.ts";

/** A message says which file it is about. */
export function inFile(error: unknown, path: string): unknown {
  if (error instanceof DataError && !error.message.includes(path)) return new DataError(`${path}: ${error.message}`);
  if (!(error instanceof FormatError)) return error;
  const { code, offset, field, expected, actual } = error;
  return new FormatError({ code, offset, field: `${path}: ${field}`, expected, actual });
}
