import { type Bins, levelsFor, type Outcome, stepRange } from "./levels.ts";

// What a tensor's error and bits are over step sizes, and how bits are best spent on several tensors: where each lowers the error most.

/** A step size and what it comes to. */
export interface Point {
  /** 0: the tensor as it is, without loss. */
  readonly step: number;
  /** Sum of squared errors, times the tensor's weight. */
  readonly error: number;
  /** Entropy of the levels, in bits for all elements, and what the tensor takes besides. */
  readonly bits: number;
}

/** Step sizes to an octave. The error changes by 0.75 dB from one to the next, which a common factor evens out later. */
const PER_OCTAVE = 8;

/**
 * Points from the coarsest step to the finest, and the tensor without loss.
 * @param weight - how much an error in this tensor counts
 * @param lossless - bits of the tensor without loss; infinite if it cannot go without
 * @param fixed - bits that it takes with loss, whatever the step: tables, headers
 */
export function curveOf(
  bins: Bins,
  dead: number | undefined,
  weight: number,
  lossless: number,
  fixed: number,
): Point[] {
  if (bins.inverse === 0) return [{ step: 1, error: 0, bits: 0 }];
  const [finest, coarsest] = stepRange(bins);
  const count = Math.floor(PER_OCTAVE * Math.log2(coarsest / finest));
  const points = Array.from({ length: count + 1 }, (_, i): Point => {
    const step = coarsest * 2 ** (-i / PER_OCTAVE);
    const { error, bits }: Outcome = levelsFor(bins, step, dead);
    return { step, error: weight * error, bits: bits + fixed };
  });
  return [...points, { step: 0, error: 0, bits: lossless }];
}

/**
 * A point of each curve such that their bits are at most `bits` and their error is about the least there is: those that minimise error +
 * lambda * bits, for the smallest lambda that fits. If not even the coarsest fit, the coarsest.
 */
export function spend(curves: readonly (readonly Point[])[], bits: number): Point[] {
  const at = (lambda: number): Point[] =>
    curves.map((curve) =>
      curve.reduce((best, point) =>
        point.error + lambda * point.bits < best.error + lambda * best.bits ? point : best,
      ),
    );
  const total = (points: readonly Point[]): number => points.reduce((sum, point) => sum + point.bits, 0);
  const finest = at(0);
  if (total(finest) <= bits) return finest;
  // From hardly any price to one that no bit is worth.
  const most = curves.reduce((sum, curve) => sum + (curve[0]?.error ?? 0), 0) + Number.MIN_VALUE;
  let [low, high] = [most * 2 ** -120, most];
  let best = at(high);
  for (let i = 0; i < 60; i++) {
    const middle = Math.sqrt(low * high);
    const points = at(middle);
    if (total(points) <= bits) [high, best] = [middle, points];
    else low = middle;
  }
  return best;
}
