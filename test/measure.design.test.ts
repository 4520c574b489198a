import { expect, test } from "vitest";
import { listOf, numberOf, type UnitSpec } from "../src/latency/spec.ts";
import { design } from "../src/measure/design.ts";

// Units that are measured have sizes of all of the range of their kind, in all of its parts.

const UNITS = 2000;

function units(of: (spec: UnitSpec) => boolean): UnitSpec[] {
  const found: UnitSpec[] = [];
  let all = 0;
  for (const spec of design()) {
    if (of(spec)) found.push(spec);
    if (++all === UNITS) return found;
  }
  return found;
}

const side = (spec: UnitSpec): number => listOf(spec, "in").at(-1) as number;
/** Rows of a width, or channels. */
const second = (spec: UnitSpec): number => listOf(spec, "in")[1] as number;
const channels = (spec: UnitSpec): number => listOf(spec, "out")[1] as number;
/** Of pictures. */
const isConv = (spec: UnitSpec): boolean => spec.type === "conv" && (listOf(spec, "in")[2] as number) > 1;
const inputs = (spec: UnitSpec): number => numberOf(spec, "inputs");

test.each<[string, (spec: UnitSpec) => boolean, (spec: UnitSpec) => number, number, number]>([
  ["first layers", (spec) => isConv(spec) && second(spec) <= 3, side, 24, 72],
  ["convolutions that end in a picture", (spec) => isConv(spec) && channels(spec) <= 4, side, 6, 128],
  ["convolutions of sound", (spec) => spec.type === "conv" && !isConv(spec), side, 48, 8192],
  ["products of many rows", (spec) => spec.type === "dense" && numberOf(spec, "rows") > 8, inputs, 24, 1024],
  ["sums over rows", (spec) => spec.form === "Add" && listOf(spec, "in").length === 3, second, 1, 160],
  ["channels of sums over maps", (spec) => spec.form === "Add" && listOf(spec, "in").length === 4, second, 4, 96],
])("%s", (_, of, size, least, most) => {
  const shares = units(of).map((spec) => Math.log(size(spec) / least) / Math.log(most / least));
  for (const quarter of [0, 1, 2, 3]) {
    const within = shares.filter((share) => Math.min(3, Math.floor(4 * share)) === quarter).length / shares.length;
    expect(within, `of the quarter ${quarter}`).toBeGreaterThan(0.1);
  }
});
