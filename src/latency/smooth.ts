// What is left of logarithms of times when sums of counts are taken from them: smooth in the sizes, so known rows tell about those near them.
// A Gaussian process with a squared-exponential kernel (Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, algorithm 2.1).

export interface Smooth {
  /** The expected remainder, and its standard deviation with that of a measurement. */
  at(place: readonly number[]): { readonly mean: number; readonly deviation: number };
  /** What is left of the remainder of each row when all others tell it, and the standard deviation that is told of that. */
  readonly left: readonly number[];
  readonly doubts: readonly number[];
}

interface Shape {
  /** In octaves of sizes. */
  readonly length: number;
  readonly deviation: number;
  /** Of a measurement. */
  readonly noise: number;
}

const SHAPES: readonly Shape[] = [1, 2, 4].flatMap((length) =>
  [0.05, 0.15, 0.4].flatMap((deviation) => [0.01, 0.03, 0.1].map((noise) => ({ length, deviation, noise }))),
);
/** Rows that a shape is chosen by: time grows with their cube. */
const MOST_CHOSEN_BY = 120;
/** Rows that are kept in the end. */
const MOST = 400;

interface Samples {
  readonly places: readonly (readonly number[])[];
  readonly values: readonly number[];
  readonly errors: readonly number[];
}

/** @param places - of rows @param values - their remainders @param errors - by which those are off by themselves: standard deviations */
export function smooth(
  places: readonly (readonly number[])[],
  values: readonly number[],
  errors: readonly number[] = values.map(() => 0),
): Smooth {
  const every = (most: number): Samples => {
    const step = Math.max(1, places.length / most);
    const kept = Array.from({ length: Math.floor(places.length / step) }, (_, i) => Math.floor(i * step));
    const of = <T>(all: readonly T[]): T[] => kept.map((i) => all[i] as T);
    return { places: of(places), values: of(values), errors: of(errors) };
  };
  const few = every(MOST_CHOSEN_BY);
  let best = SHAPES[0] as Shape;
  let least = Number.POSITIVE_INFINITY;
  for (const shape of few.places.length > 2 ? SHAPES : []) {
    const loss = unlikelihood(solved(few, shape));
    if (loss < least) [least, best] = [loss, shape];
  }
  return process(every(MOST), best);
}

interface Solved {
  readonly inverse: readonly Float64Array[];
  readonly weights: Float64Array;
}

/** By leaving each row out in turn: the mean of its negative logarithm of likelihood (same book, section 5.4.2). */
function unlikelihood({ inverse, weights }: Solved): number {
  let sum = 0;
  for (const [i, weight] of weights.entries()) {
    const precision = (inverse[i] as Float64Array)[i] as number;
    sum += (weight * weight) / precision / 2 - Math.log(precision) / 2;
  }
  return sum / Math.max(1, weights.length);
}

function process(samples: Samples, shape: Shape): Smooth {
  const { places } = samples;
  const { inverse, weights } = solved(samples, shape);
  const precisions = inverse.map((row, i) => row[i] as number);
  return {
    left: Array.from(weights, (weight, i) => weight / (precisions[i] as number)),
    doubts: precisions.map((precision) => 1 / Math.sqrt(precision)),
    at(place) {
      const near = Float64Array.from(places, (other) => kernel(place, other, shape));
      let [mean, known] = [0, 0];
      for (const [i, k] of near.entries()) {
        mean += k * (weights[i] as number);
        const row = inverse[i] as Float64Array;
        for (const [j, other] of near.entries()) known += k * (row[j] as number) * other;
      }
      const { deviation, noise } = shape;
      return { mean, deviation: Math.sqrt(Math.max(0, deviation ** 2 - known) + noise ** 2) };
    },
  };
}

function kernel(a: readonly number[], b: readonly number[], { length, deviation }: Shape): number {
  let distance = 0;
  for (const [i, x] of a.entries()) distance += (x - (b[i] as number)) ** 2;
  return deviation ** 2 * Math.exp(-distance / (2 * length ** 2));
}

function solved({ places, values, errors }: Samples, shape: Shape): Solved {
  const matrix = places.map((a, i) =>
    Float64Array.from(
      places,
      (b, j) => kernel(a, b, shape) + (i === j ? shape.noise ** 2 + (errors[i] as number) ** 2 + 1e-8 : 0),
    ),
  );
  const inverse = inverted(matrix);
  const weights = Float64Array.from(inverse, (row) => row.reduce((sum, x, j) => sum + x * (values[j] as number), 0));
  return { inverse, weights };
}

/** Of a positive definite matrix, by Gauss and Jordan without exchanging rows, which such a one does not need. */
function inverted(matrix: readonly Float64Array[]): Float64Array[] {
  const a = matrix.map((row) => row.slice());
  for (const [k, pivotRow] of a.entries()) {
    const pivot = 1 / (pivotRow[k] as number);
    pivotRow[k] = 1;
    for (let j = 0; j < a.length; j++) pivotRow[j] = (pivotRow[j] as number) * pivot;
    for (const [i, row] of a.entries()) {
      const factor = row[k] as number;
      if (i === k || factor === 0) continue;
      row[k] = 0;
      for (let j = 0; j < a.length; j++) row[j] = (row[j] as number) - factor * (pivotRow[j] as number);
    }
  }
  return a;
}
