import { costTable } from "../../src/container/estimate.ts";
import { loadKernels, type Model, memorySink, pack } from "../../src/index.ts";
import { detectEnvironment } from "../../src/latency/detect.ts";
import { type LoadPrediction, predictLoad } from "../../src/latency/load.ts";
import { addEnvironment, addRow, type LatencyTable, newTable, type Row } from "../../src/latency.ts";
import { readModels } from "../data.ts";
import { median } from "../harness.ts";
import { type Figure, inTurn, linkOf, type Section } from "./figures.ts";
import type { Bench } from "./processes.ts";
import { seededModel, unequal } from "./weights.ts";

// Load times that were predicted before there was a file, beside those that were measured then.

const PLANS = ["lossless", "int8 channel > auto", "prune 0.8 > int4 group 32 > smallest"];
const RATES = [20, 200, 1000];
/** Loads of a process: as many as come in this time, but no fewer and no more than that. The first half is not counted, in which code gets warm. */
const LOADS = { ms: 3000, fewest: 6, most: 60 } as const;
const TOOL = "0.0.0";
/** Of a plain file, over which the line is measured: what comes in half a second, but no more than fits a server's memory. */
const LINE_BYTES = 16e6;

interface Case {
  readonly name: string;
  readonly url: string;
  readonly estimate: Awaited<ReturnType<ReturnType<typeof costTable>["estimate"]>>;
}

interface Measured {
  readonly first: number[];
  readonly ms: number[];
}

export const predict: Section = async (bench, { quick, best, runs, status }) => {
  status("units of decoding");
  const { table, environment } = await measuredTable(bench, quick ? 9 : 21, best);
  status("sizes and files");
  const cases = await casesOf(bench, quick);
  const line = await bench.share("line.bin", new Uint8Array(LINE_BYTES).fill(1));
  const figures: Figure[] = [];
  // Small files take as long as a few ticks of timers.
  await bench.order("exact", "wire");
  for (const megabits of quick ? [200] : RATES) {
    await bench.order("rate", linkOf(megabits));
    const mostBytes = Math.min(LINE_BYTES, linkOf(megabits) / 2);
    for (const { name, url, estimate } of cases) {
      const fit = Math.round((LOADS.ms * linkOf(megabits)) / 1000 / estimate.fileBytes);
      const repeat = Math.max(LOADS.fewest, Math.min(LOADS.most, fit));
      // The line is measured when the loads are: what else the machine does meets both.
      const { loads, line: measured } = await inTurn<"loads" | "line", Measured | Line>(runs, {
        loads: () => bench.run("loads", { url, repeat }),
        line: () => bench.run("line", { url: line, mostBytes, best }),
      });
      const lines = measured as Line[];
      const typical = best ? least : median;
      const roundTrip = typical(lines.map((one) => one.roundTrip));
      const bandwidth = 1 / typical(lines.map((one) => 1 / one.bandwidth));
      const there = { ...environment, line: { bandwidth, roundTrip } };
      // The server speaks HTTP without TLS, and each client has been there before.
      const { prediction } = predictLoad(estimate, there, table, { connecting: 1, connected: true });
      const text = `${name}, ${estimate.fileBytes} bytes, ${roundTrip.toFixed(1)} ms`;
      const found = rowsOf(megabits, text, prediction as LoadPrediction, loads as Measured[], typical);
      figures.push(...found);
      // Of a run that is cut, this is what is left.
      status(`${megabits} Mbit/s: ${name}: ${found[0]?.of}`);
    }
  }
  await bench.order("rate", 0);
  await bench.order("exact", true);
  return [...figures, ...summary(figures)];
};

interface Line {
  readonly bandwidth: number;
  readonly roundTrip: number;
}

async function measuredTable(bench: Bench, rounds: number, best: boolean) {
  const environment = await detectEnvironment({ runtime: { name: "quern", version: TOOL } });
  const { rows } = await bench.run<{ rows: Row[] }>("decode", { rounds, best });
  const table: LatencyTable = newTable();
  addEnvironment(table, environment);
  const common = { environment: environment.id, date: environment.date, tool: TOOL, runtime: TOOL };
  for (const row of rows) addRow(table, { ...row, ...common });
  return { table, environment };
}

async function casesOf(bench: Bench, quick: boolean): Promise<Case[]> {
  const kernels = await loadKernels();
  const models: { name: string; model: Model }[] = [
    ...(await readModels()),
    { name: "seeded-4Mi", model: seededModel(unequal(2 ** 22, 8), 30) },
  ];
  const cases: Case[] = [];
  for (const { name, model } of quick ? models.slice(0, 2) : models) {
    const costs = costTable(kernels, model);
    for (const plan of name.startsWith("seeded") || quick ? PLANS.slice(1, 2) : PLANS) {
      const estimate = await costs.estimate(plan);
      const sink = memorySink();
      await pack(model, plan, sink, { kernels });
      const url = await bench.share(`predict.${name}.${PLANS.indexOf(plan)}.quern`, sink.bytes());
      cases.push({ name: `${name}: ${plan}`, url, estimate });
    }
  }
  return cases;
}

function rowsOf(
  megabits: number,
  name: string,
  prediction: LoadPrediction,
  processes: readonly Measured[],
  typical: typeof median,
): Figure[] {
  const section = `Load time, predicted against measured, at ${megabits} Mbit/s`;
  return (["ms", "first"] as const).map((of) => {
    const measured = typical(processes.flatMap((ran) => ran[of].slice(ran[of].length >> 1)));
    const { ms, low, high } = of === "ms" ? prediction : prediction.first;
    const within = low <= measured && measured <= high ? "" : OUTSIDE;
    const text = `${ms.toFixed(2)} ms (${low.toFixed(2)} to ${high.toFixed(2)}), measured ${measured.toFixed(2)}${within}`;
    const bar = of === "ms" ? { most: 10 } : null;
    const value = 100 * Math.abs(ms / measured - 1);
    return { section, name: of === "ms" ? name : "- its first tensor", value, unit: "%", bar, of: text };
  });
}

const OUTSIDE = ", outside";

const least = (values: readonly number[]): number => Math.min(...values);

function summary(figures: readonly Figure[]): Figure[] {
  return [...new Set(figures.map(({ section }) => section))].map((section) => {
    const whole = figures.filter((figure) => figure.section === section && figure.bar);
    const errors = whole.map(({ value }) => value);
    const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
    const inside = whole.filter(({ of }) => !of.endsWith(OUTSIDE)).length;
    const close = errors.filter((error) => error <= 10).length;
    const of = `of ${errors.length} loads ${close} within 10 %, ${inside} within the interval; the largest error ${Math.max(...errors).toFixed(1)} %`;
    return { section: "Mean error of load times", name: section, value: mean, unit: "%", bar: { most: 10 }, of };
  });
}
