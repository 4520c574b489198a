import { dirname } from "node:path";
import { type Command, Option } from "commander";
import { type FoldedPlan, planFolded } from "../activations/folded.ts";
import type { GroupRule } from "../activations/groups.ts";
import { type ModelPlan, type PlanOptions, planModel } from "../activations/model.ts";
import { packingOf } from "../activations/pack.ts";
import type { RangeMethod } from "../activations/ranges.ts";
import type { SearchResult } from "../activations/search.ts";
import { RULES } from "../activations/unit.ts";
import { type PackReport, pack } from "../container/writer.ts";
import { shuffled } from "../data/batches.ts";
import type { Dataset } from "../data/dataset.ts";
import { feedOf, filled } from "../data/feed.ts";
import type { Engine, UnitWeight, Values } from "../engine/engine.ts";
import { DataError } from "../errors.ts";
import type { Kernels } from "../kernels.ts";
import { modelGraph } from "../model/graph.ts";
import { readModel } from "../model/recognise.ts";
import { fileFolder } from "../node.ts";
import { globMatches, type Plan, parsePlan, printPlan, type Step, stepsFor } from "../plan.ts";
import type { Report } from "../report/report.ts";
import type { Model } from "../tensor.ts";
import { type Calibrated, calibrationText } from "./calibrated.ts";
import { addDataOptions, type DataFlags, withData } from "./data.ts";
import { openEngine } from "./engines.ts";
import { kernelsFor, type OpenFlags, outputPath, withSinks, withSource } from "./files.ts";
import { oneOf, wholeNumber } from "./numbers.ts";
import { nameOf, REPORT_OPTION, reportTo } from "./page.ts";
import { type Result, type Task, UsageError } from "./terminal.ts";

export interface CalibrateFlags extends OpenFlags, DataFlags {
  readonly output?: string;
  readonly plan?: string;
  readonly method?: RangeMethod;
  readonly percentile?: string;
  readonly symmetric?: boolean;
  readonly smooth?: boolean;
  readonly groups?: string;
  readonly rules?: string;
  readonly pow2?: boolean;
  readonly fold?: boolean;
  readonly evaluations?: string;
  readonly weightBits?: string;
  readonly activationBits?: string;
  readonly accumulatorBits?: string;
  readonly factorBytes?: string;
  readonly samples?: string;
  readonly batch?: string;
  readonly seed?: string;
  /** Pattern of names; of `evaluate` it is a list. */
  readonly units?: string | boolean;
  readonly withGraph?: boolean;
  /** A file; true is what pack means by it. */
  readonly report?: string | boolean;
}

const DEFAULT_PLAN = "int8 channel > auto";
const METHODS: readonly RangeMethod[] = ["mse", "max", "percentile"];
const [SAMPLES, BATCH] = [128, 32];

export function addCalibrateOptions(command: Command): Command {
  return addDataOptions(command)
    .option("-o, --output <file>", "the file to write (default: the model's name with .quern)")
    .option(
      "-p, --plan <plan>",
      `what is done to weights (default: "${DEFAULT_PLAN}"); those of units are quantized even if they are small`,
    )
    .addOption(new Option("--method <method>", "of ranges of activations (default: mse)").choices(METHODS))
    .option("--percentile <p>", "of values inside the range, for --method percentile (default: 99.99)")
    .option("--symmetric", "codes of activations around 0, with zero point 0")
    .option("--no-smooth", "no factors: ranges of activations only")
    .option("--groups <n>", "groups of channels, at most (default: 4)")
    .option("--rules <names>", `how channels are grouped, with commas between (default: ${RULES.join(",")})`)
    .option("--pow2", "factors are powers of two")
    .option("--fold", "puts factors into the weights before, too, where that is exact: they take no division then")
    .option("--evaluations <n>", "sets of coefficients to try for a unit, at most (default: 40)")
    .option("--weight-bits <n>", "bits of weights that the device multiplies (default: those of the plan)")
    .option("--activation-bits <n>", "bits of activations, 2..8 (default: 8)")
    .option("--accumulator-bits <n>", "bits that the device sums products in, 16..64 (default: 32)")
    .option("--factor-bytes <n>", "bytes that factors may take (default: any)")
    .option("--samples <n>", `how many samples are looked at, drawn by the seed (default: ${SAMPLES})`)
    .option("--batch <n>", `samples that are run at once (default: ${BATCH})`)
    .option("--seed <n>", "of the draw (default: 1)")
    .option("--units <glob>", "units that are quantized (default: all that have weights)")
    .option("--with-graph", "keeps the graph of the model in the file")
    .option(...REPORT_OPTION);
}

