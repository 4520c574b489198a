import type { Dataset } from "../data/dataset.ts";
import { type Feed, filled, firstSamples } from "../data/feed.ts";
import type { Engine, Value } from "../engine/engine.ts";
import { DataError } from "../errors.ts";
import { areProbabilities, largest, logProbabilities } from "../loss/rows.ts";

/** How good a classifier is. */
export interface Score {
  /** Mean cross-entropy, nats. NaN where an output is not a number. */
  readonly loss: number;
  /** Share of samples whose largest output is their label. */
  readonly accuracy: number;
}

/** Samples that are run at once. */
const BATCH = 64;

/** What samples become when they are run. */
export interface Classified {
  readonly index: number;
  readonly label: number | null;
  /** An output for each class; a view. */
  readonly row: Value["data"];
  /** Whether the outputs are probabilities, not logits. */
  readonly probabilities: boolean;
}

/** Runs samples of a classifier. @throws DataError for a model that has no row of classes for each sample; the signal's reason */
export async function* classified(
  engine: Engine,
  feed: Feed,
  dataset: Dataset,
  { indices, batch = BATCH, signal }: { indices: readonly number[]; batch?: number; signal?: AbortSignal | undefined },
): AsyncGenerator<Classified> {
  const [output] = (await engine.describe()).outputs;
  const name = output?.name as string;
  for (const { wanted, read } of reads(indices, feed.batch ?? batch, feed)) {
    signal?.throwIfAborted();
    const { inputs, labels } = await dataset.read(read);
    const given = await engine.run(new Map([[feed.name, feed.value(inputs)]]), []);
    const value = firstSamples(given.get(name) as Value, wanted.length);
    const classes = value.shape.at(-1) ?? 0;
    if (value.data.length !== wanted.length * classes)
      throw new DataError(`the output "${name}" has the shape ${value.shape}, which is no row of classes a sample`);
    const probabilities = areProbabilities(value);
    for (const [i, index] of wanted.entries()) {
      const row = value.data.subarray(i * classes, (i + 1) * classes);
      yield { index, label: labels?.[i] ?? null, row, probabilities };
    }
  }
}

function* reads(indices: readonly number[], size: number, { batch }: Feed) {
  for (let at = 0; at < indices.length; at += size) {
    const wanted = indices.slice(at, at + size);
    yield { wanted, read: filled(wanted, batch) };
  }
}

/** @throws DataError for labels that are no class of the model, and what classified throws */
export async function scoreOf(
  engine: Engine,
  feed: Feed,
  dataset: Dataset,
  indices: readonly number[],
  signal?: AbortSignal,
): Promise<Score> {
  let [loss, right] = [0, 0];
  for await (const { index, label, row, probabilities } of classified(engine, feed, dataset, { indices, signal })) {
    if (label === null || !(label >= 0 && label < row.length))
      throw new DataError(`sample ${index} is of class ${label}, but the model has ${row.length} classes, from 0 on`);
    loss -= logProbabilities(row, probabilities)[label] as number;
    if (largest(row) === label) right++;
  }
  return { loss: loss / indices.length, accuracy: right / indices.length };
}
