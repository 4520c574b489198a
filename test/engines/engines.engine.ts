import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import "./decoding.ts";
import "./loading.ts";
import { differences, printed, reasons, rowsOf, rowsRun } from "./ran.ts";

// All tests of engines, and then whether README says what ran: the versions of what the system has aside.

test("README's table is what ran", () => {
  const rows = rowsRun().map(printed);
  console.log([...rows, ...reasons().map((why) => `NOT RUN: ${why}`)].join("\n"));
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const table = rowsOf(readme, "| runtime ");
  expect(differences(table)).toEqual([]);
  // A row too few, and one too many, would be seen.
  const bun = table.filter(({ runtime }) => runtime === "Bun");
  expect(differences(table.filter((row) => !bun.includes(row)))).toEqual([expect.stringMatching(/^ran, but .* Bun /)]);
  expect(differences([...table, ...bun])).toEqual([expect.stringMatching(/^is in the table, but .* Bun /)]);
});
