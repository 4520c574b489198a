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
