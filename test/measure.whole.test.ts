import { expect, test } from "vitest";
import type { Latency } from "../src/latency/pool.ts";
import { relative, relativeUnits } from "../src/measure/family.ts";
import { wholeOf } from "../src/measure/whole.ts";
import { ROW } from "./latency.rows.ts";

// Rows of whole models, whoever wrote them.

const row = (more: Partial<Latency>): Latency => ({
  ...{ ...ROW, type: "model", form: "family", attributes: { seed: 7, index: 3 }, pooled: 1, outdated: 0 },
  ...more,
});

test("a row of the family is about its graph", () => {
  for (let index = 0; index < 8; index++) {
    const { units, input } = relative(index, 7);
    expect(relativeUnits(index, 7)).toEqual({ units, input });
    const whole = wholeOf(row({ attributes: { seed: 7, index } }));
    expect(whole?.units).toEqual(units);
    expect(whole?.inputs).toEqual([input.shape]);
  }
});

test("rows of one graph, run in several ways, have its units once", () => {
  const [floats, integers] = ["f32", "int8"].map((precision) => wholeOf(row({ precision })));
  expect(integers?.units).toBe(floats?.units);
  expect([floats, integers].map((whole) => whole?.runOf(whole.units[0] as never))).toEqual(["f32", "int8"]);
});

test.each<[string, Partial<Latency>]>([
  ["an index below 0", { attributes: { seed: 7, index: -1 } }],
  ["an index between two", { attributes: { seed: 7, index: 0.5 } }],
  ["an index that is too large to be exact", { attributes: { seed: 7, index: 2 ** 60 } }],
  ["an index that is text", { attributes: { seed: 7, index: "3" } }],
  ["no index", { attributes: { seed: 7 } }],
  ["no seed", { attributes: { index: 3 } }],
  ["a seed below 0", { attributes: { seed: -7, index: 3 } }],
  ["a precision that nobody knows", { precision: "w2" }],
  ["a form that nobody knows", { form: "other" }],
  ["another type", { type: "dense" }],
])("a row with %s is about no graph", (_, more) => {
  for (const form of ["family", "layers"]) expect(wholeOf(row({ form, ...more }))).toBeNull();
});
