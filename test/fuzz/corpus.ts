import { appendFileSync, readdirSync, readFileSync } from "node:fs";
import type { Case } from "./cases.ts";
import { KINDS, type Kind } from "./valid.ts";

// Cases that once failed, or are odd enough to be tried for ever: one a line, `kind n hex`.

const FOLDER = new URL("../corpus/", import.meta.url);

export function printed({ kind, n, bytes }: Case): string {
  return `${kind} ${n} ${Buffer.from(bytes).toString("hex")}`;
}

export function parsed(line: string): Case {
  const [kind, n, hex = ""] = line.split(" ");
  if (!KINDS.includes(kind as Kind)) throw new Error(`the corpus has a case of unknown kind: ${line}`);
  return { kind: kind as Kind, n: Number(n), bytes: Uint8Array.from(Buffer.from(hex, "hex")) };
}

export function corpus(): Case[] {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith(".hex"));
  const lines = files.sort().flatMap((file) => readFileSync(new URL(file, FOLDER), "utf8").split("\n"));
  return lines.filter((line) => line !== "" && !line.startsWith("#")).map(parsed);
}

export function keep(one: Case): void {
  appendFileSync(new URL("found.hex", FOLDER), `${printed(one)}\n`);
}
