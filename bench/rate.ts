// npm run bench:rate [-- --json] [-- --bits B] [-- --only NAME]: on each real model, the file with no more squared error than GGUF's Q4_0 and
// Q8_0 on any tensor against their files; and a total budget against the same bytes spread evenly over the tensors.
import { parseArgs } from "node:util";
import { table } from "../src/cli/print.ts";
import { FORMATS } from "../src/compare/formats.ts";
import { type Bench, exactOf, measure, worstRatio } from "../src/compare/measure.ts";
import { comparedPlan, likePlan, quantizedBy, withSteps } from "../src/compare/plans.ts";
import { formatBytes } from "../src/compare/sizes.ts";
import { loadKernels, type Plan } from "../src/index.ts";
import { type NamedModel, readModels } from "./data.ts";

const PLAN = comparedPlan("int8 > smallest");
/** Only vectors and the smallest tensors stay as they are. */
const FINE = comparedPlan("small 17=lossless; int8 > smallest");
/** Vectors too. */
const ALL = comparedPlan("*=int8 > smallest; smallest");

interface Against {
  /** Bytes of the format's file, and of ours. */
  readonly format: number;
  readonly ours: number;
  readonly saved: number;
  /** Largest squared error of a tensor by the format's: at most 1. */
  readonly worst: number;
}

interface Spread {
  readonly bytes: number;
  /** dB: evenly spread; by a budget under the same rule for small tensors, under the finer one, and with int8 for all. */
  readonly even: number;
  readonly budget: number;
  readonly fine: number;
  readonly all: number;
}

interface Row {
  readonly model: string;
  readonly q4_0: Against;
  readonly q8_0: Against;
  readonly spread: Spread;
}

async function against(bench: Bench, name: "q4_0" | "q8_0"): Promise<Against> {
  const format = FORMATS.find((candidate) => candidate.name === name);
  if (!format) throw new Error(`${name} is not among the formats`);
  const quantized = quantizedBy(PLAN, bench.model);
  const size = await formatBytes(bench.model, format, quantized);
  const codes = await measure(bench, withSteps(PLAN, name));
  const ours = await measure(bench, likePlan(PLAN, name, exactOf(codes.diff, quantized)));
  const worst = worstRatio(ours.diff, codes.diff);
  // Sums of squares are rounded.
  if (!(worst <= 1 + 1e-9)) throw new Error(`a tensor errs ${worst} times as much as ${name}`);
  return { format: size, ours: ours.bytes, saved: 1 - ours.bytes / size, worst };
}

async function spread(bench: Bench, bits: number): Promise<Spread> {
  const even = await measure(bench, withSteps(PLAN, `int8 bits ${bits}`));
  const { bytes } = even;
  const snrOf = async (plan: Plan): Promise<number> => {
    const spent = await measure(bench, plan, { bytes });
    if (spent.bytes > bytes) throw new Error(`${spent.bytes} bytes of ${bytes}`);
    return spent.snr;
  };
  return { bytes, even: even.snr, budget: await snrOf(PLAN), fine: await snrOf(FINE), all: await snrOf(ALL) };
}

function text(rows: readonly Row[], bits: number): string {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const gain = (db: number): string => `${db >= 0 ? "+" : ""}${db.toFixed(2)}`;
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const head = [
    "model",
    "Q4_0",
    "like q4_0",
    "saved",
    "Q8_0",
    "like q8_0",
    "saved",
    "bytes",
    "even",
    "budget",
    "small 17",
    "all",
  ];
  const lines = rows.map(({ model, q4_0, q8_0, spread: { bytes, even, budget, fine, all } }) => [
    ...[model, `${q4_0.format}`, `${q4_0.ours}`, percent(q4_0.saved), `${q8_0.format}`, `${q8_0.ours}`],
    ...[percent(q8_0.saved), `${bytes}`, even.toFixed(2), gain(budget - even), gain(fine - even), gain(all - even)],
  ]);
  const saved = { q4_0: rows.map((row) => row.q4_0.saved), q8_0: rows.map((row) => row.q8_0.saved) };
  const above = (key: "budget" | "fine" | "all") => rows.filter(({ spread }) => spread[key] - spread.even >= 1).length;
  return [
    table(head, lines, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    "",
    "saved: bytes of the whole file with no more squared error on any tensor; budget, small 17, all: dB over `even` at its bytes",
    `Q4_0: mean ${percent(mean(saved.q4_0))} (bar 18), least ${percent(Math.min(...saved.q4_0))} (bar 10)`,
    `Q8_0: mean ${percent(mean(saved.q8_0))} (bar 8), least ${percent(Math.min(...saved.q8_0))}`,
    `budget, dB over "int8 bits ${bits}" at its bytes: 1 dB or more on ${above("budget")}, under small 17 on ${above("fine")}, with int8 for all on ${above("all")}, of ${rows.length} (bar: 7 of 10)`,
  ].join("\n");
}

async function rowOf({ name, model }: NamedModel, bits: number, kernels: Bench["kernels"]): Promise<Row> {
  const bench = { model, kernels };
  const [q4_0, q8_0] = [await against(bench, "q4_0"), await against(bench, "q8_0")];
  return { model: name, q4_0, q8_0, spread: await spread(bench, bits) };
}

async function main(): Promise<void> {
  const strings = { bits: { type: "string", default: "3.5" }, only: { type: "string", default: "" } } as const;
  const { values } = parseArgs({ options: { json: { type: "boolean" }, ...strings } });
  const bits = Number(values.bits);
  const kernels = await loadKernels();
  const rows: Row[] = [];
  for (const named of (await readModels()).filter(({ name }) => name.includes(values.only))) {
    process.stderr.write(`${named.name}\n`);
    rows.push(await rowOf(named, bits, kernels));
  }
  // Without models there is nothing to say, and readModels has said why.
  if (rows.length > 0) console.log(values.json ? JSON.stringify({ bits, rows }) : text(rows, bits));
}

await main();
