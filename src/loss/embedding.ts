import type { Loss, LossOptions } from "./loss.ts";
import { samplesOf } from "./rows.ts";
import { sampleSums } from "./sums.ts";
import { valueSums } from "./values.ts";

/**
 * Loss of outputs that are vectors, whatever their shape: `cosine`: the mean of the angle's cosine, where two zero vectors are alike (1) and one is
 * unlike any other (0); `distance`: 1 - cosine, the one to make small; `mse` and `snr`.
 */
export function embeddingLoss(options: LossOptions = {}): Loss {
  const sums = sampleSums(2, options);
  const values = valueSums(options);
  return {
    add(batch) {
      const { count, size } = samplesOf(batch.original, batch.compressed);
      for (let n = 0; n < count; n++) {
        const part = (data: Float32Array | Int32Array) => data.subarray(n * size, (n + 1) * size);
        sums.add([1, cosine(part(batch.original.data), part(batch.compressed.data))]);
      }
      values.add(batch);
    },
    report() {
      const figures = sums.figures({
        cosine: ([n = 0, sum = 0]) => sum / n,
        distance: ([n = 0, sum = 0]) => 1 - sum / n,
      });
      const all = { ...figures, ...values.figures() };
      return {
        kind: "embedding",
        samples: sums.samples,
        notFinite: values.notFinite,
        loss: figures.distance,
        figures: all,
      };
    },
  };
}

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let dot = 0;
  let [first, second] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number];
    dot += x * y;
    first += x * x;
    second += y * y;
  }
  if (first === 0 || second === 0) return first === second ? 1 : first + second > 0 ? 0 : Number.NaN;
  // Roots before the product, which could be beyond f64 or below it.
  return Math.min(1, Math.max(-1, dot / (Math.sqrt(first) * Math.sqrt(second))));
}
