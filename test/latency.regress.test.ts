import { expect, test } from "vitest";
import type { Latency } from "../src/latency/pool.ts";
import { regressor } from "../src/latency/regress.ts";
import { workOf } from "../src/latency/work.ts";
import { HERE } from "./latency.rows.ts";

// Rows of which not all are known equally well.

const law = (elements: number): number => 0.0005 + 1e-6 * elements;

function row(elements: number, own: Partial<Pick<Latency, "median" | "spread" | "count">> = {}): Latency {
  const { median = law(elements), spread = 0.02 * median, count = 9 } = own;
  return {
    ...{ type: "activation", form: "Relu", precision: "f32", batch: 1, environment: HERE.id },
    attributes: { in: [1, elements], out: [1, elements] },
    ...{ median, spread, count, date: "2026-11-26T08:00:00Z", tool: "0", runtime: "1", pooled: 1, outdated: 0 },
  };
}

const SIZES = [20, 50, 100, 130, 200, 400, 800, 1600, 3000, 7000, 16000, 27000];
const offAt = (rows: readonly Latency[], elements: number): number =>
  regressor(rows).at(workOf(row(elements))).ms / law(elements) - 1;

test.each([50, 130, 5000, 130000])("a time of nearly nothing does not bend those of %i elements", (elements) => {
  // Half a microsecond less than what was beside it.
  const lost = row(132, { median: 2e-5, spread: 5e-4 });
  expect(Math.abs(offAt([...SIZES.map((size) => row(size)), lost], elements))).toBeLessThan(0.05);
});

test("the better a time is known, the more it counts", () => {
  const others = SIZES.filter((size) => size !== 3000).map((size) => row(size));
  const twice = 2 * law(3000);
  const [well, badly] = [0.01, 0.8].map((share) =>
    offAt([...others, row(3000, { median: twice, spread: share * twice })], 3000),
  ) as [number, number];
  expect(well).toBeGreaterThan(2 * badly);
  expect(badly).toBeLessThan(0.1);
});

test("and the more runs it has", () => {
  const others = SIZES.filter((size) => size !== 3000).map((size) => row(size));
  const twice = 2 * law(3000);
  const [many, few] = [4000, 9].map((count) =>
    offAt([...others, row(3000, { median: twice, spread: 0.4 * twice, count })], 3000),
  ) as [number, number];
  expect(many).toBeGreaterThan(few);
});
