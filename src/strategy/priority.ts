import type { Description, ModelKind } from "../engine/engine.ts";
import { DataError } from "../errors.ts";
import { parseJson, record, refuse, text } from "../latency/checks.ts";
import { type Candidate, printCandidate } from "./candidate.ts";
import { type Match, matches, parseMatch } from "./match.ts";

// What is known beforehand of candidates that are predicted to be equally good: a list that people can edit.

export interface PriorityEntry {
  readonly match: Match;
  readonly reason: string;
}

/** Of two candidates, the first entry that matches one and not the other decides: the one that it matches goes first. */
export type Priority = readonly PriorityEntry[];

const VERSION = 1;
const MOST_ENTRIES = 1000;
const REASON = text(1000);

/**
 * The list that a JSON file holds: { "quern": "priority", "version": 1, "entries": [{ "match": { ... }, "reason": "..." }] }.
 * @param field - what the list is called in errors
 * @throws DataError for another version, and for every field that is missing, unknown or not what it should be
 */
export function parsePriority(json: string | object, field = "priority"): Priority {
  const given = record(typeof json === "string" ? parseJson(json, field) : json, field);
  const { quern, version, entries, ...others } = given;
  if (quern !== "priority") refuse(`${field}.quern`, '"priority"', quern);
  if (typeof version === "number" && version > VERSION)
    throw new DataError(`${field}.version: expected ${VERSION}, got ${version}: it is of a newer quern`);
  if (version !== VERSION) refuse(`${field}.version`, String(VERSION), version);
  demandNone(others, field, "quern, version, entries");
  if (!Array.isArray(entries) || entries.length > MOST_ENTRIES)
    return refuse(`${field}.entries`, `a list of at most ${MOST_ENTRIES}`, entries);
  return entries.map((entry, i) => parseEntry(entry, `${field}.entries[${i}]`));
}

function parseEntry(value: unknown, field: string): PriorityEntry {
  const { match, reason, ...others } = record(value, field);
  demandNone(others, field, "match, reason");
  return { match: parseMatch(match, `${field}.match`), reason: REASON(reason, `${field}.reason`) };
}

function demandNone(others: object, field: string, known: string): void {
  const [other] = Object.keys(others);
  if (other !== undefined) refuse(field, `the fields ${known}`, other);
}

/** JSON for a file; parsePriority reads it back to the same list. */
export function printPriority(priority: Priority): string {
  return `${JSON.stringify({ quern: "priority", version: VERSION, entries: priority }, null, 2)}\n`;
}

/** The candidates, those to be preferred first. The order is the same however they are given: what no entry tells apart is in the order of its text. */
export function inPriorityOrder<T extends Candidate>(
  candidates: readonly T[],
  priority: Priority,
  { kind }: Pick<Description, "kind">,
): T[] {
  const keyed = candidates.map((candidate) => ({ candidate, ...keyOf(candidate, priority, kind) }));
  return keyed.sort((a, b) => compared(a, b)).map(({ candidate }) => candidate);
}

/** Why one candidate goes before another: the reason of the entry that decides; null if none tells them apart. */
export function decidingReason(
  first: Candidate,
  second: Candidate,
  priority: Priority,
  { kind }: Pick<Description, "kind">,
): string | null {
  const differ = ({ match }: PriorityEntry): boolean => matches(match, first, kind) !== matches(match, second, kind);
  return priority.find(differ)?.reason ?? null;
}

interface Key {
  readonly matched: readonly boolean[];
  readonly text: string;
}

function keyOf(candidate: Candidate, priority: Priority, kind: ModelKind): Key {
  return { matched: priority.map(({ match }) => matches(match, candidate, kind)), text: printCandidate(candidate) };
}

function compared(a: Key, b: Key): number {
  const at = a.matched.findIndex((is, i) => is !== b.matched[i]);
  if (at >= 0) return a.matched[at] ? -1 : 1;
  return a.text === b.text ? 0 : a.text < b.text ? -1 : 1;
}
