import type { FormatError } from "../errors.ts";

/** Makes the error of a format from what is wrong. */
export type Bad = (field: string, expected: string, actual: string) => FormatError;

const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"(?:\s*:)?|[{}[\]]/g;

/**
 * The JSON object that a file or its header holds, and its text. Keys that stand twice are refused, because JSON.parse would keep the
 * last silently.
 * @param keys - what the keys at a depth are, 1 for those of the object itself
 */
export function parseObject(
  bytes: Uint8Array,
  bad: Bad,
  keys: (depth: number) => string,
): { value: Record<string, unknown>; text: string } {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw bad("header", "UTF-8 text", "other bytes");
  }
  if (!text.startsWith("{")) throw bad("header", 'JSON that starts with "{"', JSON.stringify(text.slice(0, 8)));
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw bad("header", "JSON", (error as Error).message);
  }
  checkDuplicates(text, bad, keys);
  return { value, text };
}

function checkDuplicates(text: string, bad: Bad, keys: (depth: number) => string): void {
  const open: (Set<string> | null)[] = [];
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push(null);
    else if (token === "}" || token === "]") open.pop();
    else if (token.endsWith(":")) {
      const key = JSON.parse(token.slice(0, -1)) as string;
      const seen = open.at(-1);
      if (seen?.has(key)) throw bad(keys(open.length), "each only once", JSON.stringify(key));
      seen?.add(key);
    }
  }
}

/** Where the list under a key of the object itself stands in its text; the text is JSON that parseObject took. */
export function listSpan(text: string, key: string): [start: number, end: number] {
  let depth = 0;
  let start = -1;
  let wanted = false;
  for (const { 0: token, index } of text.matchAll(TOKENS)) {
    if (token === "{" || token === "[") {
      if (wanted && start < 0) start = index;
      depth++;
    } else if (token === "}" || token === "]") {
      depth--;
      if (start >= 0 && depth === 1) return [start, index + 1];
    } else if (token.endsWith(":") && depth === 1) wanted = JSON.parse(token.slice(0, -1)) === key;
  }
  throw new Error(`no list under "${key}"`);
}
