import type { Kernels } from "../kernels.ts";
import { toFloats } from "./quantize.ts";

// Levels of a uniform quantizer, chosen from the counts of narrow bins: for any step size the squared error and the counts of the levels
// follow from sums over bins, without another look at the elements.

export const BINS = 65536;
const HALF = BINS / 2;
/** The finest step, in bins. The ends of levels lie on those of bins: at 2 that costs up to 0.2 bits, at 8 hundredths. */
const FINEST = 2;

/** Elements below this become zeros: their finest step would be subnormal, or its inverse beyond f32. */
const LEAST = 2 ** -110;
const MOST_FLOAT = (2 - 2 ** -23) * 2 ** 127;

/** Sums over the bins below each, so that those of any range of bins are differences. */
export interface Bins {
  /** x belongs to the bin floor(x * inverse) + 32768; an f32. 0 if all elements are zero, or below LEAST. */
  readonly inverse: number;
  readonly elements: number;
  /** Elements, and sums of (bin + 1/2 - 32768) and of its square. BINS + 1 of each. */
  readonly counts: Float64Array;
  readonly sums: Float64Array;
  readonly squares: Float64Array;
}

/** Levels by bin: bins [ends[k - 1], ends[k]) have level first + k. */
export interface Levels {
  /** The step size, an f32. */
  readonly scale: number;
  readonly inverse: number;
  readonly first: number;
  readonly ends: Uint32Array;
}

/** What a choice of levels makes of the elements. */
export interface Outcome {
  readonly levels: Levels;
  /** Elements by level, from levels.first on. */
  readonly counts: Float64Array;
  /** Sum of squared errors. An element counts as its bin's middle: right to 0.1 % or so. */
  readonly error: number;
  /** Entropy of the levels, in bits for all elements. */
  readonly bits: number;
}

/** The bins of f32 blocks whose greatest magnitude is `most`. */
export async function countBins(kernels: Kernels, blocks: AsyncIterable<Float32Array>, most: number): Promise<Bins> {
  // The greatest magnitude comes to lie in the last bin, whichever way the product is rounded.
  const inverse = most >= LEAST ? Math.fround((HALF - 1) / most) : 0;
  const totals = new Float64Array(BINS);
  for await (const block of blocks) {
    const { floats, planes } = toFloats(kernels, block);
    kernels.bytes().fill(0, planes, planes + 4 * BINS);
    kernels.run.countBins(floats, block.length, inverse, planes);
    const found = new Uint32Array(kernels.bytes().buffer, planes, BINS);
    for (let i = 0; i < BINS; i++) totals[i] = (totals[i] as number) + (found[i] as number);
  }
  return sumBins(totals, inverse);
}

