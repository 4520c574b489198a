import type { Loss, LossBatch, LossOptions } from "./loss.ts";
import { isFinitePart, samplesOf } from "./rows.ts";
import { squares } from "./squares.ts";
import { type Figure, type SampleSums, sampleSums } from "./sums.ts";

/** Errors of elements: their sums for each sample. */
export interface ValueSums {
  readonly sums: SampleSums;
  readonly notFinite: number;
  add(batch: LossBatch): void;
  /** `mse`: mean square of the error; `snr`: dB, mean square of the original's elements over it, infinite (null) where the MSE is 0. */
  figures(): { mse: Figure; snr: Figure };
}

export function valueSums(options: LossOptions = {}): ValueSums {
  const sums = sampleSums(3, options);
  let notFinite = 0;
  return {
    sums,
    get notFinite() {
      return notFinite;
    },
    add({ original, compressed }) {
      const { count, size } = samplesOf(original, compressed);
      for (let n = 0; n < count; n++) {
        const [start, end] = [n * size, (n + 1) * size];
        const { error, signal } = squares(original.data, compressed.data, start, end);
        const finite = isFinitePart(original, start, end) && isFinitePart(compressed, start, end);
        if (!finite) notFinite++;
        // An infinite error would count as one that is known.
        sums.add([size, finite ? error : Number.NaN, finite ? signal : Number.NaN]);
      }
    },
    figures: () =>
      sums.figures({
        mse: ([n = 0, error = 0]) => error / n,
        snr: ([, error = 0, signal = 0]) => (error === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(signal / error)),
      }),
  };
}

/** Loss of any output: `mse` and `snr`. The one to make small is the MSE. */
export function valueLoss(options: LossOptions = {}): Loss {
  const values = valueSums(options);
  return {
    add: values.add,
    report() {
      const figures = values.figures();
      return { kind: "values", samples: values.sums.samples, notFinite: values.notFinite, loss: figures.mse, figures };
    },
  };
}