/** Looks for codes of activations and factors, and packs the weights with them. */
export async function calibrateVerb(task: Task, flags: CalibrateFlags, file = ""): Promise<Result> {
  const output = outputPath(file, flags.output, ".quern");
  const options = optionsOf(flags);
  const plan = parsePlan(flags.plan ?? DEFAULT_PLAN);
  const kernels = await kernelsFor(flags);
  if (kernels.tier === "js") throw new UsageError("calibrate needs WebAssembly: the js tier (QUERN_TIER) only decodes");
  const report = reportTo(flags.report, [file, output]);
  const start = performance.now();
  const done = await withData(flags, async (dataset) => {
    const { engine, bytes } = await openEngine(file);
    try {
      return await withSource(file, async (source) => {
        const folder = fileFolder(dirname(file));
        const model = await readModel(source, folder);
        const graph = flags.withGraph ? await modelGraph(source, folder) : undefined;
        const { batches, samples } = await drawn(engine, dataset, flags);
        const job = { kernels, engine, model, plan, batches, options };
        const { plan: found, folds, model: own } = await search(task, job, flags);
        const packed = await written(task, { ...job, model: own }, found, { output, graph });
        return { runtime: engine.runtime, bytes, samples, found, folds, packed };
      });
    } finally {
      await engine.close();
    }
  });
  const calibrated = { file, output, plan, seconds: (performance.now() - start) / 1000, ...done };
  await report(reportOf(calibrated));
  return { json: jsonOf(calibrated), text: () => calibrationText(calibrated) };
}

interface Job {
  readonly kernels: Kernels;
  readonly engine: Engine;
  readonly model: Model;
  readonly plan: Plan;
  readonly batches: () => AsyncIterable<Values>;
  readonly options: ReturnType<typeof optionsOf>;
}

async function search({ signal, progress }: Task, job: Job, flags: CalibrateFlags): Promise<FoldedPlan> {
  const { engine, model, plan, options } = job;
  const units = await unitsOf(engine, typeof flags.units === "string" ? flags.units : "*", model);
  const bits = flags.weightBits === undefined ? bitsOf(units.map(({ weight }) => ownSteps(plan, weight, model))) : {};
  const wanted: PlanOptions = {
    ...options,
    ...bits,
    steps: (weight) => ownSteps(plan, weight, model),
    units: units.map(({ name }) => name),
    signal,
    onProgress: ({ done, total }) => progress({ done, total, phase: "units" }),
  };
  if (flags.fold) return planFolded(job.kernels, engine, model, job.batches, wanted);
  return { plan: await planModel(job.kernels, engine, model, job.batches, wanted), model, folds: [] };
}

async function written(
  { signal, progress }: Task,
  { kernels, model, plan, options }: Job,
  { units }: ModelPlan,
  { output, graph }: { output: string; graph: Uint8Array | null | undefined },
): Promise<PackReport> {
  const packing = packingOf(units, (weight) => ownSteps(plan, weight, model), plan, options.powers);
  const { smoothing, activations } = packing;
  return withSinks(async (create) => {
    const how = { kernels, smoothing, activations, graph: graph ?? null, signal, onProgress: progress };
    return pack(model, packing.plan, await create(output), how);
  });
}

/** The plan's steps for a weight, whatever its size: a unit is multiplied in integers, or it is not. */
function ownSteps(plan: Plan, { name, shape }: UnitWeight, { tensors }: Model): readonly Step[] {
  const { dtype = "F32" } = tensors.find((tensor) => tensor.name === name) ?? {};
  return stepsFor(
    plan.filter(({ small }) => small === undefined),
    { name, dtype, shape },
  );
}

function bitsOf(steps: readonly (readonly Step[])[]): { weightBits?: number } {
  const bits = steps.flatMap((each) =>
    each.flatMap((step) => (step.op === "quantize" ? [Math.min(step.bits, 8)] : [])),
  );
  return bits.length > 0 ? { weightBits: Math.max(...bits) } : {};
}

