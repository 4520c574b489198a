import type { Value } from "../engine/engine.ts";
import { DataError } from "../errors.ts";
import { scoresOf } from "./classes.ts";
import type { Figures, Loss, LossBatch, LossOptions } from "./loss.ts";
import { rowLoss, samplesOf } from "./rows.ts";
import { sampleSums } from "./sums.ts";
import { valueSums } from "./values.ts";

const PERPLEXITIES: Record<string, (sums: Float64Array) => number> = {
  perplexityOriginal: ([, , , , n = 0, before = 0]) => Math.exp(before / n),
  perplexityCompressed: ([, , , , n = 0, , after = 0]) => Math.exp(after / n),
  perplexityRatio: ([, , , , n = 0, before = 0, after = 0]) => Math.exp((after - before) / n),
};

/**
 * Loss of outputs that are tokens, [samples, length, vocabulary], probabilities or logits of what comes next:
 * `kl`, `agreement` and `confidence` over tokens as for classes (`kl` is the one to make small); with the tokens that went in `perplexityOriginal`,
 * `perplexityCompressed` and their ratio `perplexityRatio`, where the target of a place is the next token. Intervals resample texts, not tokens, whose
 * errors hang together.
 */
export function textLoss(options: LossOptions = {}): Loss {
  const sums = sampleSums(7, options);
  const values = valueSums(options);
  const known = scoresOf(options.scores);
  let targets = 0;
  return {
    add(batch) {
      const { count, length, vocabulary } = textOf(batch);
      if (count === 0) return;
      const probabilities = known(batch.original);
      for (let n = 0; n < count; n++) {
        const row = textRow(batch, n, length, vocabulary, probabilities);
        targets += row[4] as number;
        sums.add(row);
      }
      values.add(batch);
    },
    report() {
      const figures: Figures = {
        ...sums.figures({
          kl: ([n = 0, kl = 0]) => kl / n,
          agreement: ([n = 0, , agree = 0]) => agree / n,
          confidence: ([n = 0, , , confidence = 0]) => confidence / n,
          ...(targets > 0 && PERPLEXITIES),
        }),
        ...values.figures(),
      };
      return {
        kind: "text",
        samples: sums.samples,
        notFinite: values.notFinite,
        loss: figures.kl as Figures[string],
        figures,
      };
    },
  };
}

function textOf({ original, compressed, tokens }: LossBatch): { count: number; length: number; vocabulary: number } {
  const { count } = samplesOf(original, compressed);
  const [, length = 0, vocabulary = 0] = original.shape;
  if (original.shape.length !== 3 || vocabulary < 2)
    throw new DataError(`outputs of shape ${original.shape} are no text: expected samples x length x vocabulary`);
  if (tokens && tokens.data.length !== count * length)
    throw new DataError(`tokens of shape ${tokens.shape} are not those of outputs of shape ${original.shape}`);
  return { count, length, vocabulary };
}

// Places, KL, agreement, confidence; targets, and the sums of -log p of them before and after.
function textRow(batch: LossBatch, n: number, length: number, vocabulary: number, probabilities: boolean): number[] {
  const sums = [0, 0, 0, 0, 0, 0, 0];
  const add = (at: number, ...terms: number[]): void => {
    for (const [i, x] of terms.entries()) sums[at + i] = (sums[at + i] as number) + x;
  };
  for (let t = 0; t < length; t++) {
    const token = batch.tokens?.data[n * length + t] ?? 0;
    if (token < 0) continue;
    const start = (n * length + t) * vocabulary;
    const part = ({ data }: Value): Value["data"] => data.subarray(start, start + vocabulary);
    const { kl, agrees, confidence, before, after } = rowLoss(
      part(batch.original),
      part(batch.compressed),
      probabilities,
    );
    add(0, 1, kl, Number(agrees), confidence);
    const target = t + 1 < length ? (batch.tokens?.data[n * length + t + 1] ?? -1) : -1;
    if (target >= vocabulary) throw new DataError(`token ${target}: the model has ${vocabulary}`);
    if (target >= 0) add(4, 1, -(before[target] as number), -(after[target] as number));
  }
  return sums;
}
