import { appendFile, readFile, stat } from "node:fs/promises";
import type { LedgerPlace } from "../strategy/ledger.ts";
import { withSinks } from "./files.ts";

/** A ledger in a file: lines are appended, and what replaces them is written aside first. */
export function ledgerAt(path: string): LedgerPlace {
  return {
    async read() {
      const found = await stat(path).catch(() => null);
      return found && readFile(path, "utf8");
    },
    write: (text) =>
      withSinks(async (create) => {
        const sink = await create(path);
        await sink.write(new TextEncoder().encode(text), 0);
        await sink.close();
      }),
    append: (text) => appendFile(path, text),
  };
}
