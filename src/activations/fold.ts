import type { Edits, Engine, Values } from "../engine/engine.ts";
import type { Kernels } from "../kernels.ts";
import { elementCount, type LazyTensor, type Model, narrow, readElements, widen } from "../tensor.ts";
import { channelsOf, divided, multiplied } from "./channels.ts";
import { type Fold, foldsIn } from "./folding.ts";
import { type Job, jobsOf, type PlanOptions } from "./jobs.ts";
import { sampleUnits, type UnitSamples } from "./samples.ts";
import { type CoefficientSet, type SearchResult, searchCoefficients } from "./search.ts";
import { factorsOf, type OpenUnit, openUnit, searchOptions } from "./unit.ts";

// Factors that need no division when the model runs: what makes a value is divided by them once, and the weights of all units that take it are multiplied.

/** A value that is divided where it is made. */
export interface Folded {
  /** The unit that makes it, and those that take it. */
  readonly maker: string;
  readonly users: readonly string[];
  /** Losses are sums over the users. */
  readonly search: SearchResult;
  readonly factors: Float32Array;
}

export interface FoldedModel {
  readonly folds: readonly Folded[];
  /** With other weights, that computes what the original does: exactly so if factors are powers of two. */
  readonly model: Model;
  /** The same; edits come on top of those weights. Closing it leaves the given engine open. */
  readonly engine: Engine;
}

/**
 * Looks for factors of values that several units may take, and puts them into the weights on both sides. For no unit the loss is above what it is without
 * factors, given what it is given in the original.
 * @throws as planModel
 */
export async function foldModel(
  kernels: Kernels,
  engine: Engine,
  model: Model,
  batches: () => AsyncIterable<Values>,
  options: PlanOptions,
): Promise<FoldedModel> {
  const description = await engine.describe();
  const jobs = new Map(jobsOf(model, description.units, options).map((job) => [job.unit.name, job]));
  const free = [...jobs.values()].filter(({ rules }) => rules.length > 0);
  const tensors = new Map(model.tensors.map((tensor) => [tensor.name, tensor]));
  const folds = foldsIn(description, new Set(free.map(({ unit }) => unit.name))).filter(({ maker }) =>
    maker.scales.parameters.every(({ name }) => tensors.has(name)),
  );
  const users = folds.flatMap(({ users }) => users);
  const samples = await sampleUnits(engine, users, batches(), options.signal);
  const weights = weightsOver(kernels, tensors);
  const found: Folded[] = [];
  for (const [i, fold] of folds.entries()) {
    const own = fold.users.map(({ name }) => jobs.get(name) as Job);
    const { search, factors } = await sharedFactors(kernels, engine, own, samples, weights, options);
    options.onProgress?.({ done: i + 1, total: folds.length, unit: fold.maker.name });
    if (!factors) continue;
    found.push({ maker: fold.maker.name, users: own.map(({ unit }) => unit.name), search, factors });
    await weights.fold(fold, factors);
  }
  return { folds: found, model: withTensors(model, weights.changed), engine: engineWith(engine, weights.changed) };
}

type Weights = ReturnType<typeof weightsOver>;

function weightsOver(kernels: Kernels, tensors: ReadonlyMap<string, LazyTensor>) {
  const changed = new Map<string, Float32Array>();
  const read = async (name: string): Promise<Float32Array> => {
    const tensor = tensors.get(name) as LazyTensor;
    return changed.get(name) ?? widen(tensor.dtype, await readElements(tensor, 0, elementCount(tensor.shape)));
  };
  const shapeOf = (name: string): readonly number[] => (tensors.get(name) as LazyTensor).shape;
  const set = (name: string, data: Float32Array): unknown => {
    const { dtype } = tensors.get(name) as LazyTensor;
    // As the model will have them.
    return changed.set(name, widen(dtype, narrow(dtype, data)));
  };
  async function fold({ maker, users }: Fold, factors: Float32Array): Promise<void> {
    for (const { name, axis } of maker.scales.parameters)
      set(name, divided(kernels, await read(name), channelsOf(shapeOf(name), axis), factors));
    for (const { weight } of users) {
      const at = channelsOf(weight.shape, weight.inputAxis);
      set(weight.name, await multiplied(kernels, await read(weight.name), at, factors));
    }
  }
  return { changed, read, fold };
}

/** Of a value: with them no unit is worse than without. */
async function sharedFactors(
  kernels: Kernels,
  engine: Engine,
  jobs: readonly Job[],
  samples: ReadonlyMap<string, UnitSamples>,
  weights: Weights,
  options: PlanOptions,
): Promise<{ search: SearchResult; factors: Float32Array | null }> {
  const open: OpenUnit[] = [];
  try {
    for (const { unit, ...own } of jobs) {
      const data = await weights.read(unit.weight.name);
      const all = { ...options, ...own };
      open.push(await openUnit(kernels, engine, unit, samples.get(unit.name) as UnitSamples, data, all));
    }
    const first = open[0] as OpenUnit;
    const activations = first.maxima.activations;
    const maxima = {
      activations,
      weights: activations.map((_, i) => Math.max(...open.map((unit) => unit.maxima.weights[i] as number))),
    };
    const bare: number[] = [];
    const evaluate = async (set: CoefficientSet | null): Promise<number> => {
      const factors = set && factorsOf(kernels, maxima, set, options.powers === true);
      let sum = 0;
      for (const [i, unit] of open.entries()) {
        const { loss } = await unit.attempt(factors);
        if (!set) bare[i] = loss;
        if (loss > (bare[i] as number)) return Number.POSITIVE_INFINITY;
        sum += loss;
      }
      return sum;
    };
    const own = { ...options, ...(jobs[0] as Job) };
    const search = await searchCoefficients(searchOptions({ ...first, maxima }, own, evaluate));
    return { search, factors: search.best && factorsOf(kernels, maxima, search.best, options.powers === true) };
  } finally {
    for (const unit of open) await unit.close();
  }
}

function withTensors(model: Model, changed: ReadonlyMap<string, Float32Array>): Model {
  const tensors = model.tensors.map((tensor): LazyTensor => {
    const data = changed.get(tensor.name);
    return data ? { ...tensor, read: async (first, end) => narrow(tensor.dtype, data.subarray(first, end)) } : tensor;
  });
  return { ...model, tensors };
}

/** Edits of the engine that is given replace all others; edits of this one come on top. */
function engineWith(engine: Engine, changed: ReadonlyMap<string, Float32Array>): Engine {
  const edited = ({ weights = new Map(), inputs }: Edits): Promise<Engine> =>
    engine.withWeights({ weights: new Map([...changed, ...weights]), ...(inputs && { inputs }) });
  let bare: Promise<Engine> | undefined;
  const opened = (): Promise<Engine> => {
    bare ??= edited({});
    return bare;
  };
  return {
    runtime: engine.runtime,
    describe: (sample) => engine.describe(sample),
    run: async (inputs, tap) => (await opened()).run(inputs, tap),
    withWeights: edited,
    only: async (unit) => (await opened()).only(unit),
    close: async () => (await bare)?.close(),
  };
}