async function unitsOf(engine: Engine, glob: string, { tensors }: Model) {
  const names = new Set(tensors.map(({ name }) => name));
  const weighted = (await engine.describe()).units.flatMap(({ name, weight }) => {
    return weight && names.has(weight.name) ? [{ name, weight }] : [];
  });
  const units = weighted.filter(({ name }) => globMatches(glob, name));
  if (units.length > 0) return units;
  const known = weighted.map(({ name }) => name).join(", ");
  throw new DataError(`no unit with a weight is called "${glob}": there are ${known || "none"}`);
}

/** The same samples each time; with models that take only so many at once, the last ones more than once. */
async function drawn(engine: Engine, dataset: Dataset, flags: CalibrateFlags) {
  const feed = feedOf(await engine.describe(), dataset);
  const samples = Math.min(wholeNumber("--samples", flags.samples, 1) ?? SAMPLES, dataset.count);
  const size = feed.batch ?? wholeNumber("--batch", flags.batch, 1) ?? BATCH;
  const seed = wholeNumber("--seed", flags.seed, 0) ?? 1;
  const indices = shuffled(dataset.count, seed)
    .slice(0, samples)
    .sort((a, b) => a - b);
  async function* batches(): AsyncGenerator<Values> {
    for (let at = 0; at < indices.length; at += size) {
      const { inputs } = await dataset.read(filled(indices.slice(at, at + size), feed.batch));
      yield new Map([[feed.name, feed.value(inputs)]]);
    }
  }
  return { batches, samples };
}

function optionsOf(flags: CalibrateFlags) {
  const { method, symmetric, smooth = true, pow2 = false, fold = false } = flags;
  const percentile = flags.percentile === undefined ? undefined : Number(flags.percentile);
  if (percentile !== undefined && !(percentile > 50 && percentile <= 100))
    throw new UsageError(`--percentile expected a number above 50, at most 100, got "${flags.percentile}"`);
  if (percentile !== undefined && method !== "percentile")
    throw new UsageError("--percentile is for --method percentile");
  if (!smooth && (flags.rules !== undefined || flags.groups !== undefined || pow2 || fold))
    throw new UsageError("--rules, --groups, --pow2 and --fold are about factors, and --no-smooth wants none");
  const rules = flags.rules?.split(",").map((name) => oneOf<GroupRule>("--rules", name, [...RULES, "one"]));
  return {
    ...{ method, symmetric, percentile, powers: pow2 },
    rules: smooth ? rules : [],
    groups: wholeNumber("--groups", flags.groups, 2, 256),
    evaluations: wholeNumber("--evaluations", flags.evaluations, 1),
    weightBits: wholeNumber("--weight-bits", flags.weightBits, 2, 8),
    activationBits: wholeNumber("--activation-bits", flags.activationBits, 2, 8),
    accumulatorBits: wholeNumber("--accumulator-bits", flags.accumulatorBits, 16, 64),
    factorBytes: wholeNumber("--factor-bytes", flags.factorBytes, 0),
  };
}

const finite = (x: number): number | null => (Number.isFinite(x) ? x : null);

/** What was searched, as JSON has it. */
function searchJson({ none, single, loss, best, trials }: SearchResult) {
  return {
    loss: { none: finite(none), single: finite(single.loss), taken: finite(loss) },
    alpha: Number.isFinite(single.loss) ? single.alpha : null,
    groups: best && { rule: best.grouping.rule, magnitudes: best.grouping.magnitudes },
    alphas: best?.alphas ?? null,
    channels: best && [...best.grouping.groups],
    evaluations: trials.length,
  };
}

function jsonOf({ found, packed, plan: _, ...rest }: Calibrated): object {
  const units = found.units.map(({ unit, weight, search, factors, codes }) => ({
    unit,
    weight: weight.name,
    ...searchJson(search),
    factors: factors && [...factors],
    codes,
  }));
  const { none, factors, taken } = found.losses;
  const losses = { none: finite(none), factors: finite(factors), taken: finite(taken) };
  const folds = rest.folds.map(({ maker, users, search, factors }) => {
    return { maker, users, ...searchJson(search), factors: [...factors] };
  });
  return { ...rest, losses, folds, units, packed };
}

function reportOf({ file, output, runtime, bytes, samples, plan, found, folds, packed }: Calibrated): Report {
  return {
    title: nameOf(file),
    facts: [
      ["model", nameOf(file)],
      ["compressed", nameOf(output)],
      ["plan", printPlan(plan)],
      ["runtime", runtime],
      ["samples", samples.toLocaleString("en")],
    ],
    bytes: { before: bytes, after: packed.fileBytes },
    plan: { ...found, folds },
  };
}
