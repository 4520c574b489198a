import { type ByteSource, joined, readExactly } from "../bytes.ts";
import { demand } from "../errors.ts";

// Where the rows of a CSV file begin, found once, so that any row can be read.

const PIECE = 2 ** 20;
const QUOTE = 0x22;
const FEED = 0x0a;
const RETURN = 0x0d;

/** Some rows of a file. */
export interface Rows {
  /** Where each begins in the file. */
  readonly starts: readonly number[];
  /** From the first of them to the end of the last; there may be empty lines between. */
  readonly bytes: Uint8Array;
}

/**
 * Rows of a CSV file, about 1 MiB at once (RFC 4180: line ends within quotes belong to the row; a doubled quote closes and opens, and changes nothing here).
 * Empty lines are none. @throws FormatError for a row of more than 1 MiB, or one that does not end
 */
export async function* rowsOf(source: ByteSource): AsyncGenerator<Rows> {
  let rest: Uint8Array = new Uint8Array(0);
  let base = 0;
  let quoted = false;
  for (let at = 0; at < source.byteLength; at += PIECE) {
    const end = Math.min(at + PIECE, source.byteLength);
    const from = rest.length;
    const bytes = joined(rest, await readExactly(source, at, end));
    const starts: number[] = [];
    let begin = 0;
    const take = (next: number): void => {
      if (!isEmpty(bytes, begin, next)) starts.push(base + begin);
      begin = next;
    };
    for (let i = from; i < bytes.length; i++) {
      if (bytes[i] === QUOTE) quoted = !quoted;
      else if (bytes[i] === FEED && !quoted) take(i + 1);
    }
    if (end === source.byteLength) {
      demand(!quoted, "csv", base + begin, "row", "a closing quote", "the end of the file");
      take(bytes.length);
    }
    const [first] = starts;
    if (first !== undefined) yield { starts, bytes: bytes.subarray(first - base, begin) };
    rest = bytes.slice(begin);
    base += begin;
    demand(rest.length <= PIECE, "csv", base, "row", `at most ${PIECE} bytes`, `more than ${PIECE}`);
  }
}

function isEmpty(bytes: Uint8Array, begin: number, end: number): boolean {
  for (let i = begin; i < end; i++) if (bytes[i] !== FEED && bytes[i] !== RETURN) return false;
  return true;
}

/** Numbers that grow in number, 8 bytes each. */
export function numberList(): { push(value: number): void; values(): Float64Array } {
  let values = new Float64Array(1024);
  let length = 0;
  return {
    push(value) {
      if (length === values.length) {
        const larger = new Float64Array(2 * length);
        larger.set(values);
        values = larger;
      }
      values[length++] = value;
    },
    values: () => values.subarray(0, length),
  };
}
