// Where the curve is measured.

/** Bits per weight between which budgets lie where the model allows it. */
const [LEAST, MOST] = [1.5, 9];
/** The least budget is so much above a file of zeros. */
const ABOVE = 0.5;

/**
 * Evenly spread budgets.
 * @param zeros - bits by elements of the file whose quantized weights are all zero
 * @param lossless - those of the file that keeps them
 */
export function curveBudgets(zeros: number, lossless: number, points: number): number[] {
  const from = Math.max(LEAST, zeros + ABOVE);
  // What small tensors and the header take is no rate of the weights.
  const to = Math.min(Math.max(MOST, zeros + MOST), lossless);
  if (points === 1 || to <= from) return [Math.min(from, Math.max(to, zeros))];
  return Array.from({ length: points }, (_, i) => Number((from + ((to - from) * i) / (points - 1)).toFixed(3)));
}
