import { shuffled } from "../data/batches.ts";
import type { Dataset } from "../data/dataset.ts";
import { type Feed, feedOf, filled, firstSamples } from "../data/feed.ts";
import type { Description, Edits, Engine, ModelKind, Value, Values } from "../engine/engine.ts";
import { argument, DataError } from "../errors.ts";
import type { Loss, LossKind, LossOptions, LossReport } from "../loss/loss.ts";
import { newLoss } from "../loss/make.ts";
import { type DetectionNames, kindOf, lossBatch, outputOf } from "./outputs.ts";
import { openUnits, type UnitLoss, type UnitRuns } from "./units.ts";

export interface EvaluateOptions extends LossOptions {
  /** What the outputs are. Default: "auto" */
  readonly kind?: "auto" | LossKind | undefined;
  /** Samples that are run at once, unless the model takes a certain count. Default: 32 */
  readonly batch?: number | undefined;
  /** How many samples are looked at, drawn by the seed. Default: all */
  readonly limit?: number | undefined;
  /** The samples that are looked at, in place of a limit. */
  readonly indices?: readonly number[] | undefined;
  /** Runs each unit that has a weight alone, too; or those that are named. Default: false */
  readonly perUnit?: boolean | readonly string[] | undefined;
  /** The output that is compared. Default: the first */
  readonly output?: string | undefined;
  readonly detection?: DetectionNames | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
}

/** What compression costs a model. Plain data, for JSON. */
export interface Evaluation extends LossReport {
  readonly runtime: string;
  readonly model: ModelKind;
  /** The output that was compared. */
  readonly output: string;
  readonly seed: number;
  /** In the order of running; null if they were not asked for. */
  readonly units: readonly UnitLoss[] | null;
}

/**
 * Runs a model before and after on the same samples, batch by batch, and tells how far the outputs are apart: all in all, and unit by unit with what the
 * original feeds it. Keeps a batch of inputs, outputs and values inside, and numbers for each sample, but no outputs.
 * @param compressed - edits of the model, or another model with the same input and outputs; that one stays open
 * @throws DataError for samples that do not fit the model, or outputs that do not fit the kind
 */
export async function evaluate(
  engine: Engine,
  compressed: Edits | Engine,
  dataset: Dataset,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const description = await engine.describe();
  const feed = feedOf(description, dataset);
  const other = isEngine(compressed) ? compressed : await engine.withWeights(compressed);
  try {
    const units = await openUnits(description, other, options.perUnit ?? false, options);
    try {
      return await run({ engine, other, description, feed, units, dataset, options });
    } finally {
      await units.close();
    }
  } finally {
    if (other !== compressed) await other.close();
  }
}

function isEngine(compressed: Edits | Engine): compressed is Engine {
  return "run" in compressed;
}

interface Run {
  readonly engine: Engine;
  readonly other: Engine;
  readonly description: Description;
  readonly feed: Feed;
  readonly units: UnitRuns;
  readonly dataset: Dataset;
  readonly options: EvaluateOptions;
}

async function run({ engine, other, description, feed, units, dataset, options }: Run): Promise<Evaluation> {
  const output = outputName(description, options.output);
  const indices = chosenIndices(dataset, options);
  const total = indices.length;
  const { kind: asked = "auto" } = options;
  let done = 0;
  let loss: Loss | undefined;
  let kind: LossKind = asked === "auto" ? "values" : asked;
  for await (const { wanted, value, labels } of fedBatches(dataset, indices, feed, options.batch ?? 32)) {
    options.signal?.throwIfAborted();
    const count = wanted.length;
    const fed = new Map([[feed.name, value]]);
    const values = await engine.run(fed, units.taps);
    const names = description.outputs.map(({ name }) => name);
    const original = firsts(values, count, names);
    const changed = firsts(await other.run(fed), count);
    if (!loss && asked === "auto") kind = kindOf(description, dataset, outputOf(original, output));
    loss ??= newLoss(kind, options);
    const tokens = firstSamples(value, count);
    loss.add(lossBatch(kind, { original, compressed: changed, output }, { tokens, labels }, options.detection ?? {}));
    await units.add(new Map([...values, ...fed]), count);
    done += count;
    options.onProgress?.({ done, total });
  }
  const report = (loss ?? newLoss(kind, options)).report();
  const { seed = 1, perUnit = false } = options;
  return {
    runtime: engine.runtime,
    model: description.kind,
    output,
    seed,
    ...report,
    units: perUnit === false ? null : units.report(),
  };
}

async function* fedBatches(dataset: Dataset, indices: readonly number[], feed: Feed, batch: number) {
  const size = feed.batch ?? batch;
  argument(Number.isInteger(size) && size > 0, "batch", "a whole number above 0", size);
  for (let at = 0; at < indices.length; at += size) {
    const wanted = indices.slice(at, at + size);
    const { inputs, labels } = await dataset.read(filled(wanted, feed.batch));
    yield { wanted, value: feed.value(inputs), labels };
  }
}

function firsts(values: Values, count: number, names: readonly string[] = [...values.keys()]): Values {
  const found = names.flatMap((name): [string, Value][] => {
    const value = values.get(name);
    return value ? [[name, firstSamples(value, count)]] : [];
  });
  return new Map(found);
}

function outputName({ outputs }: Description, asked: string | undefined): string {
  const names = outputs.map(({ name }) => name);
  const [name] = asked === undefined ? names : names.filter((one) => one === asked);
  if (name !== undefined) return name;
  throw new DataError(`the model has no output "${asked}", only ${names.join(", ")}`);
}

/** The samples in their order, since files are read faster so. */
function chosenIndices({ count }: Dataset, { indices, limit, seed = 1 }: EvaluateOptions): readonly number[] {
  if (indices) return indices;
  argument(limit === undefined || (Number.isInteger(limit) && limit > 0), "limit", "a whole number above 0", limit);
  if (limit === undefined || limit >= count) return Array.from({ length: count }, (_, i) => i);
  return shuffled(count, seed)
    .slice(0, limit)
    .sort((a, b) => a - b);
}
