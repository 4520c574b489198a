import { tensorOver, throughSteps } from "../codec/through.ts";
import type { Kernels } from "../kernels.ts";
import { AUTO, type Plan, type QuantizeStep, type Rule, type Step, stepsFor, type Target } from "../plan.ts";
import type { TensorInfo } from "../tensor.ts";

// The weights that a file would give back, in place of those that are trained: training sees what packing will do.

/** "fixed": the step sizes that targets choose in the beginning stay. "learned": they are trained, too. */
export type StepSizes = "fixed" | "learned";

type Weights = ReadonlyMap<string, Float32Array>;

export interface Projection {
  /** What the model runs with. */
  project(weights: Weights): Promise<Weights>;
  /** The weights with what is pruned at zero: what is to be packed. */
  kept(weights: Weights): Weights;
  /** Keeps what is pruned, and moves the step sizes that are learned. @param rate - of learning */
  learn(gradients: Weights, rate: number): void;
  /** Rules that pack weights to exactly what project makes of them. */
  plan(): Plan;
  /** All that later steps depend on. */
  state(): Map<string, Float32Array>;
  restore(state: Weights): void;
}

interface Projected {
  readonly info: TensorInfo;
  steps: readonly Step[];
  /** 0 where an element is pruned, else 1; null: nothing is. */
  readonly mask: Float32Array | null;
  /** Of a target, with the moments of Adam if it is learned. */
  size: StepSize | null;
  /** Elements as they are trained, as they were projected last. */
  last: Float32Array | null;
}

interface StepSize {
  value: number;
  first: number;
  second: number;
  count: number;
}

/**
 * @param weights - as they are before training, by name
 * @param plan - as for pack. What is pruned in the beginning stays so
 */
export async function projectionOf(
  kernels: Kernels,
  infos: readonly TensorInfo[],
  weights: Weights,
  plan: Plan,
  sizes: StepSizes,
): Promise<Projection> {
  const all = new Map<string, Projected>();
  for (const info of infos) {
    const steps = stepsFor(plan, info);
    if (steps.every(({ op }) => op === "code")) continue;
    all.set(info.name, await begin(kernels, info, weights.get(info.name) as Float32Array, steps));
  }
  return {
    project: (given) => projectAll(kernels, all, given),
    kept: (given) => new Map([...given].map(([name, data]) => [name, masked(data, all.get(name)?.mask ?? null)])),
    learn(gradients, rate) {
      for (const [name, entry] of all) {
        const gradient = gradients.get(name);
        if (gradient) learnOne(entry, gradient, sizes === "learned" ? rate : 0);
      }
    },
    plan: () => [...[...all].map(([name, { steps }]): Rule => ({ name, steps })), ...plan],
    state: () => new Map([...all].flatMap(([name, { size }]) => (size ? [[name, stateOf(size)] as const] : []))),
    restore(state) {
      for (const [name, [value = 0, first = 0, second = 0, count = 0]] of state) {
        const entry = all.get(name);
        if (!entry) continue;
        entry.size = { value, first, second, count };
        entry.steps = withSize(entry.steps, value);
      }
    },
  };
}

async function projectAll(kernels: Kernels, all: ReadonlyMap<string, Projected>, given: Weights): Promise<Weights> {
  const out = new Map<string, Float32Array>();
  for (const [name, entry] of all) {
    const data = given.get(name);
    if (!data) continue;
    entry.last = masked(data, entry.mask);
    const through = await throughSteps(kernels, tensorOver(name, entry.info.shape, entry.last), entry.steps);
    out.set(name, through.data);
  }
  return out;
}

/** @param rate - of the step size; 0: it stays */
function learnOne(entry: Projected, gradient: Float32Array, rate: number): void {
  if (rate > 0 && entry.size && entry.last) {
    moveSize(entry.size, sizeGradient(entry, gradient), rate);
    entry.steps = withSize(entry.steps, entry.size.value);
  }
  entry.mask?.forEach((kept, i) => {
    gradient[i] = (gradient[i] as number) * kept;
  });
}

function masked(data: Float32Array, mask: Float32Array | null): Float32Array {
  return mask ? data.map((x, i) => x * (mask[i] as number)) : data;
}

const stateOf = ({ value, first, second, count }: StepSize): Float32Array =>
  Float32Array.of(value, first, second, count);

async function begin(
  kernels: Kernels,
  info: TensorInfo,
  weights: Float32Array,
  steps: readonly Step[],
): Promise<Projected> {
  const tensor = tensorOver(info.name, info.shape, weights);
  const prune = steps.find(({ op }) => op === "prune");
  const mask = prune ? (await throughSteps(kernels, tensor, [prune, AUTO])).data.map((x) => (x === 0 ? 0 : 1)) : null;
  const { step } = await throughSteps(kernels, tensor, steps);
  if (step === null) return { info, steps, mask, size: null, last: null };
  const size = { value: step, first: 0, second: 0, count: 0 };
  return { info, steps: withSize(steps, step), mask, size, last: null };
}

const isQuantize = (step: Step): step is QuantizeStep => step.op === "quantize";

function withSize(steps: readonly Step[], value: number): readonly Step[] {
  const target: Target = { by: "step", value };
  return steps.map((step) => (isQuantize(step) ? { ...step, target } : step));
}

/**
 * The derivative of the loss by the step size, where rounding counts as if it were not there: an element x of level q adds its gradient times
 * q - x / size (Esser et al., "Learned Step Size Quantization", 2020, with their scale for the gradient, 1 / sqrt(elements * largest level)).
 */
function sizeGradient({ last, size, steps }: Projected, gradient: Float32Array): number {
  const { value } = size as StepSize;
  const most = 2 ** ((steps.find(isQuantize)?.bits ?? 8) - 1) - 1;
  let sum = 0;
  let largest = 1;
  (last as Float32Array).forEach((x, i) => {
    const level = Math.min(Math.max(Math.round(x / value), -most), most);
    largest = Math.max(largest, Math.abs(level));
    const inside = Math.abs(x / value) <= most;
    sum += (gradient[i] as number) * (inside ? level - x / value : level);
  });
  return sum / Math.sqrt(gradient.length * largest);
}

/** By Adam, in steps of the size itself: it stays above zero. State is kept as f32, so that a saved one goes on alike. */
function moveSize(size: StepSize, gradient: number, rate: number): void {
  size.count++;
  size.first = Math.fround(0.9 * size.first + 0.1 * gradient);
  size.second = Math.fround(0.999 * size.second + 0.001 * gradient * gradient);
  const mean = size.first / (1 - 0.9 ** size.count);
  const square = size.second / (1 - 0.999 ** size.count);
  const change = (rate * mean) / (Math.sqrt(square) + 1e-12);
  size.value = Math.fround(size.value * Math.exp(-Math.min(Math.max(change, -0.1), 0.1)));
}
