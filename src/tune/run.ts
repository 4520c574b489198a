import { batches, shuffled } from "../data/batches.ts";
import type { Batch, Dataset } from "../data/dataset.ts";
import { type Feed, filled } from "../data/feed.ts";
import type { Trainer } from "../engine/engine.ts";
import { DataError } from "../errors.ts";
import { readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { Diverging } from "./diverged.ts";
import type { TuneOptions } from "./options.ts";
import type { Projection, Weights } from "./projection.ts";
import { cosine } from "./schedule.ts";
import type { Score } from "./score.ts";

// Epochs, and what is kept between them.

export interface Run extends TuneOptions {
  readonly trainer: Trainer;
  readonly projection: Projection;
  readonly feed: Feed;
  readonly dataset: Dataset;
  /** Samples to train with. */
  readonly order: readonly number[];
  readonly score: (weights: Weights) => Promise<Score>;
  /** All that a checkpoint has to be of, as text. */
  readonly task: string;
  readonly rate: number;
  readonly seed: number;
  readonly epochs: number;
  readonly batch: number;
}

/** How far a run is. */
export interface Standing {
  epoch: number;
  scores: Score[];
  /** Index of the best score, with its weights and step sizes. */
  best: number;
  weights: Weights;
  sizes: Weights;
}

/** Where the checkpoint is, or the beginning. @throws DataError for the checkpoint of another run */
export async function resumed(run: Run): Promise<Standing> {
  const saved = run.checkpoint ? await readCheckpoint(run.checkpoint) : null;
  const weights = await run.trainer.weights();
  if (!saved) {
    const score = await run.score(weights);
    if (!Number.isFinite(score.loss))
      throw new DataError(`the compressed model has a loss of ${score.loss} from the start`);
    return { epoch: 0, scores: [score], best: 0, weights, sizes: run.projection.state() };
  }
  const { task, epoch, scores, best } = notesOf(saved.notes);
  if (task !== run.task)
    throw new DataError("the checkpoint is of another model, plan, data or options: name another file, or remove it");
  const part = (name: string): Weights => saved.parts.get(name) ?? new Map();
  const found = part("best");
  for (const [name, { length }] of weights)
    if (found.get(name)?.length !== length) throw new DataError(`the checkpoint lacks the weight "${name}"`);
  await run.trainer.restore(part("trainer"));
  run.projection.restore(part("best-sizes"));
  run.projection.restore(part("sizes"));
  return { epoch, scores: [...scores], best, weights: found, sizes: part("best-sizes") };
}

type Notes = Pick<Standing, "epoch" | "scores" | "best"> & { task: string };

function notesOf(notes: unknown): Notes {
  const { epoch, scores, best, task } = Object(notes) as Notes;
  const fine = Array.isArray(scores) && scores.length === epoch + 1 && Number.isInteger(best) && scores[best];
  if (!fine) throw new DataError("the checkpoint does not say how far it is: remove it");
  return { epoch, scores, best, task };
}

/** @throws Diverging where training cannot go on; the signal's reason */
export async function runEpoch(run: Run, standing: Standing, onRate: (rate: number) => void): Promise<void> {
  const { dataset, order, seed, epochs, batch, signal } = run;
  const indices = shuffled(order.length, seed + 1 + standing.epoch).map((i) => order[i] as number);
  const total = epochs * Math.ceil(order.length / batch);
  const before = (total / epochs) * standing.epoch;
  let [done, sum] = [0, 0];
  for await (const read of batches(dataset, { size: batch, indices })) {
    await breathe();
    signal?.throwIfAborted();
    const rate = cosine(run.rate, (before + done) / total);
    onRate(rate);
    sum += await step(run, read, rate);
    done++;
    const score = standing.scores.at(-1) as Score;
    run.onProgress?.({ done: before + done, total, loss: sum / done, score });
  }
  await endEpoch(run, standing);
}

async function step(run: Run, { inputs, labels, indices }: Batch & { indices: readonly number[] }, rate: number) {
  const { trainer, feed, dataset } = run;
  const wanted = filled(indices, feed.batch);
  const full = wanted.length > indices.length ? await dataset.read(wanted) : { inputs, labels };
  const targets = { shape: [wanted.length], data: full.labels as Int32Array };
  const loss = await trainer.step(new Map([[feed.name, feed.value(full.inputs)]]), targets, rate);
  if (!Number.isFinite(loss)) throw new Diverging(`the loss became ${loss}`);
  return loss;
}

async function endEpoch(run: Run, standing: Standing): Promise<void> {
  const { trainer, projection } = run;
  const weights = await trainer.weights();
  const score = await run.score(weights);
  if (!Number.isFinite(score.loss)) throw new Diverging(`the loss became ${score.loss}`);
  standing.epoch++;
  standing.scores.push(score);
  if (score.loss < (standing.scores[standing.best] as Score).loss) {
    standing.best = standing.scores.length - 1;
    standing.weights = weights;
    standing.sizes = projection.state();
  }
  if (!run.checkpoint) return;
  const { epoch, scores, best } = standing;
  const parts = new Map([
    ["trainer", await trainer.state()],
    ["sizes", projection.state()],
    ["best", standing.weights],
    ["best-sizes", standing.sizes],
  ]);
  await writeCheckpoint(run.checkpoint, { parts, notes: { task: run.task, epoch, scores, best } });
}

const BREATH_MS = 50;
let breathed = 0;

/** Lets what waits for its turn have it now and then, such as a signal or a page: data in memory and steps never wait for anything. */
async function breathe(): Promise<void> {
  if (Date.now() - breathed < BREATH_MS) return;
  await new Promise<void>((resolve) => setTimeout(resolve));
  breathed = Date.now();
}
