/** Sums of squares: of what two lists of values differ in, and of the first. NaN where a value is none. */
export function squares(
  original: ArrayLike<number>,
  other: ArrayLike<number>,
  start = 0,
  end: number = original.length,
): { error: number; signal: number } {
  let error = 0;
  let signal = 0;
  for (let i = start; i < end; i++) {
    const x = original[i] as number;
    const difference = x - (other[i] as number);
    error += difference * difference;
    signal += x * x;
  }
  return { error, signal };
}

/** The error by the signal, of sums of squares: infinite where it is no number. */
export function relative(error: number, signal: number): number {
  if (error === 0) return 0;
  const loss = error / Math.max(signal, Number.MIN_VALUE);
  return Number.isNaN(loss) ? Number.POSITIVE_INFINITY : loss;
}
