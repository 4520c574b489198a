import { tensorOver, throughSteps } from "../codec/through.ts";
import type { ActivationCodes, Engine, InputEdit, Unit, UnitWeight, Value } from "../engine/engine.ts";
import { DataError } from "../errors.ts";
import type { Kernels } from "../kernels.ts";
import { relative, squares } from "../loss/squares.ts";
import type { Step } from "../plan.ts";
import { channelMaxima, channelsOf, multiplied } from "./channels.ts";
import { activationBits, alphaRange, type Hardware } from "./coefficients.ts";
import { type GroupRule, groupChannels } from "./groups.ts";
import { stepsForUnit } from "./outputs.ts";
import { type CodesOptions, codesFor } from "./ranges.ts";
import type { UnitSamples } from "./samples.ts";
import { type CoefficientSet, type SearchOptions, type SearchResult, searchCoefficients } from "./search.ts";

// A unit in integers: its weights as packed, its input coded, with the factors between them that lose least.

export interface UnitOptions extends Hardware, Pick<CodesOptions, "method" | "percentile" | "symmetric"> {
  /** What is done to its weights. */
  readonly steps: readonly Step[];
  /** How channels are grouped; none: no factors are looked for. Default: all three rules */
  readonly rules?: readonly GroupRule[] | undefined;
  /** Groups, at most. Default: 4 */
  readonly groups?: number | undefined;
  /** Factors are powers of two. Default: false */
  readonly powers?: boolean | undefined;
  /** Sets of coefficients to try for a unit, at most. Default: 40 */
  readonly evaluations?: number | undefined;
  /** Whose dimensions the weight is packed along, where it is also another unit's. Default: the unit's own */
  readonly packedAs?: UnitWeight | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What was found for a unit. */
export interface UnitPlan {
  readonly unit: string;
  readonly weight: UnitWeight;
  /** Largest magnitude of each input channel. Of activations that were never anything but 0, nothing is known: the median of the others. */
  readonly maxima: { readonly activations: Float32Array; readonly weights: Float32Array };
  readonly search: SearchResult;
  /** null: without factors. */
  readonly factors: Float32Array | null;
  readonly codes: ActivationCodes;
  /** The weights times the factors, before they are packed. */
  readonly weights: Float32Array;
  /** The same as packed. */
  readonly packed: Float32Array;
}

export const RULES: readonly GroupRule[] = ["threshold", "bands", "clusters"];

/** What comes of factors. */
export interface Attempt extends Pick<UnitPlan, "factors" | "codes" | "weights" | "packed"> {
  readonly loss: number;
}

/**
 * Looks for the factors of a unit. The loss of a set is the squared error of the unit's output, given what it is given in the original, by the
 * square of that output; one that is no number is infinite.
 * @throws DataError on activations or weights that are not finite, naming the unit
 * @param weights - the unit's weight as it is in the model
 */
export async function planUnit(
  kernels: Kernels,
  engine: Engine,
  unit: Unit & { readonly weight: UnitWeight },
  samples: UnitSamples,
  weights: Float32Array,
  options: UnitOptions,
): Promise<UnitPlan> {
  const { weight } = unit;
  const open = await openUnit(kernels, engine, unit, samples, weights, options);
  const { maxima } = open;
  let best: Attempt | undefined;
  try {
    const evaluate = async (set: CoefficientSet | null): Promise<number> => {
      const attempt = await open.attempt(set && factorsOf(kernels, maxima, set, options.powers === true));
      if (!best || attempt.loss < best.loss) best = attempt;
      return attempt.loss;
    };
    const search = await searchCoefficients(searchOptions(open, options, evaluate));
    const { factors, codes, weights: scaled, packed } = best as unknown as Attempt;
    return { unit: unit.name, weight, maxima, search, factors, codes, weights: scaled, packed };
  } finally {
    await open.close();
  }
}

/** What is looked at to find factors for channels of such ranges. */
export function searchOptions(
  { maxima, bits, scales }: Pick<OpenUnit, "maxima" | "bits" | "scales">,
  { rules: asked = RULES, groups = 4, evaluations, weightBits = 8 }: UnitOptions,
  evaluate: SearchOptions["evaluate"],
): SearchOptions {
  const { activations } = maxima;
  // With one channel the scale is all that a factor could be.
  const rules = activations.length > 1 ? asked : [];
  return {
    one: groupChannels(activations, "one", groups),
    groupings: rules
      .map((rule) => groupChannels(activations, rule, groups))
      .filter(({ magnitudes }) => magnitudes.length > 1),
    range: (magnitude) => alphaRange(magnitude, weightBits, bits, scales),
    evaluate,
    evaluations: rules.length === 0 ? 1 : evaluations,
  };
}

/** A unit that factors are tried with. */
export interface OpenUnit {
  readonly maxima: UnitPlan["maxima"];
  /** Of its codes of activations. */
  readonly bits: number;
  /** What its weights share a scale in. */
  readonly scales: "tensor" | "channel";
  attempt(factors: Float32Array | null): Promise<Attempt>;
  close(): Promise<void>;
}

/** See planUnit. */
export async function openUnit(
  kernels: Kernels,
  engine: Engine,
  unit: Unit & { readonly weight: UnitWeight },
  samples: UnitSamples,
  weights: Float32Array,
  options: UnitOptions,
): Promise<OpenUnit> {
  const { weight } = unit;
  const steps = stepsForUnit(options.steps, options.packedAs ?? weight);
  const at = channelsOf(weight.shape, weight.inputAxis);
  const maxima = {
    activations: known(await maximaIn(`the input of unit "${unit.name}"`, kernels, samples.data, samples.at)),
    weights: await maximaIn(`tensor "${weight.name}"`, kernels, weights, at),
  };
  const products = weights.length / (weight.shape.at(weight.outputAxis) as number);
  const bits = activationBits(options, products);
  const only = await engine.only(unit.name);
  return {
    maxima,
    bits,
    scales: scalesOf(steps),
    async attempt(factors) {
      options.signal?.throwIfAborted();
      const scaled = factors ? await multiplied(kernels, weights, at, factors) : weights;
      const { data: packed } = await throughSteps(kernels, tensorOver(weight.name, weight.shape, scaled), steps);
      const ones = factors ?? new Float32Array(samples.at.channels).fill(1);
      const codes = codesFor(kernels, samples.data, samples.at, ones, { ...options, bits });
      const edit = { weight: packed, input: { ...(factors && { factors }), codes } };
      const loss = await lossOf(only, unit, samples, edit);
      return { factors, codes, weights: scaled, packed, loss };
    },
    close: () => only.close(),
  };
}

function scalesOf(steps: readonly Step[]): "tensor" | "channel" {
  return steps.some((step) => step.op === "quantize" && step.per === "tensor") ? "tensor" : "channel";
}

async function maximaIn(what: string, ...from: Parameters<typeof channelMaxima>): Promise<Float32Array> {
  try {
    return await channelMaxima(...from);
  } catch (error) {
    throw error instanceof DataError ? new DataError(`${what}: ${error.message}`) : error;
  }
}

// A factor for a channel that was never awake would be tiny, and clip it when it wakes.
function known(maxima: Float32Array): Float32Array {
  const awake = maxima.filter((x) => x > 0).sort();
  const median = awake[awake.length >> 1] ?? 0;
  return maxima.map((x) => (x > 0 ? x : median));
}

async function lossOf(
  only: Engine,
  unit: Unit,
  { inputs, outputs }: UnitSamples,
  { weight, input }: { weight: Float32Array; input: InputEdit },
): Promise<number> {
  const edited = await only.withWeights({
    weights: new Map([[unit.weight?.name as string, weight]]),
    inputs: new Map([[unit.name, input]]),
  });
  let [error, signal] = [0, 0];
  try {
    for (const [i, values] of inputs.entries()) {
      const original = outputs[i] as Value;
      const given = (await edited.run(values)).get(unit.output) as Value;
      const sums = squares(original.data, given.data);
      error += sums.error;
      signal += sums.signal;
    }
  } finally {
    await edited.close();
  }
  return relative(error, signal);
}

/** The factors of a set of coefficients: s = max|a|^alpha / max|w|^(1 - alpha), 1 in groups that have none. */
export function factorsOf(
  kernels: Kernels,
  { activations, weights }: UnitPlan["maxima"],
  { grouping, alphas }: CoefficientSet,
  powers: boolean,
): Float32Array {
  const n = activations.length;
  const { floats, planes, values, scratch, kept } = kernels.arena(4 * n, "encode");
  const put = (at: number, data: ArrayBufferView): void =>
    kernels.bytes().set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
  put(floats, activations);
  put(planes, weights);
  put(values, grouping.groups);
  put(
    scratch,
    Float64Array.from(alphas, (alpha) => alpha ?? -1),
  );
  kernels.run.smoothFactors(floats, planes, values, scratch, n, powers ? 1 : 0, kept);
  return new Float32Array(kernels.bytes().slice(kept, kept + 4 * n).buffer);
}
