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
const REPEAT = 8;
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

export const predict: Section = async (bench, { quick, runs, status }) => {
  status("units of decoding");
  const { table, environment } = await measuredTable(bench, quick ? 9 : 21);
  status("sizes and files");
  const cases = await casesOf(bench, quick);
  const line = await bench.share("line.bin", new Uint8Array(LINE_BYTES).fill(1));
  const figures: Figure[] = [];
  for (const megabits of quick ? [200] : RATES) {
    await bench.order("rate", linkOf(megabits));
    status(`line of ${megabits} Mbit/s`);
    const mostBytes = Math.min(LINE_BYTES, linkOf(megabits) / 2);
    const { bandwidth, roundTrip } = await bench.run<Line>("line", { url: line, mostBytes });
    const there = { ...environment, line: { bandwidth, roundTrip } };
    for (const { name, url, estimate } of cases) {
      status(`${megabits} Mbit/s: ${name}`);
      // The server speaks HTTP without TLS, and each client has been there before.
      const { prediction } = predictLoad(estimate, there, table, { connecting: 1, connected: true });
      const repeat = Math.max(2, Math.min(REPEAT, Math.round((2 * linkOf(megabits)) / estimate.fileBytes)));
      const found = await inTurn<"loads", Measured>(runs, { loads: () => bench.run("loads", { url, repeat }) });
      const at = `${megabits} Mbit/s, ${roundTrip.toFixed(2)} ms`;
      figures.push(...rowsOf(at, name, estimate.fileBytes, prediction as LoadPrediction, found.loads));
    }
  }
  await bench.order("rate", 0);
  return [...figures, ...summary(figures)];
};

interface Line {
  readonly bandwidth: number;
  readonly roundTrip: number;
}

async function measuredTable(bench: Bench, rounds: number) {
  const environment = await detectEnvironment({ runtime: { name: "quern", version: TOOL } });
  const { rows } = await bench.run<{ rows: Row[] }>("decode", { rounds });
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
  at: string,
  name: string,
  bytes: number,
  prediction: LoadPrediction,
  processes: readonly Measured[],
): Figure[] {
  const section = `Load time, predicted against measured, at ${at}`;
  return (["ms", "first"] as const).map((of) => {
    const measured = median(processes.flatMap((ran) => ran[of].slice(1)));
    const { ms, low, high } = of === "ms" ? prediction : prediction.first;
    const text = `${ms.toFixed(2)} ms (${low.toFixed(2)} to ${high.toFixed(2)}), measured ${measured.toFixed(2)}; ${bytes} bytes`;
    const bar = of === "ms" ? { most: 10 } : null;
    const value = 100 * Math.abs(ms / measured - 1);
    return { section, name: of === "ms" ? name : "- its first tensor", value, unit: "%", bar, of: text };
  });
}

function summary(figures: readonly Figure[]): Figure[] {
  return [...new Set(figures.map(({ section }) => section))].map((section) => {
    const errors = figures.filter((figure) => figure.section === section && figure.bar).map(({ value }) => value);
    const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
    const within = errors.filter((error) => error <= 10).length;
    const of = `${within} of ${errors.length} within 10 %, the largest ${Math.max(...errors).toFixed(1)} %`;
    return { section: "Mean error of load times", name: section, value: mean, unit: "%", bar: { most: 10 }, of };
  });
}
