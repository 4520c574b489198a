// What the parsers of steps share.

/** A whole number from `least` to `most`, or undefined. */
export function wholeNumber(word: string | undefined, least: number, most: number): number | undefined {
  const n = /^\d+$/.test(word ?? "") ? Number(word) : Number.NaN;
  return n >= least && n <= most ? n : undefined;
}

/** Reads the words of a step, its verb first; undefined if they are not such a step. */
export type StepParser<S> = (words: readonly string[], verb: string) => S | undefined;

/** The largest count of elements that share a scale or a group. */
export const MAX_GROUP = 65536;

/** Takes "axis K" off the front of the words; NaN if there is no such dimension. */
export function takeAxis(words: string[]): number | undefined {
  if (words[0] !== "axis") return undefined;
  words.shift();
  const word = words.shift() ?? "";
  return /^(-[1-9]|-1[0-6]|\d|1[0-5])$/.test(word) ? Number(word) : Number.NaN;
}
