import { DataError } from "../errors.ts";
import { canonical, parseJson, record, refuse } from "./checks.ts";
import { type Environment, parseEnvironment } from "./environment.ts";
import type { Row } from "./row.ts";
import { addEnvironment, addRow, inOrder, type LatencyTable, newTable, rowsOf } from "./table.ts";

// A table as lines of JSON: what it is, then environments, each before its rows.

export const FIRST_LINE = '{"quern":"latency","version":1}\n';
const VERSION = 1;
const LONGEST = 1 << 16;

export function environmentLine(environment: Environment): string {
  return `${canonical({ environment })}\n`;
}

export function rowLine(row: Row): string {
  return `${canonical(row)}\n`;
}

/** The same table gives the same text, whatever the order in which it was filled. */
export function printLines(table: LatencyTable): string {
  const environments = inOrder(table.environments).map(environmentLine);
  return [FIRST_LINE, ...environments, ...rowsOf(table).map(rowLine)].join("");
}

export interface LinesOptions {
  /** Adds to this table. Default: a new one */
  readonly into?: LatencyTable | undefined;
  /** Leaves out a last line without an end: what is left when a program was killed that was appending. Default: it is refused */
  readonly torn?: boolean | undefined;
}

/**
 * Reads what printLines gives, or lines that were appended to it.
 * @throws DataError for a line that is not what it should be, with its number: from then on the table of `into` has the lines before it
 */
export function parseLines(
  text: string | Uint8Array,
  { into = newTable(), torn = false }: LinesOptions = {},
): LatencyTable {
  const lines = (typeof text === "string" ? text : decoded(text)).split("\n");
  // Behind the last end of a line nothing is left.
  const rest = lines.pop() as string;
  if (lines.length > 0 || !torn) first(lines[0] ?? rest);
  for (let i = 1; i < lines.length; i++) addLine(into, lines[i] as string, `line ${i + 1}`);
  if (rest !== "" && !torn) refuse(`line ${lines.length + 1}`, "an end of the line", rest.slice(-40));
  return into;
}

function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new DataError("expected UTF-8 text, got other bytes");
  }
}

function first(line: string): void {
  if (line.length > 200) refuse("line 1", FIRST_LINE.trim(), line.slice(0, 40));
  const { quern, version } = record(parseJson(line, "line 1"), "line 1");
  if (quern !== "latency") refuse("line 1: quern", '"latency"', quern);
  if (typeof version === "number" && version > VERSION)
    throw new DataError(`line 1: version: expected ${VERSION}, got ${version}: it is of a newer quern`);
  if (version !== VERSION) refuse("line 1: version", String(VERSION), version);
}

function addLine(table: LatencyTable, line: string, field: string): void {
  if (line.length > LONGEST) refuse(field, `at most ${LONGEST} characters`, line.length);
  const value = record(parseJson(line, field), field);
  // A row has the id of an environment there.
  const { environment } = value;
  if (typeof environment !== "object" || environment === null) {
    addRow(table, value as never, `${field}: row`);
    return;
  }
  const other = Object.keys(value).find((key) => key !== "environment");
  if (other !== undefined) refuse(field, "an environment and nothing else", other);
  addEnvironment(table, parseEnvironment(environment, `${field}: environment`));
}
