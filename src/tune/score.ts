import { batches } from "../data/batches.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Feed } from "../data/feed.ts";
import type { Engine, Value } from "../engine/engine.ts";
import { areProbabilities, largest, logProbabilities } from "../loss/rows.ts";

/** How good a classifier is. */
export interface Score {
  /** Mean cross-entropy, nats. */
  readonly loss: number;
  /** Share of samples whose largest output is their label. */
  readonly accuracy: number;
}

/** Samples that are run at once. */
const BATCH = 64;

export async function scoreOf(
  engine: Engine,
  feed: Feed,
  dataset: Dataset,
  indices: readonly number[],
  signal?: AbortSignal,
): Promise<Score> {
  const [output] = (await engine.describe()).outputs;
  let [loss, right] = [0, 0];
  for await (const { inputs, labels } of batches(dataset, { size: feed.batch ?? BATCH, indices })) {
    signal?.throwIfAborted();
    const given = await engine.run(new Map([[feed.name, feed.value(inputs)]]));
    const value = given.get(output?.name as string) as Value;
    const classes = value.shape.at(-1) as number;
    const probabilities = areProbabilities(value);
    labels?.forEach((label, i) => {
      const row = value.data.subarray(i * classes, (i + 1) * classes);
      loss -= logProbabilities(row, probabilities)[label] as number;
      if (largest(row) === label) right++;
    });
  }
  return { loss: loss / indices.length, accuracy: right / indices.length };
}
