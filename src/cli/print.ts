import Table from "cli-table3";
import type { IndexEntry } from "../container/entries.ts";
import type { QuernFile } from "../container/reader.ts";
import type { PackReport } from "../container/writer.ts";
import type { ModelDiff, TensorDiff } from "../model/diff.ts";
import type { Target, Written } from "./unpack.ts";

// Reports as text.

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** A size in decimal units, three digits. */
export function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${UNITS[unit]}`;
}

function percent(part: number, whole: number): string {
  return whole === 0 ? "-" : `${((100 * part) / whole).toFixed(1)} %`;
}

function bits(bytes: number, elements: number): string {
  return elements === 0 ? "-" : ((8 * bytes) / elements).toFixed(2);
}

const BARE = {
  chars: {
    top: "",
    "top-mid": "",
    "top-left": "",
    "top-right": "",
    bottom: "",
    "bottom-mid": "",
    "bottom-left": "",
    "bottom-right": "",
    left: "",
    "left-mid": "",
    mid: "",
    "mid-mid": "",
    right: "",
    "right-mid": "",
    middle: "  ",
  },
  style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
};

/** A plain table; columns of numbers stand right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], right: readonly number[]): string {
  const colAligns = head.map((_, i) => (right.includes(i) ? "right" : "left"));
  const printed = new Table({ ...BARE, head: [...head], colAligns });
  for (const row of rows) printed.push([...row]);
  return printed
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

function shapeText(shape: readonly number[]): string {
  return shape.length === 0 ? "scalar" : shape.join(" x ");
}

function codesText(codes: IndexEntry["codes"]): string {
  const entries = Object.entries(codes);
  return entries.map(([code, count]) => (entries.length > 1 ? `${code} ${count}` : code)).join(", ") || "-";
}

const SMALL_NOTE = "small N: 1-D tensors, tensors below N elements, and tensors that are not floating point";

/** The plan on a line, with what `small` means where it stands. */
export function planText(plan: string): string {
  return `plan: ${plan}${/(^|; )small \d/.test(plan) ? `\n      (${SMALL_NOTE})` : ""}`;
}

export function packText(report: PackReport, path: string, seconds: number): string {
  const elements = report.tensors.reduce((sum, tensor) => sum + tensor.elements, 0);
  const { fileBytes, sourceBytes } = report;
  return [
    planText(report.plan),
    `${report.tensors.length} tensors, ${elements} elements: ${size(sourceBytes)} to ${size(fileBytes)}`,
    `${percent(fileBytes, sourceBytes)} of the source, ${bits(fileBytes, elements)} bits per weight, ` +
      `${(sourceBytes / 1e6 / seconds).toFixed(0)} MB/s`,
    `${path}  sha256 ${report.sha256}`,
  ].join("\n");
}

export function inspectText(file: QuernFile): string {
  const { totals } = file;
  const elements = file.index.reduce((sum, entry) => sum + entry.elements, 0);
  const rows = file.index.map((entry) => [
    entry.name,
    entry.dtype,
    shapeText(entry.shape),
    entry.plan,
    codesText(entry.codes),
    size(entry.storedBytes),
    bits(entry.storedBytes, entry.elements),
    percent(entry.storedBytes, totals.file),
  ]);
  rows.push(["(header)", "", "", "", "", size(totals.header), "", percent(totals.header, totals.file)]);
  rows.push(["total", "", `${elements}`, "", "", size(totals.file), bits(totals.file, elements), "100.0 %"]);
  const head = ["tensor", "dtype", "shape", "plan", "code", "stored", "bits/weight", "share"];
  const metadata = Object.entries(file.metadata ?? {}).map(([key, value]) => `${key}: ${value}`);
  return [
    table(head, rows, [5, 6, 7]),
    "",
    planText(file.plan),
    `chunks: ${totals.chunks}, largest ${size(totals.largestStored)} stored, ${size(totals.largestDecoded)} decoded`,
    ...(file.stages ?? []).map(({ name, tensors }) => `stage ${name || "(rest)"}: ${tensors.length} tensors`),
    ...(file.graph ? [`graph: ${size(file.graph.length)} (of the header)`] : []),
    ...metadata,
    `sha256 ${file.sha256}`,
    `integrity ${file.integrity}`,
  ].join("\n");
}

/** A ratio in dB; inf where nothing was lost. */
export function decibels(snr: number): string {
  return Number.isFinite(snr) ? snr.toFixed(2) : "inf";
}

export function diffText(diff: ModelDiff): string {
  const row = (d: TensorDiff): string[] => [
    d.name,
    `${d.elements}`,
    d.maxAbs.toExponential(3),
    d.rmse.toExponential(3),
    decibels(d.snr),
    d.identical ? "identical" : "",
  ];
  const lines = [
    table(
      ["tensor", "elements", "max abs", "RMSE", "SNR dB", ""],
      [...diff.tensors, diff.total].map(row),
      [1, 2, 3, 4],
    ),
  ];
  for (const name of diff.onlyA) lines.push(`only in the first: ${name}`);
  for (const name of diff.onlyB) lines.push(`only in the second: ${name}`);
  for (const name of diff.shapes) lines.push(`shapes differ: ${name}`);
  return lines.join("\n");
}

/** What unpack has written; of ONNX also what stayed quantized. */
export function unpackText(output: string, tensors: number, target: Target, written: Written): string {
  const { bytes, quantized = [], floats = [], units } = written;
  const lines = [`${output}: ${tensors} tensors, ${size(bytes)}`];
  const [how, format] = target === "gguf" ? ["as blocks", "GGUF"] : ["with a DequantizeLinear each", "ONNX"];
  if (quantized.length > 0) lines.push(`quantized, ${how}: ${quantized.length}`);
  if (units !== undefined) lines.push(`units whose inputs are codes, with a QuantizeLinear each: ${units}`);
  if (floats.length > 0) lines.push(`floats, because ${format} cannot have them so: ${floats.join(", ")}`);
  return lines.join("\n");
}
