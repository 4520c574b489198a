// Names of tensors in texts of candidates.

/** Characters of a name that are written; those between are any. */
const LONGEST = 200;
/** What means something else there: the end of a rule, lists, what a candidate is run as; "*" takes less as "?". */
// biome-ignore lint/suspicious/noControlCharactersInRegex: candidates are printed on one line
const SPECIAL = /[;@{}|*\0-\x1f\x7f-\x9f\u2028\u2029]|^\s|\s$/g;

/**
 * A pattern that takes the tensor of this name, and stays what it is in any text of candidates. It may take others, too, where the name has a character
 * that must be written as "?". null for the empty name, which nothing can be written for.
 */
export function patternOf(name: string): string | null {
  if (name === "") return null;
  // Selectors that are no names.
  const safe = endsOf(name).map((part) => part.replace(SPECIAL, "?"));
  return safe.join("*").replace(/^(small|dtype) /, (word) => `?${word.slice(1)}`);
}

/** Long names are paths, which differ in their ends. No character is cut in two. */
function endsOf(name: string): string[] {
  if (name.length <= LONGEST) return [name];
  const half = LONGEST / 2;
  return [name.slice(0, half).replace(/[\ud800-\udbff]$/, ""), name.slice(-half).replace(/^[\udc00-\udfff]/, "")];
}
