import type { Value } from "../engine/engine.ts";
import { DataError } from "../errors.ts";
import type { Figures, Loss, LossOptions } from "./loss.ts";
import { areProbabilities, largest, rankOf, rowLoss, samplesOf } from "./rows.ts";
import { sampleSums } from "./sums.ts";
import { valueSums } from "./values.ts";

const TOP = 5;

type Row = Value["data"];

/**
 * Loss of outputs that are classes, [samples, classes], probabilities or logits:
 * `kl`: mean Kullback-Leibler divergence of the compressed from the original, nats (the one to make small);
 * `agreement`: share of samples with the same first class; `confidence`: mean |p - q| for the class that the original takes;
 * with labels `top1Original`, `top1Compressed`, `top1Change`, and the same of top 5 where there are more classes; `mse` and `snr` of the output itself.
 */
export function classLoss(options: LossOptions = {}): Loss {
  const sums = sampleSums(9, options);
  const values = valueSums(options);
  const known = scoresOf(options.scores);
  let classes = 0;
  let labelled = 0;
  return {
    add(batch) {
      const { original, compressed, labels } = batch;
      const { count, size } = samplesOf(original, compressed);
      if (count === 0) return;
      classes = original.shape.at(-1) ?? 0;
      if (classes < 2 || size !== classes)
        throw new DataError(`outputs of shape ${original.shape} are no classes: expected samples x classes`);
      const probabilities = known(original);
      for (let n = 0; n < count; n++) {
        const part = ({ data }: Value): Row => data.subarray(n * size, (n + 1) * size);
        const row = classRow(part(original), part(compressed), labels?.[n] ?? -1, probabilities);
        labelled += row[4] as number;
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
          ...(labelled > 0 && accuracies("top1", 5)),
          ...(labelled > 0 && classes > TOP && accuracies("top5", 6)),
        }),
        ...values.figures(),
      };
      return {
        kind: "classes",
        samples: sums.samples,
        notFinite: values.notFinite,
        loss: figures.kl as Figures[string],
        figures,
      };
    },
  };
}

// The sample, KL, agreement, confidence; whether it has a label, and whether that is in top 1 and top 5, before and after.
function classRow(before: Row, after: Row, label: number, probabilities: boolean): number[] {
  const { kl, agrees, confidence } = rowLoss(before, after, probabilities);
  if (label >= before.length) throw new DataError(`label ${label}: the model has ${before.length} classes`);
  const known = label < 0 ? [0, 0, 0, 0, 0] : [1, ...right(before, label), ...right(after, label)];
  return [1, kl, Number(agrees), confidence, ...known];
}

/** Whether an output has probabilities, decided once. */
export function scoresOf(scores: LossOptions["scores"] = "auto"): (original: Value) => boolean {
  let known = scores === "auto" ? undefined : scores === "probabilities";
  return (original) => {
    known ??= areProbabilities(original);
    return known;
  };
}

function right(row: Row, label: number): [number, number] {
  return [Number(largest(row) === label), Number(rankOf(row, label) < TOP)];
}

// Columns: 4 counts labels, then top 1 and top 5 of the original, and of the compressed.
function accuracies(name: string, column: number): Record<string, (sums: Float64Array) => number> {
  const share = (sums: Float64Array, at: number): number => (sums[at] as number) / (sums[4] as number);
  return {
    [`${name}Original`]: (sums) => share(sums, column),
    [`${name}Compressed`]: (sums) => share(sums, column + 2),
    [`${name}Change`]: (sums) => ((sums[column + 2] as number) - (sums[column] as number)) / (sums[4] as number),
  };
}
