// What ran, as lines of README's table.

/** The columns of a row, all but the version compared word for word. */
export interface Row {
  readonly runtime: string;
  readonly version: string;
  readonly tier: string;
  /** What it loads from. */
  readonly from: string;
  readonly tested: string;
}

export interface Run {
  readonly runtime: string;
  readonly version: string;
  /** The version is the one in package.json; others are what the system has. */
  readonly pinned: boolean;
  readonly tier: string;
  readonly from: readonly string[];
  readonly tested: readonly string[];
}

// Their order in a cell.
const FROM = ["URL", "bytes", "file", "`File`", "OPFS handle", "chunks"];
const TESTED = ["frozen files", "kernels", "stream", "load", "no ranges", "gzip", "resume", "abort", "damage"];

const runs = new Map<string, Run>();
const absent = new Map<string, string>();

/** Notes that a runtime did something; what it did in several tests is one row. */
export function ran(run: Run): void {
  const key = `${run.runtime} ${run.version} ${run.tier}`;
  const before = runs.get(key);
  const [from, tested] = [
    [...(before?.from ?? []), ...run.from],
    [...(before?.tested ?? []), ...run.tested],
  ];
  runs.set(key, { ...run, from, tested });
}

/** Notes that a runtime is not here, for which rows may stay untested. @param start - of their names */
export function notRun(start: string, why: string): void {
  absent.set(start, why);
}

export function reasons(): readonly string[] {
  return [...absent.values()];
}

export function rowsRun(): readonly (Row & { pinned: boolean })[] {
  return [...runs.values()].map(({ from, tested, ...run }) => ({
    ...run,
    from: cell(FROM, from),
    tested: cell(TESTED, tested),
  }));
}

function cell(order: readonly string[], words: readonly string[]): string {
  const unknown = words.filter((word) => !order.includes(word));
  if (unknown.length > 0) throw new Error(`no place in the table for ${unknown.join(", ")}`);
  return order.filter((word) => words.includes(word)).join(", ");
}

export function printed({ runtime, version, tier, from, tested }: Row): string {
  return `| ${[runtime, version, tier, from, tested].join(" | ")} |`;
}

/** The rows of a table in Markdown that begins with this heading. */
export function rowsOf(markdown: string, heading: string): Row[] {
  const start = markdown.indexOf(heading);
  if (start < 0) throw new Error(`there is no table ${heading}`);
  const [table = ""] = markdown.slice(start).split("\n\n");
  const lines = table.trim().split("\n").slice(2);
  return lines.map((line) => {
    const [runtime = "", version = "", tier = "", from = "", tested = ""] = line
      .split("|")
      .slice(1)
      .map((text) => text.trim());
    return { runtime, version, tier, from, tested };
  });
}

/** What a table says that did not run, and what ran that it does not say. */
export function differences(table: readonly Row[]): string[] {
  const left = [...table];
  const found: string[] = [];
  // Those of a fixed version first: another of the same name may stand for what the system has.
  for (const run of [...rowsRun()].sort((a, b) => Number(b.pinned) - Number(a.pinned))) {
    const version = ({ version }: Row) => (run.pinned ? version : "");
    const same = (row: Row) =>
      printed({ ...row, version: version(row) }) === printed({ ...run, version: version(run) });
    const at = left.findIndex(same);
    if (at < 0) found.push(`ran, but is not in the table: ${printed(run)}`);
    else left.splice(at, 1);
  }
  const rest = left.filter(({ runtime }) => ![...absent.keys()].some((start) => runtime.startsWith(start)));
  return [...found, ...rest.map((row) => `is in the table, but did not run: ${printed(row)}`)];
}
