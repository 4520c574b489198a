import { batches, shuffled, split } from "../data/batches.ts";
import type { Dataset } from "../data/dataset.ts";
import { type Feed, feedOf } from "../data/feed.ts";
import type { Engine, FitOptions, Trainer } from "../engine/engine.ts";
import { argument, DataError } from "../errors.ts";
import type { Kernels } from "../kernels.ts";
import type { Plan } from "../plan.ts";
import { elementCount, type Model, readElements, type TensorInfo, widen } from "../tensor.ts";
import { type CheckpointPlace, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { type Projection, projectionOf, type StepSizes } from "./projection.ts";
import { cosine } from "./schedule.ts";
import { type Score, scoreOf } from "./score.ts";

// Fine-tuning of the compressed model: it runs with what packing would make of the weights, and the weights are moved by what comes of that.

export interface TuneOptions {
  /** As for pack. */
  readonly plan: Plan;
  /** Default: "adam" */
  readonly optimizer?: FitOptions["optimizer"] | undefined;
  /** The rate of the first steps. Default: 0.001 for adam, 0.01 for sgd */
  readonly rate?: number | undefined;
  /** Turns through the samples. Default: 10 */
  readonly epochs?: number | undefined;
  /** Samples in a step. Default: 32 */
  readonly batch?: number | undefined;
  /** What the order of samples and the split depend on. Default: 1 */
  readonly seed?: number | undefined;
  /** Step sizes of plans with a target. Default: "fixed" */
  readonly sizes?: StepSizes | undefined;
  /** The share of samples that is kept for validation. Default: 0.2 */
  readonly validation?: number | undefined;
  /** Ends when so many epochs in a row are no better. Default: never */
  readonly patience?: number | undefined;
  /** Where to go on from, and what to keep after every epoch. */
  readonly checkpoint?: CheckpointPlace | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: TuneProgress) => void) | undefined;
}

export interface TuneProgress {
  /** Steps. */
  readonly done: number;
  readonly total: number;
  /** Mean over the steps of this epoch so far, nats. */
  readonly loss: number;
  /** Of the last epoch that is done. */
  readonly score: Score;
}

export interface TuneResult {
  /** What to pack, by name: with `plan` it gives exactly the weights of the best epoch's model. */
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly plan: Plan;
  /** On the validation samples, before and after each epoch. */
  readonly scores: readonly Score[];
  /** Index of the score of these weights. */
  readonly best: number;
  /** Whether it ended before its time, because nothing got better. */
  readonly early: boolean;
}

interface Progress {
  epoch: number;
  scores: Score[];
  best: number;
  weights: ReadonlyMap<string, Float32Array>;
  sizes: ReadonlyMap<string, Float32Array>;
}

/**
 * Trains a classifier under a plan, by cross-entropy. The same engine, data, options and seed give the same weights, in one run or in several that a
 * checkpoint connects.
 * @param model - the weights that the engine runs with
 * @throws DataError for an engine that cannot train, or samples without labels; the signal's reason
 */
export async function tune(
  kernels: Kernels,
  engine: Engine,
  model: Model,
  dataset: Dataset,
  options: TuneOptions,
): Promise<TuneResult> {
  const { plan, optimizer = "adam", epochs = 10, seed = 1, sizes = "fixed", validation = 0.2 } = options;
  argument(validation > 0 && validation < 1, "validation", "a share between 0 and 1", validation);
  argument(Number.isInteger(epochs) && epochs >= 0, "epochs", "a whole number", epochs);
  if (!engine.fit) throw new DataError(`${engine.runtime} cannot train`);
  if (!dataset.labelled) throw new DataError("the samples have no labels to train for");
  const { infos, weights } = await parametersOf(engine, model);
  const projection = await projectionOf(kernels, infos, weights, plan, sizes);
  const rate = options.rate ?? (optimizer === "adam" ? 0.001 : 0.01);
  const feed = feedOf(await engine.describe(), dataset);
  const parts = split(dataset.count, { train: 1 - validation, validation }, seed);
  let current = rate;
  const trainer = await engine.fit({
    objective: "cross-entropy",
    optimizer,
    parameters: infos.map(({ name }) => name),
    project: (given) => projection.project(given),
    onGradients: (gradients) => projection.learn(gradients, current),
  });
  const score = (given: ReadonlyMap<string, Float32Array>) =>
    scoreProjected({ engine, projection, feed, dataset }, given, parts.validation, options.signal);
  try {
    const run = { ...options, trainer, projection, feed, dataset, order: parts.train, score, rate, seed, epochs };
    const progress = await resumed(run, weights);
    let early = false;
    while (progress.epoch < epochs && !early) {
      await runEpoch(run, progress, (share) => {
        current = cosine(rate, share);
        return current;
      });
      early = progress.scores.length - 1 - progress.best >= (options.patience ?? Number.POSITIVE_INFINITY);
    }
    projection.restore(progress.sizes);
    const { weights: found, scores, best } = progress;
    return { weights: projection.kept(found), plan: projection.plan(), scores, best, early };
  } finally {
    await trainer.close();
  }
}

