import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DataError } from "../errors.ts";
import { type Report, reportPage } from "../report/report.ts";
import { writeWhole } from "./files.ts";
import { demandApart } from "./places.ts";
import { UsageError } from "./terminal.ts";

// Pages that verbs write.

export const REPORT_OPTION = [
  "--report <file>",
  "writes what was found as a page, too: one HTML file that needs nothing else",
] as const;

/**
 * What writes the page that --report asks for, with the date. To be called before the work, because places that cannot be are refused at once;
 * without the option what it gives does nothing.
 * @param flag - as it was given; true is no file, but what other verbs mean by it
 * @param inputs - files that the page must not replace
 */
export function reportTo(
  flag: string | boolean | undefined,
  inputs: readonly string[],
): (report: Report) => Promise<void> {
  if (typeof flag !== "string") return async () => {};
  if (flag === "") throw new UsageError("--report expected a file");
  demandApart({ "--report": flag }, inputs);
  if (!existsSync(dirname(resolve(flag)))) throw new DataError(`${dirname(flag)}: no such folder, for ${flag}`);
  return async ({ facts = [], ...report }) => {
    const date = `${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC`;
    await writeWhole(flag, reportPage({ ...report, facts: [...facts, ["date", date]] }));
  };
}

/** The file that --report names, if it names one. */
export function reportPath(flag: string | boolean | undefined): string | undefined {
  return typeof flag === "string" ? flag : undefined;
}

/** What a page calls a file: not where it lies, since pages are passed on. Its name; of a model.json with its folder, since all of them have that name. */
export function nameOf(path: string): string {
  const parts = path.split(/[\\/]/);
  return parts.slice(parts.at(-1) === "model.json" ? -2 : -1).join("/");
}
