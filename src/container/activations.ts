import { asciiBytes, asciiText } from "../bytes.ts";
import { argument, demand } from "../errors.ts";
import { escaped } from "./json.ts";
import type { UnitActivations } from "./prelude.ts";

// What is done to the input of a unit of the graph that the weights belong to, so that it can be run in integers: docs/FORMAT.md, "Records".

/** @throws RangeError for what a file could not hold */
export function encodeActivations(units: readonly UnitActivations[]): Uint8Array {
  for (const entry of units) {
    const problem = problemOf(entry);
    argument(problem === null, `activations of ${JSON.stringify(entry.unit)}`, problem ?? "", JSON.stringify(entry));
  }
  argument(distinct(units), "activations", "units that differ", "one twice");
  const rows = units.map(({ unit, factors, scale, zeroPoint, least, most }) => [
    unit,
    factors,
    scale,
    zeroPoint,
    least,
    most,
  ]);
  return asciiBytes(escaped(JSON.stringify(rows)));
}

/** What a record says; it begins at byte `offset` of the file. @throws FormatError */
export function parseActivations(record: Uint8Array, offset: number): readonly UnitActivations[] {
  const text = asciiText(record);
  let rows: unknown;
  try {
    rows = JSON.parse(text);
  } catch {
    rows = null;
  }
  const form = "[[unit, tensor with the factors or null, scale, zero point, least code, largest code], ...]";
  const valid = Array.isArray(rows) && rows.every((row) => Array.isArray(row) && row.length === 6);
  demand(valid, "activations", offset, "activations", form, text.slice(0, 60));
  const units = (rows as unknown[][]).map((row): UnitActivations => {
    const [unit, factors, scale, zeroPoint, least, most] = row as [
      string,
      string | null,
      number,
      number,
      number,
      number,
    ];
    const entry = { unit, factors, scale, zeroPoint, least, most };
    const problem = problemOf(entry);
    demand(
      problem === null,
      "activations",
      offset,
      "activations of a unit",
      problem ?? "",
      JSON.stringify(row).slice(0, 80),
    );
    return entry;
  });
  demand(distinct(units), "activations", offset, "activations", "units that differ", "one twice");
  const canonical = escaped(JSON.stringify(rows)) === text;
  demand(canonical, "activations", offset, "activations", "the canonical spelling", "another");
  return units;
}

function distinct(units: readonly UnitActivations[]): boolean {
  return new Set(units.map(({ unit }) => unit)).size === units.length;
}

/** What an entry should be and is not. */
function problemOf({ unit, factors, scale, zeroPoint, least, most }: UnitActivations): string | null {
  if (typeof unit !== "string" || !(factors === null || typeof factors === "string")) return "names that are text";
  const normal = typeof scale === "number" && scale >= 2 ** -126 && scale < Number.POSITIVE_INFINITY;
  if (!normal || Math.fround(scale) !== scale) return "a scale that is a normal f32 above 0";
  const codes = [least, most, zeroPoint].every((code) => Number.isInteger(code) && code >= -128 && code <= 127);
  const ordered = least < most && zeroPoint >= least && zeroPoint <= most;
  return codes && ordered ? null : "-128 <= least code <= zero point <= largest code <= 127, least below largest";
}
