import { type Split, split } from "../data/batches.ts";
import type { Dataset } from "../data/dataset.ts";
import { feedOf } from "../data/feed.ts";
import type { Engine } from "../engine/engine.ts";
import { argument, DataError } from "../errors.ts";
import { loadKernels } from "../kernels.ts";
import { printPlan } from "../plan.ts";
import type { Model } from "../tensor.ts";
import { DivergedError, Diverging, demandFinite } from "./diverged.ts";
import type { TuneOptions, TuneResult } from "./options.ts";
import { fingerprint, parametersOf, withWeights } from "./parameters.ts";
import { type Projection, projectionOf, type Weights } from "./projection.ts";
import { type Run, resumed, runEpoch, type Standing } from "./run.ts";
import { type Score, scoreOf } from "./score.ts";

// Fine-tuning of the compressed model: it runs with what packing would make of the weights, and the weights are moved by what comes of that.

/**
 * Trains a classifier under a plan, by cross-entropy. The same engine, data, options and seed give the same weights, in one run or in several that a
 * checkpoint connects.
 * @param model - weights for the engine's graph; the engine stays as it is
 * @throws DataError for an engine that cannot train, samples without labels, a checkpoint of another run; DivergedError, which has the best weights so
 * far; the signal's reason
 */
export async function tune(engine: Engine, model: Model, dataset: Dataset, options: TuneOptions): Promise<TuneResult> {
  demandOptions(options);
  fitOf(engine);
  const parts = partsOf(dataset, options);
  const kernels = options.kernels ?? (await loadKernels());
  const feed = feedOf(await engine.describe(), dataset);
  const { infos, weights } = await parametersOf(engine, model);
  const projection = await projectionOf(kernels, infos, weights, options.plan, options.sizes ?? "fixed");
  const scored = (given: Weights): Promise<Score> =>
    withEngine(engine, given, (own) => scoreOf(own, feed, dataset, parts.validation, options.signal));
  const score = async (trained: Weights): Promise<Score> => {
    const all = new Map([...weights, ...trained]);
    return scored(new Map([...all, ...(await projected(projection, all))]));
  };
  const original = await scored(weights);
  const run = { ...options, ...settingsOf(options, feed.batch), projection, feed, dataset, order: parts.train, score };
  const task = JSON.stringify({
    ...settingsOf(options, feed.batch),
    ...{ sizes: options.sizes, samples: run.order.length, original },
    weights: fingerprint(kernels, weights),
    plan: printPlan(projection.plan()),
  });
  const result = ({ weights: best, sizes, scores, ...standing }: Standing, early: boolean): TuneResult => {
    projection.restore(sizes);
    const tuned = withWeights(model, projection.kept(new Map([...weights, ...best])));
    const samples = { train: parts.train.length, validation: parts.validation.length };
    return { model: tuned, plan: projection.plan(), original, scores, best: standing.best, early, samples };
  };
  const trained = await trainedNames(engine, weights);
  const others = new Map([...weights].filter(([name]) => !trained.has(name)));
  const begun = new Map([...weights, ...(await projection.project(others))]);
  return withEngine(engine, begun, (own) => train(own, { ...run, task }, result));
}

/** What the engine can train. @throws DataError where the model lacks some of it, which packing then would, too */
async function trainedNames(engine: Engine, weights: Weights): Promise<Set<string>> {
  const trainer = await fitOf(engine)({ objective: "cross-entropy", optimizer: "sgd" });
  const names = [...(await trainer.weights()).keys()];
  await trainer.close();
  const lacking = names.find((name) => !weights.has(name));
  if (lacking !== undefined) throw new DataError(`the model lacks the weight "${lacking}", which would be trained`);
  return new Set(names);
}

function fitOf(engine: Engine): NonNullable<Engine["fit"]> {
  if (engine.fit) return (options) => (engine.fit as NonNullable<Engine["fit"]>)(options);
  throw new DataError(`${engine.runtime} cannot train: TensorFlow.js can`);
}

async function train(
  engine: Engine,
  run: Omit<Run, "trainer">,
  result: (standing: Standing, early: boolean) => TuneResult,
): Promise<TuneResult> {
  const { projection, epochs, patience = Number.POSITIVE_INFINITY } = run;
  let rate = 0;
  const trainer = await fitOf(engine)({
    objective: "cross-entropy",
    optimizer: run.optimizer ?? "adam",
    project: (given) => projected(projection, given),
    onGradients: (gradients) => projection.learn(gradients, rate),
  });
  let standing: Standing | undefined;
  try {
    standing = await resumed({ ...run, trainer });
    const early = ({ scores, best }: Standing): boolean => scores.length - 1 - best >= patience;
    while (standing.epoch < epochs && !early(standing)) {
      await runEpoch({ ...run, trainer }, standing, (next) => {
        rate = next;
      });
    }
    return result(standing, standing.epoch < epochs);
  } catch (error) {
    if (!(error instanceof Diverging) || !standing) throw error;
    const advice = `a rate below ${run.rate} may help`;
    throw new DivergedError(`epoch ${standing.epoch + 1}: ${error.message}: ${advice}`, result(standing, true));
  } finally {
    await trainer.close();
  }
}

async function projected(projection: Projection, weights: Weights): Promise<Weights> {
  demandFinite(weights);
  // The plan could take them in the beginning.
  return projection.project(weights).catch((error: Error) => {
    throw error instanceof DataError ? new Diverging(error.message) : error;
  });
}

function partsOf(dataset: Dataset, { validation = 0.2, seed = 1 }: TuneOptions): Omit<Split, "test"> {
  if (!dataset.labelled) throw new DataError("the samples have no labels to train for");
  const { train, validation: kept } = split(dataset.count, { train: 1 - validation, validation }, seed);
  if (train.length > 0 && kept.length > 0) return { train, validation: kept };
  throw new DataError(
    `${dataset.count} samples are too few for a validation share of ${validation}: ` +
      `${train.length} to train with, ${kept.length} for validation`,
  );
}

function settingsOf({ optimizer = "adam", epochs = 10, seed = 1, rate, batch }: TuneOptions, fixed: number | null) {
  const usual = optimizer === "adam" ? 0.001 : 0.01;
  return { optimizer, epochs, seed, rate: rate ?? usual, batch: fixed ?? batch ?? 32 };
}

function demandOptions({ epochs = 10, batch = 32, validation = 0.2, patience = 1, rate = 1 }: TuneOptions): void {
  const whole = (x: number, least: number): boolean => Number.isSafeInteger(x) && x >= least;
  argument(validation > 0 && validation < 1, "validation", "a share between 0 and 1", validation);
  argument(whole(epochs, 0), "epochs", "a whole number", epochs);
  argument(whole(batch, 1), "batch", "a whole number above 0", batch);
  argument(whole(patience, 1), "patience", "a whole number above 0", patience);
  argument(rate > 0 && Number.isFinite(rate), "rate", "a number above 0", rate);
}

async function withEngine<T>(engine: Engine, weights: Weights, use: (own: Engine) => Promise<T>): Promise<T> {
  const own = await engine.withWeights({ weights });
  try {
    return await use(own);
  } finally {
    await own.close();
  }
}
