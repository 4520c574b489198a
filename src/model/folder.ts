import { demand, printed } from "../errors.ts";

/** Longer than any file system takes. */
const MAX_NAME = 4096;

/**
 * A file's name from inside a model, which must stay below the model's folder on every system: relative, no "..", no drive, no
 * URL, no backslash, no NUL.
 * @throws FormatError
 */
export function siblingName(name: unknown, offset: number, field: string): string {
  const valid =
    typeof name === "string" &&
    name.length <= MAX_NAME &&
    // biome-ignore lint/suspicious/noControlCharactersInRegex: NUL ends a path early in C, line breaks forge messages
    !/[\\:\x00-\x1f]/.test(name) &&
    name.split("/").every((part) => part !== "" && part !== "..") &&
    !/(?:^|\/)\.$/.test(name);
  demand(valid, "path", offset, field, "a relative path below the model's folder", printed(name));
  return name as string;
}
