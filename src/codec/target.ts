import { DataError } from "../errors.ts";
import type { Kernels } from "../kernels.ts";
import { type LikeFormat, parseSteps, type QuantizeStep, type Step, type Target } from "../plan.ts";
import { widen } from "../tensor.ts";
import { cutLayout } from "./cut.ts";
import { type Asked, chunkInputs, prunedBlocks, type Resolved } from "./inputs.ts";
import { chunkShape } from "./layout.ts";
import {
  type Bins,
  countBins,
  energy,
  exactError,
  largestLevel,
  levelsFor,
  type Outcome,
  stepRange,
} from "./levels.ts";
import { notFinite, toFloats } from "./quantize.ts";
import { decodeChunkFloats, encodeChunk } from "./tensor.ts";
import { named } from "./values.ts";

// The step size that a target asks for: by bisection over the counts of bins, then checked against the elements.

/** Gives the f32 elements of a tensor in order, from the start at every call. */
type Blocks = () => AsyncIterable<Float32Array>;

/** How often a choice is corrected by what it came to on the elements themselves. */
const CORRECTIONS = 8;
/** A choice this close below what was asked for is taken; and corrections aim a little below it. */
const CLOSE = 0.998;
const NUDGE = 0.9995;

/**
 * The steps as a file says them, and the levels: int8 becomes int16 where the target needs levels beyond 127. Reads the tensor a few times.
 * @throws DataError if a value is not finite or the target is finer than int16 can be
 */
export async function resolveTarget(kernels: Kernels, asked: Asked): Promise<Resolved> {
  const { tensor, steps } = asked;
  const quantize = targeted(steps);
  if (!quantize) return { ...asked, levels: null };
  try {
    const blocks = await prunedBlocks(kernels, asked, cutLayout(tensor, steps));
    return withLevels(asked, await choose(kernels, asked, quantize, blocks, await binsOf(kernels, blocks)));
  } catch (error) {
    throw named(tensor, error);
  }
}

/** The quantize step with a target, if there is one. */
export function targeted(steps: readonly Step[]): (QuantizeStep & { readonly target: Target }) | undefined {
  const step = steps.find((candidate) => candidate.op === "quantize");
  return step?.target && { ...step, target: step.target };
}

/** The bins of elements. Reads them twice. @throws DataError on NaN or infinity */
export async function binsOf(kernels: Kernels, blocks: Blocks): Promise<Bins> {
  let [most, start] = [0, 0];
  for await (const block of blocks()) {
    const { floats, scratch } = toFloats(kernels, block);
    if (kernels.run.range(floats, 1, block.length, scratch) < 0) throw notFinite(kernels, floats, block.length, start);
    const view = kernels.view();
    most = Math.max(most, -view.getFloat32(scratch, true), view.getFloat32(scratch + 4, true));
    start += block.length;
  }
  return countBins(kernels, blocks(), most);
}

/** Steps and levels of an outcome. @throws DataError if a level is beyond f32 */
export function withLevels(asked: Asked, outcome: Outcome): Resolved {
  const most = largestLevel(outcome);
  if (!Number.isFinite(Math.fround(most * outcome.levels.scale)))
    throw new DataError("a level would be beyond the largest f32: keep the tensor lossless");
  const wide = most > 127;
  const steps = asked.steps.map((step) => (wide && step.op === "quantize" ? { ...step, bits: 16 as const } : step));
  return { ...asked, steps, levels: outcome.levels };
}

async function choose(
  kernels: Kernels,
  asked: Asked,
  { target, dead }: QuantizeStep & { readonly target: Target },
  blocks: Blocks,
  bins: Bins,
): Promise<Outcome> {
  // Every bisection begins with the same steps.
  const known = new Map<number, Outcome>();
  const at = (step: number): Outcome => {
    const outcome = known.get(step) ?? levelsFor(bins, step, dead);
    known.set(step, outcome);
    return outcome;
  };
  const signal = bins.inverse === 0 || target.by === "snr" ? await energy(kernels, blocks(), bins) : 0;
  if (bins.inverse === 0 && (signal === 0 || target.by === "bits")) return at(1);
  if (target.by === "step") return atStep(bins, target.value, at);
  if (target.by === "bits") {
    const size = (outcome: Outcome) => codedBits(kernels, withLevels(asked, outcome));
    return meet(bins, at, target.value * bins.elements, ({ bits }) => bits, size, "coarsest");
  }
  const most = await errorWanted(kernels, asked, target, bins.elements, signal);
  if (bins.inverse === 0) return allZeros(at(1), signal, most);
  const error = ({ levels }: Outcome) => exactError(kernels, blocks(), levels);
  return meet(bins, at, most, (outcome) => outcome.error, error, "finest");
}

