import { demand } from "../../errors.ts";
import { decodeText } from "./text.ts";

/** A header is parsed whole, so one that is longer is refused. The largest known (a vocabulary of 262144 tokens) take 16 MB. */
export const MAX_HEADER = 100_000_000;
/** Bytes of one string: chat templates, the longest known, have some ten thousand. */
const MAX_STRING = 16 * 1024 * 1024;

/** The window ends before the header does: read at least so many bytes and begin again. */
export class WindowTooSmall extends Error {
  constructor(readonly bytes: number) {
    super("the window is too small");
  }
}

/** Reads little-endian values one after the other from the first bytes of a file. */
export interface Cursor {
  readonly at: () => number;
  /** Checks that `bytes` more are there, in the window and in the file. */
  need(bytes: number, field: string): void;
  /** The next bytes as a view that begins with them. */
  take(bytes: number, field: string): DataView;
  u32(field: string): number;
  /** A u64 that counts or places something, so below 2^53, and at most `most`. */
  count(field: string, most: number): number;
  string(field: string): string;
}

/** @param fileBytes - of the whole file, of which `window` is the beginning */
export function cursorOver(window: Uint8Array, fileBytes: number): Cursor {
  const view = new DataView(window.buffer, window.byteOffset, window.byteLength);
  let position = 0;
  const need = (bytes: number, field: string): void => {
    const end = position + bytes;
    if (end <= window.length) return;
    demand(end <= fileBytes, "truncated", position, field, `${bytes} bytes`, fileBytes - position);
    demand(end <= MAX_HEADER, "header-length", position, field, `a header of at most ${MAX_HEADER} bytes`, end);
    throw new WindowTooSmall(end);
  };
  const take = (bytes: number, field: string): DataView => {
    need(bytes, field);
    position += bytes;
    return new DataView(view.buffer, view.byteOffset + position - bytes, bytes);
  };
  const count = (field: string, most: number): number => {
    const start = position;
    const value = Number(take(8, field).getBigUint64(0, true));
    demand(value <= most, "limit", start, field, `at most ${most}`, value);
    return value;
  };
  return {
    at: () => position,
    need,
    take,
    u32: (field) => take(4, field).getUint32(0, true),
    count,
    string: (field) => {
      const length = count(`length of ${field}`, MAX_STRING);
      const { buffer, byteOffset } = take(length, field);
      return decodeText(new Uint8Array(buffer, byteOffset, length));
    },
  };
}