interface Run extends TuneOptions {
  readonly trainer: Trainer;
  readonly projection: Projection;
  readonly feed: Feed;
  readonly dataset: Dataset;
  readonly order: readonly number[];
  readonly score: (weights: ReadonlyMap<string, Float32Array>) => Promise<Score>;
  readonly seed: number;
  readonly epochs: number;
}

/** What the engine trains: float parameters of its units that the model has. */
async function parametersOf(engine: Engine, model: Model) {
  const names = new Set((await engine.describe()).units.flatMap(({ parameters }) => parameters));
  const infos: TensorInfo[] = [];
  const weights = new Map<string, Float32Array>();
  for (const tensor of model.tensors) {
    const { name, dtype, shape } = tensor;
    if (!names.has(name) || dtype !== "F32") continue;
    infos.push({ name, dtype, shape });
    weights.set(name, widen(dtype, await readElements(tensor, 0, elementCount(shape))));
  }
  if (infos.length === 0) throw new DataError("the model has none of the engine's parameters");
  return { infos, weights };
}

async function resumed(run: Run, weights: ReadonlyMap<string, Float32Array>): Promise<Progress> {
  const saved = run.checkpoint ? await readCheckpoint(run.checkpoint) : null;
  if (!saved) {
    const score = await run.score(weights);
    return { epoch: 0, scores: [score], best: 0, weights, sizes: run.projection.state() };
  }
  const { task, epoch, scores, best } = saved.notes as Pick<Progress, "epoch" | "scores" | "best"> & { task: string };
  if (task !== taskOf(run)) throw new DataError(`the checkpoint is of another run: ${task}, not ${taskOf(run)}`);
  const part = (name: string): ReadonlyMap<string, Float32Array> => saved.parts.get(name) ?? new Map();
  await run.trainer.restore(part("trainer"));
  run.projection.restore(part("sizes"));
  return { epoch, scores: [...scores], best, weights: part("best"), sizes: part("best-sizes") };
}

// What must be alike for a checkpoint to be of any use.
function taskOf({ seed, epochs, batch = 32, rate, optimizer = "adam", sizes = "fixed", order }: Run): string {
  return JSON.stringify({ seed, epochs, batch, rate, optimizer, sizes, samples: order.length });
}

async function runEpoch(run: Run, progress: Progress, rateAt: (share: number) => number): Promise<void> {
  const { trainer, projection, feed, dataset, order, score, seed, epochs, batch = 32, signal, onProgress } = run;
  const indices = shuffled(order.length, seed + 1 + progress.epoch).map((i) => order[i] as number);
  const steps = Math.ceil(order.length / batch);
  let [done, sum] = [0, 0];
  for await (const { inputs, labels } of batches(dataset, { size: batch, indices })) {
    signal?.throwIfAborted();
    const before = progress.epoch * steps + done;
    const targets = { shape: [inputs.shape[0] as number], data: labels as Int32Array };
    sum += await trainer.step(new Map([[feed.name, feed.value(inputs)]]), targets, rateAt(before / (epochs * steps)));
    done++;
    const last = progress.scores[progress.scores.length - 1] as Score;
    onProgress?.({ done: before + 1, total: epochs * steps, loss: sum / done, score: last });
  }
  const weights = await trainer.weights();
  const next = await score(weights);
  progress.epoch++;
  progress.scores.push(next);
  if (next.loss < (progress.scores[progress.best] as Score).loss) {
    progress.best = progress.scores.length - 1;
    progress.weights = weights;
    progress.sizes = projection.state();
  }
  if (!run.checkpoint) return;
  const { epoch, scores, best } = progress;
  const parts = new Map([
    ["trainer", await trainer.state()],
    ["sizes", projection.state()],
    ["best", progress.weights],
    ["best-sizes", progress.sizes],
  ]);
  await writeCheckpoint(run.checkpoint, { parts, notes: { task: taskOf(run), epoch, scores, best } });
}

async function scoreProjected(
  { engine, projection, feed, dataset }: Pick<Run, "projection" | "feed" | "dataset"> & { engine: Engine },
  weights: ReadonlyMap<string, Float32Array>,
  indices: readonly number[],
  signal: AbortSignal | undefined,
): Promise<Score> {
  const edited = await engine.withWeights({ weights: new Map([...weights, ...(await projection.project(weights))]) });
  try {
    return await scoreOf(edited, feed, dataset, indices, signal);
  } finally {
    await edited.close();
  }
}
