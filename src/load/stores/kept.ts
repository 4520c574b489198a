import type { StoredFile } from "../../container/store.ts";
import { argument } from "../../errors.ts";

// What all stores share: names that are checked before they become a path, URL or key, and sums of what is kept.

const FILE = /^[0-9a-f]{64}$/;

/** @throws RangeError unless it is a SHA-256 in lower-case hexadecimal */
export function checkFile(file: string): void {
  argument(typeof file === "string" && FILE.test(file), "file", "a SHA-256 in lower-case hexadecimal", file);
}

/** @throws RangeError if either can be no name of an entry */
export function checkEntry(file: string, entry: number): void {
  checkFile(file);
  argument(Number.isSafeInteger(entry) && entry >= -1, "entry", "a whole number >= -1", entry);
}

/** Whether a store may have given the name to the place of a file. */
export function isFile(name: string): boolean {
  return FILE.test(name);
}

/** The entry of a name that is the number of one, exactly as it is written there. */
export function entryOf(name: string): number | undefined {
  return /^(-1|0|[1-9]\d{0,14})$/.test(name) ? Number(name) : undefined;
}

/** Entries and bytes of every file, given the size of every entry. */
export function summed(sizes: Iterable<readonly [file: string, bytes: number]>): StoredFile[] {
  const found = new Map<string, StoredFile>();
  for (const [file, size] of sizes) {
    const { entries, bytes } = found.get(file) ?? { entries: 0, bytes: 0 };
    found.set(file, { file, entries: entries + 1, bytes: bytes + size });
  }
  return [...found.values()];
}
