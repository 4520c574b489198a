import { expect, test } from "vitest";
import { DataError } from "../src/errors.ts";
import type { UnitSpec } from "../src/latency/spec.ts";
import { addRow } from "../src/latency/table.ts";
import { type BuildOptions, buildTable, knownReference } from "../src/measure/build.ts";
import type { Runner } from "../src/measure/runner.ts";
import { HERE, ROW, tableOf } from "./latency.rows.ts";

// Builds in a runtime whose time is made: everything takes a millisecond.

const spec = (inputs: number): UnitSpec => ({
  ...{ type: "dense", form: "Gemm", attributes: { rows: 1, inputs, outputs: 1 }, precision: "f32", batch: 1 },
});
const REFERENCE = spec(0);
const referenceRow = (median: number) => ({ ...ROW, ...REFERENCE, type: "reference", median });

function simulated(ms: (spec: UnitSpec) => number = () => 1) {
  const clock = { time: 0, now: () => clock.time, resolution: 0 };
  const on = { clock, open: 0 };
  const runner: Runner = {
    ...{ runtime: "fake 1.0.0", reference: REFERENCE, family: "family", runs: [], each: 20 },
    specs: () => [spec(1), spec(2)],
    openModel: async () => null,
    async open(each) {
      on.open++;
      const run = () => {
        clock.time += ms(each);
      };
      return { copies: 1, run, base: null, close: () => void on.open-- };
    },
  };
  return { on, runner };
}

async function built(
  { on, runner }: ReturnType<typeof simulated>,
  { table = tableOf([]), ...more }: Partial<BuildOptions> = {},
) {
  const { clock } = on;
  const onRow: BuildOptions["onRow"] = (row) => addRow(table, row);
  return buildTable(runner, HERE, { table, tool: "0.1.0", budget: 60, warm: 0, clock, onRow, ...more });
}

test("a reference that a row says takes no time is measured anew, and the row does not count", async () => {
  const here = simulated();
  const table = tableOf([referenceRow(0)]);
  expect(knownReference(table, HERE, here.runner)).toBeNull();
  await built(here, { table });
  expect(knownReference(table, HERE, here.runner)).toBe(1);
});

test("a reference that took somewhat else before is believed", async () => {
  const here = simulated();
  const table = tableOf([referenceRow(4)]);
  const { drift } = await built(here, { table });
  expect(knownReference(table, HERE, here.runner)).toBe(4);
  expect(drift).toEqual([0.25, 1]);
});

test.each([1e9, 20, 0.05])("a table whose reference takes %s ms is of another machine", async (ms) => {
  const here = simulated();
  const building = built(here, { table: tableOf([referenceRow(ms)]) });
  await expect(building).rejects.toThrow(DataError);
  await expect(building).rejects.toThrow("begin a new one");
  expect(here.on.open).toBe(0);
});

test("the reference is closed when its row cannot be kept", async () => {
  const here = simulated();
  const onRow = () => Promise.reject(new Error("disk full"));
  await expect(built(here, { onRow })).rejects.toThrow("disk full");
  expect(here.on.open).toBe(0);
});

test("the reference is closed when it is stopped, before it has settled", async () => {
  const control = new AbortController();
  const here = simulated(() => {
    control.abort(new Error("enough"));
    return 1;
  });
  await expect(built(here, { signal: control.signal })).rejects.toThrow("enough");
  expect(here.on.clock.time).toBeLessThan(200);
  expect(here.on.open).toBe(0);
});

test("a unit that opens and cannot be run is refused, and others are measured", async () => {
  const here = simulated(({ attributes }) => {
    if (attributes.inputs === 1) throw new Error("cannot run");
    return 1;
  });
  const table = tableOf([]);
  const { refused, rows } = await built(here, { table });
  expect(refused).toEqual([{ unit: "dense Gemm f32", reason: "cannot run" }]);
  // The reference, what calls cost, and the other unit.
  expect(rows).toBe(1 + 10 + 1);
  expect(here.on.open).toBe(0);
});

test("a build ends when it is stopped while a unit runs, which is not refused then", async () => {
  const control = new AbortController();
  const here = simulated(({ attributes }) => {
    if (attributes.inputs !== 1) return 1;
    control.abort(new Error("enough"));
    throw new Error("cannot run");
  });
  await expect(built(here, { signal: control.signal })).rejects.toThrow("enough");
  expect(here.on.open).toBe(0);
});

test("a runtime in which nothing runs any more ends the build", async () => {
  let dead = false;
  const here = simulated(({ attributes }) => {
    dead ||= attributes.inputs === 1;
    if (dead) throw new Error("unreachable executed");
    return 1;
  });
  await expect(built(here)).rejects.toThrow("unreachable executed");
  expect(here.on.open).toBe(0);
});
