import { PlanError } from "../errors.ts";
import { type List, type Sequence, trimmed } from "./lists.ts";

// How lists are found in a text: see expandPlan.

/** Characters of a text. Presets name tensors, whose names can be long. */
const LONGEST = 65536;
/** Braces in braces: readers call themselves. */
const DEEPEST = 32;

/** What ends a step, and with it the last alternative of a bar. */
const ENDS = ">;@";
/** What a word begins behind. */
const BEFORE_WORD = /[\s>;=@]/;

interface Scan {
  readonly text: string;
  at: number;
  /** Where the braces that are open stand. */
  readonly open: number[];
}

/** @throws PlanError naming the character, counted from 1 */
export function parseLists(text: string): Sequence {
  if (text.length > LONGEST)
    throw new PlanError(`a text of ${text.length} characters: candidates are written in ${LONGEST} at most`);
  return sequence({ text, at: 0, open: [] }, "");
}

/** Up to one of the characters in `stops`, a comma or "}" that is an open brace's, or the end. */
function sequence(scan: Scan, stops: string): Sequence {
  const parts: (string | List)[] = [];
  for (;;) {
    const start = scan.at;
    while (scan.at < scan.text.length && !special(scan, stops)) scan.at++;
    if (scan.at > start) parts.push(scan.text.slice(start, scan.at));
    const character = scan.text[scan.at] ?? "";
    if (character === "{") parts.push(braces(scan));
    else if (character === "|" && !stops.includes("|")) parts.push(bars(scan, parts));
    else if (character === "}" && scan.open.length === 0) refuse(scan, scan.at, '"}" closes nothing');
    else return parts;
  }
}

function special({ text, at, open }: Scan, stops: string): boolean {
  const character = text[at] as string;
  return "{}|".includes(character) || stops.includes(character) || (character === "," && open.length > 0);
}

function braces(scan: Scan): List {
  const start = scan.at;
  if (scan.open.length >= DEEPEST) refuse(scan, start, `"{" is inside of ${DEEPEST} others, and that is the most`);
  scan.open.push(start);
  const alternatives: Sequence[] = [];
  do {
    scan.at++;
    alternatives.push(trimmed(sequence(scan, "")));
  } while (scan.text[scan.at] === ",");
  if (scan.text[scan.at] !== "}") refuse(scan, start, '"{" is not closed: write "}" behind the last alternative');
  scan.at++;
  scan.open.pop();
  if (scan.at === start + 2) refuse(scan, start, '"{}" lists nothing: in names write "?" for braces');
  return { alternatives };
}

// The word before the bar is taken back out of `parts`.
function bars(scan: Scan, parts: (string | List)[]): List {
  const start = scan.at;
  const first = lastWord(parts);
  if (first.length === 0) refuse(scan, start, 'a word must stand before "|"');
  const alternatives: Sequence[] = [first];
  while (scan.text[scan.at] === "|") {
    const bar = scan.at++;
    const next = trimmed(sequence(scan, `|=${ENDS}`));
    if (scan.text[scan.at] === "=") refuse(scan, bar, '"|" stands in a name: write "?" for it, or "{a,b}" for a list');
    if (next.every((part) => part === ""))
      refuse(scan, bar, 'a word must stand behind "|": for one that may be left out write "{word,}"');
    alternatives.push(next);
  }
  return { alternatives };
}

function lastWord(parts: (string | List)[]): Sequence {
  const last = parts.at(-1);
  // Bars may stand between spaces.
  if (typeof last === "string") parts[parts.length - 1] = last.trimEnd();
  const word: (string | List)[] = [];
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    const cut = typeof part === "string" ? wordStart(part) : 0;
    if (typeof part !== "string") word.unshift(part);
    else if (cut < part.length) word.unshift(part.slice(cut));
    if (typeof part === "string" && cut > 0) {
      parts.push(part.slice(0, cut));
      break;
    }
  }
  return word;
}

/** Where the last word of a text begins; its length, if it ends between words. */
function wordStart(text: string): number {
  let start = text.length;
  while (start > 0 && !BEFORE_WORD.test(text[start - 1] as string)) start--;
  return start;
}

function refuse({ text }: Scan, at: number, problem: string): never {
  const from = Math.max(0, at - 60);
  const around = text.slice(from, at + 60);
  const shown = `${from > 0 ? "..." : ""}${around}${at + 60 < text.length ? "..." : ""}`;
  throw new PlanError(`"${shown}": character ${at + 1}: ${problem}`);
}
