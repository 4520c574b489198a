import { resolve } from "node:path";
import { COMPARED_PLAN, CURVE_POINTS, compare, MAX_POINTS } from "../compare/compare.ts";
import type { Comparison, FormatFigures } from "../compare/comparison.ts";
import { comparisonPage } from "../compare/page/page.ts";
import { kernelsFor, type OpenFlags, withModel, writeWhole } from "./files.ts";
import { decibels, table } from "./print.ts";
import { type Result, type Task, UsageError } from "./terminal.ts";
import { withWorkers } from "./threads.ts";

export interface CompareFlags extends OpenFlags {
  readonly output?: string;
  readonly plan?: string;
  readonly points?: string;
  readonly tensors?: boolean;
}

/** The options' descriptions, for --help. */
export const COMPARE_HELP = {
  output: "the page to write (default: the input's name with .compare.html)",
  plan: `what the files under a budget are made with: int8 and a code, such as "int8 > auto", which is faster (default: "${COMPARED_PLAN}")`,
  points: `points of the curve, 1 to ${MAX_POINTS}; each is a budget, some seconds per million weights (default: ${CURVE_POINTS})`,
  tensors: "a line for each tensor as well",
};

/** Progress is shown as if each of the model's bytes were worked on once. */
export async function compareVerb(task: Task, options: CompareFlags, input = ""): Promise<Result> {
  const output = pagePath(input, options.output);
  const points = pointsOf(options.points);
  const kernels = await kernelsFor(options);
  if (kernels.tier === "js") throw new UsageError("compare needs WebAssembly: the js tier (QUERN_TIER) only decodes");
  const { plan } = options;
  const comparison = await withWorkers(options, [input], (workers) =>
    withModel(input, options, workers, (model) => {
      const total = model.tensors.reduce((sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b, 1), 0);
      const onProgress = (share: number) => task.progress({ done: share * total, total });
      return compare(model, { plan, points, kernels, workers, signal: task.signal, onProgress });
    }),
  );
  const name = input.split(/[\\/]/).at(-1) ?? input;
  await writeWhole(output, comparisonPage(name, comparison));
  return {
    json: { file: input, output, ...comparison },
    text: () => `${compareText(comparison, options.tensors === true)}\n${output}`,
  };
}

function pagePath(input: string, output: string | undefined): string {
  const path = output ?? `${input.replace(/\.(safetensors|gguf|onnx|json|quern)$/, "")}.compare.html`;
  if (resolve(path) !== resolve(input)) return path;
  throw new UsageError(`the output would replace the input ${input}: name another with -o`);
}

function pointsOf(option: string | undefined): number {
  const points = Number(option ?? CURVE_POINTS);
  if (Number.isInteger(points) && points >= 1 && points <= MAX_POINTS) return points;
  throw new UsageError(`--points expected a whole number from 1 to ${MAX_POINTS}, got "${option}"`);
}

/** The figures as tables. */
function compareText(comparison: Comparison, tensors: boolean): string {
  const { formats, curve, plan, elements, quantized } = comparison;
  const budgets = curve.map((point) => [
    point.budget.toFixed(2),
    bits(point.bits),
    `${point.bytes}`,
    decibels(point.snr),
  ]);
  const notes = formats.filter(({ why }) => why !== null).map(({ label, why }) => `${label}: ${why}`);
  return [
    `${elements} weights, ${quantized.elements} of them quantized, in ${quantized.tensors} tensors`,
    `plan: ${plan}`,
    "",
    formatTable(formats),
    ...notes,
    "",
    table(["budget", "bits/weight", "bytes", "SNR dB"], budgets, [0, 1, 2, 3]),
    ...(tensors ? ["", tensorTable(comparison)] : []),
    "",
  ].join("\n");
}

function formatTable(formats: readonly FormatFigures[]): string {
  const head = [
    "format",
    "bits/weight",
    "bytes",
    "SNR dB",
    "its codes in .quern",
    ".quern, no more error",
    "SNR dB",
    "saved",
  ];
  const rows = formats.map(({ label, own, same, equal }) => [
    label,
    own ? bits(own.bits) : "-",
    own ? `${own.bytes}` : "-",
    own ? decibels(own.snr) : "-",
    same ? `${same.bytes}` : "-",
    equal ? `${equal.bytes}` : "-",
    equal ? decibels(equal.snr) : "-",
    equal ? `${(100 * equal.saved).toFixed(1)} %` : "-",
  ]);
  return table(head, rows, [1, 2, 3, 4, 5, 6, 7]);
}

function tensorTable({ tensors, reference }: Comparison): string {
  const rows = tensors.map(({ name, elements, quantized, equal }) => [
    name,
    `${elements}`,
    equal ? bits(equal.bits) : "-",
    equal ? decibels(equal.snr) : "-",
    equal ? `${equal.bytes}` : "-",
    quantized ? "" : "kept",
  ]);
  const head = ["tensor", "elements", "bits/weight", "SNR dB", reference ? `bytes like ${reference}` : "bytes", ""];
  return table(head, rows, [1, 2, 3, 4]);
}

function bits(value: number): string {
  return value.toFixed(2);
}