// Elements too small for any step, as zeros.
function allZeros(outcome: Outcome, error: number, most: number): Outcome {
  if (error <= most) return outcome;
  throw new DataError(
    "the target is finer than the finest step, because all elements are below 1e-33: keep the tensor lossless",
  );
}

function atStep(bins: Bins, step: number, at: (step: number) => Outcome): Outcome {
  const [finest, coarsest] = stepRange(bins);
  // Beyond the coarsest all elements are zeros.
  if (step >= finest) return at(Math.min(step, coarsest));
  throw new DataError(`step ${step} is too fine for int16: ${finest.toPrecision(6)} is the finest for these elements`);
}

// The squared error that a target allows.
async function errorWanted(
  kernels: Kernels,
  asked: Asked,
  target: Target,
  elements: number,
  signal: number,
): Promise<number> {
  if (target.by === "like") return formatError(kernels, asked, target.format);
  return target.by === "rmse" ? elements * target.value ** 2 : signal / 10 ** (target.value / 10);
}

/**
 * The step whose measured size is at most `most`, as close to it as the bisection gets: the coarsest such step for an error, the finest for
 * bits. What is estimated from the bins is corrected by what is measured.
 */
async function meet(
  bins: Bins,
  at: (step: number) => Outcome,
  most: number,
  estimate: (outcome: Outcome) => number,
  measure: (outcome: Outcome) => Promise<number>,
  limit: "finest" | "coarsest",
): Promise<Outcome> {
  const [finest, coarsest] = stepRange(bins);
  let best = at(limit === "finest" ? finest : coarsest);
  let [fits, misses] = [0, Number.POSITIVE_INFINITY];
  let wanted = most;
  for (let turn = 0; turn < CORRECTIONS; turn++) {
    const outcome = bisect(finest, coarsest, at, (candidate) => estimate(candidate) <= wanted, limit);
    const found = outcome ? await measure(outcome) : Number.POSITIVE_INFINITY;
    if (outcome && found <= most) {
      [fits, best] = [wanted, outcome];
      if (found >= CLOSE * most) return best;
    } else misses = wanted;
    const guess = wanted * (Number.isFinite(found) ? (NUDGE * most) / Math.max(found, Number.MIN_VALUE) : 0.5);
    wanted = guess > fits && guess < misses ? guess : (fits + Math.min(misses, 2 * most)) / 2;
  }
  if ((await measure(best)) <= most) return best;
  throw new DataError(
    limit === "finest"
      ? "the target is finer than the finest int16 step for these elements: keep the tensor lossless"
      : "the target is below what the coarsest step takes, with the chunk's headers: ask for more bits",
  );
}

// The step closest to the other end that fits, or undefined if not even that at `limit` does.
function bisect(
  finest: number,
  coarsest: number,
  at: (step: number) => Outcome,
  fits: (outcome: Outcome) => boolean,
  limit: "finest" | "coarsest",
): Outcome | undefined {
  let [good, bad] = limit === "finest" ? [finest, coarsest] : [coarsest, finest];
  let best = at(good);
  if (!fits(best)) return undefined;
  for (let i = 0; i < 40 && Math.abs(Math.log(good / bad)) > 1e-6; i++) {
    const middle = Math.sqrt(good * bad);
    const outcome = at(middle);
    if (fits(outcome)) [good, best] = [middle, outcome];
    else bad = middle;
  }
  return best;
}

/** Bits of the chunks of a tensor, by encoding them. */
export async function codedBits(kernels: Kernels, resolved: Resolved): Promise<number> {
  const layout = cutLayout(resolved.tensor, resolved.steps);
  let bytes = 0;
  for await (const input of chunkInputs(kernels, resolved, layout)) {
    bytes += encodeChunk(kernels, layout, input).bytes.length;
  }
  return 8 * bytes;
}

/** The squared error that a format makes of the elements that reach the quantize step. */
export async function formatError(kernels: Kernels, asked: Asked, format: LikeFormat): Promise<number> {
  const { tensor } = asked;
  const before = asked.steps.filter((step) => step.op !== "quantize" && step.op !== "code");
  const steps = [...before, ...parseSteps(`${format} > raw`)];
  const layout = cutLayout(tensor, steps);
  let error = 0;
  for await (const input of chunkInputs(kernels, { ...asked, steps, levels: null }, layout)) {
    const { bytes } = encodeChunk(kernels, layout, input);
    const { stored } = kernels.arena(chunkShape(layout, input.index).room, "encode");
    kernels.bytes().set(bytes, stored);
    const { elements } = input;
    const values = elements instanceof Float32Array ? elements : widen(tensor.dtype, elements);
    const back = new Float32Array(values.length);
    decodeChunkFloats(kernels, layout, input.index, bytes.length, { offset: 0, field: format }, back);
    for (let i = 0; i < back.length; i++) error += ((values[i] as number) - (back[i] as number)) ** 2;
  }
  return error;
}
