import type { Command } from "commander";
import type { Dataset } from "../data/dataset.ts";
import { feedOf } from "../data/feed.ts";
import { largest, logProbabilities } from "../loss/rows.ts";
import { type Classified, classified } from "../tune/score.ts";
import { addDataOptions, type DataFlags, withData } from "./data.ts";
import type { OpenFlags } from "./files.ts";
import { wholeNumber } from "./numbers.ts";
import { openPacked } from "./packed.ts";
import { table } from "./print.ts";
import type { Result, Task } from "./terminal.ts";

export interface ClassifyFlags extends OpenFlags, DataFlags {
  readonly graph?: string;
  readonly top?: string;
  readonly limit?: string;
}

export function addClassifyOptions(command: Command): Command {
  return addDataOptions(command)
    .option("--graph <file>", "the model.json or .onnx file; not needed if packed --with-graph")
    .option("--top <n>", "how many classes are shown for each sample (default: 3)")
    .option("--limit <n>", "how many samples are looked at, the first ones (default: all)");
}

/** What the model says of a sample. */
interface Said {
  readonly index: number;
  /** -1 where an output is not a number. */
  readonly class: number;
  readonly name: string | null;
  readonly probability: number | null;
  readonly label: number | null;
  /** Of each class; null where an output is not a number. */
  readonly probabilities: readonly (number | null)[];
}

/** Runs a packed classifier. */
export async function classifyVerb(task: Task, flags: ClassifyFlags, path = ""): Promise<Result> {
  const top = wholeNumber("--top", flags.top, 1) ?? 3;
  const limit = wholeNumber("--limit", flags.limit, 1);
  return withData(flags, async (dataset) => {
    const { engine, kept } = await openPacked(path, flags, flags.graph);
    try {
      const feed = feedOf(await engine.describe(), dataset);
      const total = Math.min(limit ?? dataset.count, dataset.count);
      const indices = Array.from({ length: total }, (_, i) => i);
      const samples: Said[] = [];
      for await (const one of classified(engine, feed, dataset, { indices, signal: task.signal })) {
        samples.push(saidOf(one, dataset));
        task.progress({ done: samples.length, total });
      }
      const accuracy = accuracyOf(samples);
      const json = { file: path, runtime: engine.runtime, kept, classes: dataset.classes, accuracy, samples };
      return { json, text: () => classesText(samples, { top, accuracy, kept, classes: dataset.classes }) };
    } finally {
      await engine.close();
    }
  });
}

function saidOf({ index, label, row, probabilities }: Classified, { classes }: Dataset): Said {
  const values = Array.from(logProbabilities(row, probabilities), Math.exp);
  const known = values.map((value) => (Number.isFinite(value) ? value : null));
  const best = largest(row);
  const name = classes?.[best] ?? null;
  return { index, class: best, name, probability: known[best] ?? null, label, probabilities: known };
}

/** Of samples with labels; null where there are none. */
function accuracyOf(samples: readonly Said[]): number | null {
  const told = samples.filter(({ label }) => label !== null && label >= 0);
  return told.length === 0 ? null : told.filter((one) => one.class === one.label).length / told.length;
}

interface Shown {
  readonly top: number;
  readonly accuracy: number | null;
  readonly kept: readonly string[];
  readonly classes: readonly string[] | null;
}

function classesText(samples: readonly Said[], { top, accuracy, kept, classes }: Shown): string {
  const named = (index: number): string => classes?.[index] ?? `${index}`;
  const labelled = samples.some(({ label }) => label !== null);
  const rows = samples.map(({ index, label, probabilities, ...said }) => [
    `${index}`,
    ...(labelled ? [label === null ? "" : `${named(label)}${label === said.class ? "" : " (!)"}`] : []),
    said.class < 0
      ? "outputs are not numbers"
      : bestOf(probabilities, top)
          .map((i) => share(named(i), probabilities[i]))
          .join(", "),
  ]);
  return [
    table(["sample", ...(labelled ? ["label"] : []), "classes"], rows, [0]),
    ...(accuracy === null ? [] : ["", `right: ${(100 * accuracy).toFixed(1)} % of ${samples.length}`]),
    ...(kept.length > 0 ? [`not in the file, so left as they are: ${kept.join(", ")}`] : []),
  ].join("\n");
}

function share(name: string, probability: number | null | undefined): string {
  return `${name} ${(100 * (probability ?? Number.NaN)).toFixed(1)} %`;
}

/** Indices of the largest, of equal ones the first. */
function bestOf(probabilities: readonly (number | null)[], count: number): number[] {
  const order = probabilities.map((_, i) => i);
  return order.sort((a, b) => (probabilities[b] ?? -1) - (probabilities[a] ?? -1) || a - b).slice(0, count);
}
