// Step sizes that are learned with the weights.

/** A step size, with the moments of Adam. All are f32, so that those of a file go on alike. */
export interface StepSize {
  value: number;
  first: number;
  second: number;
  count: number;
}

/** How many times smaller or larger than in the beginning it may get: beyond, the levels would be others than the plan asks for. */
const MOST = 4;

export function stepSize(value: number): StepSize {
  return { value, first: 0, second: 0, count: 0 };
}

/**
 * The derivative of the loss by the logarithm of the step size, where rounding counts as if it were not there: an element x of level q has
 * q * size in its place, so the size moves it by q * size - x (Esser et al., "Learned Step Size Quantization", 2020).
 * @param projected - what is in place of `given`
 */
export function sizeGradient(given: Float32Array, projected: Float32Array, gradient: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < given.length; i++)
    sum += (gradient[i] as number) * ((projected[i] as number) - (given[i] as number));
  return sum;
}

/** A step of Adam on the logarithm of the size, which keeps it above zero. @param start - the size in the beginning */
export function moveSize(size: StepSize, gradient: number, rate: number, start: number): void {
  size.count++;
  size.first = Math.fround(0.9 * size.first + 0.1 * gradient);
  size.second = Math.fround(0.999 * size.second + 0.001 * gradient * gradient);
  if (size.second === 0) return;
  const mean = size.first / (1 - 0.9 ** size.count);
  const square = size.second / (1 - 0.999 ** size.count);
  const moved = size.value * Math.exp((-rate * mean) / Math.sqrt(square));
  size.value = Math.fround(Math.min(Math.max(moved, start / MOST), start * MOST));
}
