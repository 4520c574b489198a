import { type ByteSource, readExactly } from "../bytes.ts";
import { demand } from "../errors.ts";

// Where the rows of a CSV file begin, found once, so that any row can be read.

const PIECE = 2 ** 20;
const QUOTE = 0x22;
const FEED = 0x0a;
const RETURN = 0x0d;

export interface Row {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/**
 * Rows of a CSV file (RFC 4180: line ends within quotes belong to the row; a doubled quote opens and closes, and changes nothing here). Empty lines are
 * none. @throws FormatError for a row of more than 1 MiB
 */
export async function* rowsOf(source: ByteSource): AsyncGenerator<Row> {
  let rest = new Uint8Array(0);
  let start = 0;
  let from = 0;
  let quoted = false;
  for (let at = 0; at < source.byteLength || rest.length > 0; at += PIECE) {
    const last = at + PIECE >= source.byteLength;
    const piece = await readExactly(source, Math.min(at, source.byteLength), Math.min(at + PIECE, source.byteLength));
    const bytes = new Uint8Array(rest.length + piece.length);
    bytes.set(rest);
    bytes.set(piece, rest.length);
    let begin = 0;
    for (let i = from; i < bytes.length; i++) {
      if (bytes[i] === QUOTE) quoted = !quoted;
      if (bytes[i] !== FEED || quoted) continue;
      const row = trimmed(bytes.subarray(begin, i));
      if (row.length > 0) yield { start: start + begin, bytes: row };
      begin = i + 1;
    }
    demand(!last || !quoted, "csv", start + begin, "row", "a closing quote", "the end of the file");
    rest = bytes.slice(begin);
    start += begin;
    from = rest.length;
    demand(last || rest.length <= PIECE, "csv", start, "row", `at most ${PIECE} bytes`, `more than ${rest.length}`);
    if (last) break;
  }
  const row = trimmed(rest);
  if (row.length > 0) yield { start, bytes: row };
}

function trimmed(row: Uint8Array): Uint8Array {
  return row.at(-1) === RETURN ? row.subarray(0, -1) : row;
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