/** The sums over counts of the 65536 bins. */
export function sumBins(totals: Float64Array, inverse: number): Bins {
  const [counts, sums, squares] = [0, 0, 0].map(() => new Float64Array(BINS + 1)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  for (let i = 0; i < BINS; i++) {
    const n = totals[i] as number;
    const middle = i + 0.5 - HALF;
    counts[i + 1] = (counts[i] as number) + n;
    sums[i + 1] = (sums[i] as number) + n * middle;
    squares[i + 1] = (squares[i] as number) + n * middle * middle;
  }
  return { inverse, elements: counts[BINS] as number, counts, sums, squares };
}

/** The finest and the coarsest step size worth trying. */
export function stepRange({ inverse }: Bins): [finest: number, coarsest: number] {
  if (inverse === 0) return [LEAST, LEAST];
  return [FINEST / inverse, Math.min((2 * HALF) / inverse, MOST_FLOAT)];
}

/**
 * Levels of a step size.
 * @param dead - a fraction of at least 0.5 + dead is rounded to the larger magnitude; undefined: what a level costs in bits decides too
 */
export function levelsFor(bins: Bins, step: number, dead: number | undefined): Outcome {
  if (bins.inverse === 0) return { levels: zeroLevels(0), counts: Float64Array.of(bins.elements), error: 0, bits: 0 };
  const plain = outcomeOf(bins, step, (k) => k + 0.5 + (k >= 0 ? (dead ?? 0) : -(dead ?? 0)));
  const fine = step * bins.inverse < FINE;
  return dead === undefined && !fine ? byRate(bins, step, plain) : plain;
}

// Zero for all bins.
function zeroLevels(inverse: number): Levels {
  return { scale: 1, inverse, first: 0, ends: Uint32Array.of(BINS) };
}

/** Sum of the squares of f32 blocks. */
export function energy(kernels: Kernels, blocks: AsyncIterable<Float32Array>, { inverse }: Bins): Promise<number> {
  return exactError(kernels, blocks, zeroLevels(inverse));
}

/** Below this many bins a step is so fine (9 bits and more) that what a level costs in bits changes nothing above 0.01 %. */
const FINE = 32;
/** Rounds of thresholds from code lengths and code lengths from counts. Measured: a fifth changes nothing above 0.01 %. */
const ROUNDS = 4;
/**
 * Squared steps that a bit is worth. At high rates a uniform quantizer has the error s^2 / 12 and s halves with every bit, so that
 * -d error / d bits = 2 ln 2 s^2 / 12.
 */
const PER_BIT = Math.LN2 / 6;

// Between two levels an element takes the one of least error + lambda * bits: the threshold moves from the middle towards the
// costlier level by lambda * (difference of bits) / (2 step), but never past a level.
function byRate(bins: Bins, step: number, plain: Outcome): Outcome {
  let found = plain;
  for (let round = 0; round < ROUNDS; round++) {
    const { counts, levels } = found;
    const bits = counts.map((n) => Math.log2(bins.elements) - (n > 0 ? Math.log2(n) : -1));
    const shift = (k: number): number => {
      const at = k - levels.first;
      return (PER_BIT * ((bits[at + 1] as number) - (bits[at] as number))) / 2;
    };
    found = outcomeOf(bins, step, (k) => k + Math.min(Math.max(0.5 + shift(k), 0), 1));
  }
  return found;
}

// The levels whose ends, in steps, are what `end` says for the border between level k and level k + 1.
function outcomeOf(bins: Bins, step: number, end: (k: number) => number): Outcome {
  const scale = Math.fround(step);
  const perStep = scale * bins.inverse;
  const last = Math.ceil(HALF / perStep);
  const ends = new Uint32Array(2 * last + 1);
  const counts = new Float64Array(2 * last + 1);
  let [error, bits, from] = [0, 0, 0];
  for (let k = -last; k <= last; k++) {
    const border = k === last ? BINS : Math.round(end(k) * perStep) + HALF;
    const to = Math.min(Math.max(border, from), BINS);
    const n = (bins.counts[to] as number) - (bins.counts[from] as number);
    if (n > 0) {
      const sum = (bins.sums[to] as number) - (bins.sums[from] as number);
      const square = (bins.squares[to] as number) - (bins.squares[from] as number);
      const level = k * perStep;
      // An element lies anywhere in its bin, which adds a twelfth of its squared width.
      error += square - 2 * level * sum + level * level * n + n / 12;
      bits -= n * Math.log2(n / bins.elements);
    }
    counts[k + last] = n;
    ends[k + last] = to;
    from = to;
  }
  return {
    levels: { scale, inverse: bins.inverse, first: -last, ends },
    counts,
    error: error / bins.inverse ** 2,
    bits,
  };
}

/** The largest magnitude of a level that occurs. */
export function largestLevel({ counts, levels }: Outcome): number {
  const least = counts.findIndex((n) => n > 0);
  const most = counts.findLastIndex((n) => n > 0);
  return least < 0 ? 0 : Math.max(Math.abs(least + levels.first), Math.abs(most + levels.first));
}

/** The table of the kernels: the level of every bin, as bytes of i16. */
export function tableOf({ first, ends }: Levels): Uint8Array {
  const table = new Int16Array(BINS);
  let from = 0;
  ends.forEach((end, k) => {
    table.fill(first + k, from, end);
    from = end;
  });
  return new Uint8Array(table.buffer);
}

/** Sum of squared errors of f32 blocks under levels, as a decoder will see it. */
export async function exactError(
  kernels: Kernels,
  blocks: AsyncIterable<Float32Array>,
  levels: Levels,
): Promise<number> {
  const table = tableOf(levels);
  let total = 0;
  for await (const block of blocks) {
    const { floats, values, scratch } = toFloats(kernels, block);
    kernels.bytes().set(table, values);
    kernels.view().setFloat64(scratch, 0, true);
    kernels.run.binError(floats, block.length, levels.inverse, values, levels.scale, scratch);
    total += kernels.view().getFloat64(scratch, true);
  }
  return total;
}
