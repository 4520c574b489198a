import { demand } from "../errors/base.ts";
import { getSize, PRELUDE_BYTES } from "./prelude.ts";

// The first bytes of a file.

export const MAGIC = [0x89, 0x51, 0x52, 0x4e, 0x0d, 0x0a, 0x1a, 0x0a];

/** Whether bytes begin as a .quern file does. */
export function hasMagic(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, i) => bytes[i] === byte);
}

export function demandMagic(bytes: Uint8Array): void {
  const actual = bytes.length === 0 ? "nothing" : "other bytes";
  demand(hasMagic(bytes), "magic", 0, "magic", "a .quern file: 89 51 52 4e 0d 0a 1a 0a", actual);
}

/** Bytes from the start of a file that fileLength reads. */
export const LENGTH_BYTES = 48;

/** The length of a file of which only the first LENGTH_BYTES bytes are there. @throws FormatError if they are of no .quern file */
export function fileLength(bytes: Uint8Array): number {
  demandMagic(bytes);
  const length = getSize(new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES), 40);
  const valid = Number.isSafeInteger(length) && length >= PRELUDE_BYTES;
  demand(valid, "file-length", 40, "file length", `at least ${PRELUDE_BYTES}, below 2^53`, length);
  return length;
}
