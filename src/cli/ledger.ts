import { appendFile, stat } from "node:fs/promises";
import type { LedgerPlace } from "../strategy/ledger.ts";
import { readText, writeWhole } from "./files.ts";

/** A ledger in a file: lines are appended, and what replaces them is written aside first. */
export function ledgerAt(path: string): LedgerPlace {
  return {
    async read() {
      const found = await stat(path).catch(() => null);
      return found && readText(path);
    },
    write: (text) => writeWhole(path, text),
    append: (text) => appendFile(path, text),
  };
}
