import { type Command, Option } from "commander";
import { evaluate } from "../evaluate/evaluate.ts";
import type { LossKind } from "../loss/loss.ts";
import { addDataOptions, type DataFlags, withData } from "./data.ts";
import { openCompressed, openEngine } from "./engines.ts";
import type { OpenFlags } from "./files.ts";
import { type Evaluated, lossText } from "./losses.ts";
import { wholeNumber } from "./numbers.ts";
import { nameOf, REPORT_OPTION, reportTo } from "./page.ts";
import type { Result, Task } from "./terminal.ts";

export interface EvaluateFlags extends OpenFlags, DataFlags {
  readonly kind?: "auto" | LossKind;
  readonly batch?: string;
  readonly limit?: string;
  readonly seed?: string;
  readonly scores?: "auto" | "probabilities" | "logits";
  readonly output?: string;
  /** Names with commas between them; false: none. */
  readonly units?: string | boolean;
  readonly weightsOnly?: boolean;
  /** A file; true is what pack means by it. */
  readonly report?: string | boolean;
}

export function addEvaluateOptions(command: Command): Command {
  return addDataOptions(command)
    .addOption(
      new Option("--kind <kind>", "what the outputs are (default: by their shape)").choices([
        "auto",
        "classes",
        "values",
        "text",
        "embedding",
        "detection",
      ]),
    )
    .addOption(
      new Option("--scores <what>", "whether classes come as probabilities or logits").choices([
        "auto",
        "probabilities",
        "logits",
      ]),
    )
    .option("--output <name>", "the output that is compared (default: the model's first)")
    .option("--units <names>", "units that are run alone, with commas between them (default: all that have weights)")
    .option("--no-units", "runs no unit alone, which is faster")
    .option("--weights-only", "leaves activations as they are, where the packed file has codes for them")
    .option("--batch <n>", "samples that are run at once (default: 32)")
    .option("--limit <n>", "how many samples are looked at, drawn by the seed (default: all)")
    .option("--seed <n>", "of the draw and of the intervals (default: 1)")
    .option(...REPORT_OPTION);
}

/** What compression costs: runs the model with its own weights and with those of the packed file. */
export async function evaluateVerb(task: Task, flags: EvaluateFlags, model = "", packed = ""): Promise<Result> {
  const options = {
    ...{ kind: flags.kind, scores: flags.scores, output: flags.output, perUnit: unitsOf(flags.units) },
    batch: wholeNumber("--batch", flags.batch, 1),
    limit: wholeNumber("--limit", flags.limit, 1),
    seed: wholeNumber("--seed", flags.seed, 0),
  };
  const report = reportTo(flags.report, [model, packed]);
  return withData(flags, async (dataset) => {
    const { engine, bytes } = await openEngine(model);
    try {
      const { compressed, ...after } = await openCompressed(packed, flags, await engine.describe(), flags.weightsOnly);
      const { signal, progress: onProgress } = task;
      const evaluation = await evaluate(engine, compressed, dataset, { ...options, signal, onProgress }).finally(() =>
        "close" in compressed ? compressed.close() : undefined,
      );
      const { count, shape, classes, labelled } = dataset;
      const evaluated: Evaluated = {
        ...{ file: model, packed, bytes: { before: bytes, after: after.bytes }, kept: after.kept },
        simulated: after.simulated,
        data: { samples: count, shape, classes: classes?.length ?? null, labelled },
        evaluation,
      };
      await report({ title: nameOf(model), facts: factsOf(evaluated), bytes: evaluated.bytes, evaluation });
      return resultOf(evaluated, flags.report);
    } finally {
      await engine.close();
    }
  });
}

function resultOf(evaluated: Evaluated, report: string | boolean | undefined): Result {
  const { evaluation, ...rest } = evaluated;
  const page = typeof report === "string" ? report : undefined;
  return {
    json: { ...rest, ...evaluation, report: page },
    text: () => (page === undefined ? lossText(evaluated) : `${lossText(evaluated)}\n\n${page}`),
  };
}

/** What the page says of the files and the data. */
function factsOf({ file, packed, kept, data }: Evaluated): [string, string][] {
  const { samples, shape, classes, labelled } = data;
  const words = [`${samples.toLocaleString("en")} samples of ${shape.join(" × ") || "a number"}`];
  if (classes !== null) words.push(`${classes} classes`);
  if (labelled) words.push("labelled");
  const facts: [string, string][] = [
    ["model", nameOf(file)],
    ["compressed", nameOf(packed)],
    ["data", words.join(", ")],
  ];
  return kept.length > 0 ? [...facts, ["left as they are", kept.join(", ")]] : facts;
}

function unitsOf(units: string | boolean | undefined): boolean | string[] {
  return typeof units === "string" ? units.split(",") : (units ?? true);
}
