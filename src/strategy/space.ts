import { PlanError } from "../errors.ts";
import { parseCandidate, printCandidate } from "./candidate.ts";
import { countOf, type Sequence, textsOf } from "./lists.ts";
import { parseLists } from "./scan.ts";

// Candidates written as one text with lists in it.

/** Candidates of one text, at most. */
export const MOST_CANDIDATES = 4096;
/** Characters of all candidates of one text, at most. */
const MOST_CHARACTERS = 2 ** 22;

/**
 * The candidates that a text with lists stands for, as printCandidate prints them: the first list changes slowest, and what comes twice is left out.
 *
 * `{a, b}` is a list of any piece of text, nested or empty if need be: "int{8,4} channel {,asymmetric}" has four. Spaces around what a comma separates do
 * not count. `a|b` is a list between words of a step: the first alternative is the one word before the bar, every other one all words up to the next bar or
 * the end of the step, braces included: "int8 channel|group {32,64} > auto" has three. Steps end at ">", ";", "@", and the end of what is in braces. Both work
 * behind "@". In names of tensors "?" is written for braces and bars; commas outside of braces are the plan's.
 * @throws PlanError for lists that are not closed, more than 4096 candidates, or one that does not parse
 */
export function expandPlan(text: string): string[] {
  const lists = parseLists(text);
  demandFew(text, lists);
  const texts = textsOf(lists);
  return [...new Set(texts.map((each, i) => canonical(each, { text, at: i + 1, of: texts.length })))];
}

function demandFew(text: string, lists: Sequence): void {
  const { count, characters } = countOf(lists);
  if (count > MOST_CANDIDATES)
    throw new PlanError(
      `"${shortened(text)}": its lists make ${plain(count)} candidates, and ${MOST_CANDIDATES} are the most: leave some out, or write several texts`,
    );
  if (characters > MOST_CHARACTERS)
    throw new PlanError(
      `"${shortened(text)}": its candidates are ${plain(characters)} characters long, and ${MOST_CHARACTERS} are the most: write shorter ones, or several texts`,
    );
}

function plain(count: number): string {
  return Number.isSafeInteger(count) ? `${count}` : "far too many";
}

function canonical(text: string, whole: { text: string; at: number; of: number }): string {
  try {
    return printCandidate(parseCandidate(text));
  } catch (error) {
    if (!(error instanceof PlanError) || whole.of === 1) throw error;
    const which = `candidate ${whole.at} of ${whole.of}, "${shortened(text)}"`;
    throw new PlanError(`"${shortened(whole.text)}": ${which}, does not parse: ${error.message}`);
  }
}

/** Enough of a text to know it by. */
export function shortened(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}
