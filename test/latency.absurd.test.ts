import { describe, expect, test } from "vitest";
import { decodeSpeed } from "../src/latency/decoding.ts";
import type { UnitSpec } from "../src/latency/spec.ts";
import { addEnvironment, addRow, newEnvironment, newTable, type Row } from "../src/latency.ts";
import { relative } from "../src/measure/family.ts";
import { wholeOf } from "../src/measure/whole.ts";
import { latencyModel, predictRun } from "../src/predict.ts";
import { place } from "./strategy.chain.ts";

// Tables come from anywhere: no row makes a prediction that is none.

const here = place();
const COMMON = { environment: here.id, count: 5, spread: 0.01, date: "2026-11-26T08:00:00Z", tool: "0.1.0" };

function tableWith(...rows: readonly (UnitSpec & { median: number })[]) {
  const table = newTable();
  addEnvironment(table, here);
  for (const row of rows) addRow(table, { ...COMMON, runtime: "1.30.0", ...row } as Row);
  return table;
}

const dense = (rows: number, inputs: number, median: number) => ({
  ...{ type: "dense", form: "Gemm", precision: "f32", batch: 1, median },
  attributes: { rows, inputs, outputs: 8 },
});
const SOUND = [16, 32, 64, 128, 256, 512].map((inputs) => dense(1, inputs, inputs / 1e4));
const conv = (channels: number) => ({
  ...{ type: "conv", form: "Conv", precision: "f32", batch: 1, median: 1 },
  attributes: { in: [1, channels, 3, 3], out: [1, 8, 3, 3], kernel: [3, 3], strides: [1, 1], groups: 1 },
});

function told(table = tableWith(...SOUND)) {
  const { units, input } = relative(3);
  const info = (name: string, shape: readonly number[]) => ({ name, integer: false, shape });
  const outputs = [info("y", units.at(-1)?.outputShape ?? [])];
  const description = { kind: "other" as const, inputs: [info("x", input.shape)], outputs, units };
  return predictRun(latencyModel(table, here, wholeOf), description, () => "f32");
}

function expectSound({ ms, low, high, known }: ReturnType<typeof told>): void {
  expect(low).toBeGreaterThan(0);
  expect(ms).toBeGreaterThanOrEqual(low);
  expect(high).toBeGreaterThanOrEqual(ms);
  expect(high).toBeLessThan(Number.POSITIVE_INFINITY);
  expect(known).toBeGreaterThanOrEqual(0);
  expect(known).toBeLessThanOrEqual(1);
}

describe("a prediction is a time", () => {
  test.each([
    ["no extent", conv(0)],
    ["a negative one", dense(-1, 8, 1)],
    ["more than there are numbers", dense(1e300, 1e300, 1)],
    ["a model of no time", { ...dense(1, 1, 0), type: "model", form: "family", attributes: { seed: 9, index: 999 } }],
    ["a model that is none", { ...dense(1, 1, 1), type: "model", form: "family", attributes: { seed: 9, index: -1 } }],
    ["no time", dense(1, 48, 0)],
    ["the least time there is", dense(1, 48, 5e-324)],
    ["the longest", dense(1, 48, 1e9)],
  ])("whatever a row has: %s", (_, row) => {
    expectSound(told(tableWith(...SOUND, row)));
    expectSound(told(tableWith(...SOUND, row, conv(3), conv(4), conv(5), conv(6))));
  });

  test("also of models in which a value is empty", () => {
    const { units, input } = relative(3);
    const empty = { ...units[0], name: "z", weight: null, inputShape: [1, 4, 0], outputShape: [1, 4, 0] };
    for (const [type, operator] of [
      ["elementwise", "Add"],
      ["activation", "Relu"],
      ["shape", "Concat"],
    ] as const) {
      const all = [...units, { ...empty, type, operators: [operator] }];
      const info = (shape: readonly number[]) => [{ name: "x", integer: false, shape }];
      const description = { kind: "other" as const, inputs: info(input.shape), outputs: info([1, 4, 0]), units: all };
      const table = tableWith(...SOUND, ...[1, 2, 3, 4, 5].map((n) => moved(operator, type, n)));
      expectSound(predictRun(latencyModel(table, here, wholeOf), description as never, () => "f32"));
    }
  });
});

const moved = (form: string, type: string, n: number) => ({
  ...{ type, form, precision: "f32", batch: 1, median: 0.01 * n },
  attributes: { in: [1, 4, 8 * n], out: [1, 4, 8 * n] },
});

test("decoding of which no time was measured is told by bounds", () => {
  const { quern: _, version, id, ...rest } = here;
  const quern = newEnvironment({ ...rest, runtime: { ...here.runtime, name: "quern", version: "0.1.0" } });
  const table = newTable();
  addEnvironment(table, quern);
  const row = { ...COMMON, environment: quern.id, type: "decode", precision: "int8", batch: 1, runtime: "0.1.0" };
  for (let n = 1; n <= 12; n++) {
    const attributes = { header: 100 * n, tensors: n, chunks: n, stored: 1000 * n, steps: 900 * n, elements: 1000 * n };
    addRow(table, { ...row, form: "open", attributes, median: 0 });
    addRow(table, { ...row, form: "int8", attributes: { ...attributes, smooth: n % 3, rare: n % 2 }, median: n / 10 });
  }
  const speed = decodeSpeed(table, quern);
  expect(speed.rows).toBe(0);
  expect(speed.open(100, 3)).toBeGreaterThan(0);
});
