import { cutLayout } from "../codec/cut.ts";
import { type Asked, prunedBlocks } from "../codec/inputs.ts";
import { expand, removedChannels } from "../codec/removed.ts";
import { prepareAll } from "../codec/resolve.ts";
import { resolveTarget } from "../codec/target.ts";
import { tensorOver, throughSteps } from "../codec/through.ts";
import { DataError } from "../errors.ts";
import type { Kernels } from "../kernels.ts";
import { type Plan, prunesCodes, type QuantizeStep, type Rule, type Step, stepsFor, type Target } from "../plan.ts";
import { elementCount, type TensorInfo } from "../tensor.ts";
import { moveSize, type StepSize, sizeGradient, stepSize } from "./size.ts";

// The weights that a file would give back, in place of those that are trained: training sees what packing will do.

/** "fixed": the step sizes that targets choose in the beginning stay. "learned": they are trained, too. */
export type StepSizes = "fixed" | "learned";

export type Weights = ReadonlyMap<string, Float32Array>;

export interface Projection {
  /** What the model runs with in place of those of the weights that the plan changes. */
  project(weights: Weights): Promise<Weights>;
  /** The weights with what is pruned at zero: what is to be packed. */
  kept(weights: Weights): Weights;
  /** Clears gradients of what is pruned, and moves the step sizes that are learned. @param gradients - at what was projected last */
  learn(gradients: Weights, rate: number): void;
  /** Rules that pack the weights kept to exactly what project makes of them. */
  plan(): Plan;
  /** All that later steps depend on. */
  state(): Map<string, Float32Array>;
  /** @throws DataError for the state of another projection */
  restore(state: Weights): void;
}

interface Projected {
  readonly info: TensorInfo;
  steps: readonly Step[];
  /** 0 where an element is pruned, else 1; null: nothing is. */
  readonly mask: Float32Array | null;
  /** What a target chose in the beginning; null: there is none. */
  readonly start: number | null;
  size: StepSize | null;
  /** What was projected last, and what it became. */
  last: { readonly given: Float32Array; readonly projected: Float32Array } | null;
}

/**
 * @param weights - as they are before training, by name; all that the plan decides over together
 * @param plan - as for pack. What is pruned in the beginning stays so
 * @throws PlanError, DataError as pack
 */
export async function projectionOf(
  kernels: Kernels,
  infos: readonly TensorInfo[],
  weights: Weights,
  plan: Plan,
  sizes: StepSizes,
): Promise<Projection> {
  const all = new Map<string, Projected>();
  const changed = infos.filter((info) => stepsFor(plan, info).some(({ op }) => op !== "code"));
  const given = changed.map((info): Asked => {
    const { name, shape } = info;
    return { tensor: tensorOver(name, shape, weights.get(name) as Float32Array), steps: stepsFor(plan, info) };
  });
  const prepared = await prepareAll(kernels, given);
  for (const [i, info] of changed.entries()) all.set(info.name, await begin(kernels, info, prepared[i] as Asked));
  return {
    project: (given) => projectAll(kernels, all, given),
    kept: (given) => new Map([...given].map(([name, data]) => [name, masked(data, all.get(name)?.mask ?? null)])),
    learn(gradients, rate) {
      for (const [name, entry] of all) {
        const gradient = gradients.get(name);
        if (gradient) learnOne(entry, gradient, sizes === "learned" ? rate : 0);
      }
    },
    plan: () => exactPlan(all, plan),
    state: () => new Map([...all].flatMap(([name, { size }]) => (size ? [[name, stateOf(size)] as const] : []))),
    restore: (state) => restoreAll(all, state),
  };
}

/** What packing decides by the weights, decided once: which elements are pruned, and step sizes. */
async function begin(kernels: Kernels, info: TensorInfo, prepared: Asked): Promise<Projected> {
  const mask = prepared.steps.some(({ op }) => op === "prune") ? await maskOf(kernels, prepared) : null;
  const steps = mask ? prepared.steps.map((step) => ofOneTensor(step, mask)) : prepared.steps;
  const { levels } = await resolveTarget(kernels, prepared);
  if (!levels) return { info, steps, mask, start: null, size: null, last: null };
  const size = stepSize(levels.scale);
  return { info, steps: withSize(steps, size.value), mask, start: size.value, size, last: null };
}

/** 0 for what is pruned, or was zero before. */
async function maskOf(kernels: Kernels, prepared: Asked): Promise<Float32Array> {
  const { tensor, steps } = prepared;
  const mask = new Float32Array(elementCount(tensor.shape));
  let at = 0;
  for await (const block of (await prunedBlocks(kernels, prepared, cutLayout(tensor, steps)))()) {
    for (let i = 0; i < block.length; i++) mask[at + i] = block[i] === 0 ? 0 : 1;
    at += block.length;
  }
  const removed = removedChannels(steps);
  if (removed.length > 0) expand(mask, tensor, removed);
  return mask;
}

/** A share of all tensors together as the share of this one. */
function ofOneTensor(step: Step, mask: Float32Array): Step {
  if (step.op !== "prune" || step.by !== "magnitude" || step.over !== "model") return step;
  const zeros = mask.reduce((count, kept) => count + 1 - kept, 0);
  return { ...step, sparsity: zeros / Math.max(mask.length, 1), over: "tensor" };
}

async function projectAll(kernels: Kernels, all: ReadonlyMap<string, Projected>, weights: Weights): Promise<Weights> {
  const out = new Map<string, Float32Array>();
  for (const [name, entry] of all) {
    const data = weights.get(name);
    if (!data) continue;
    const given = masked(data, entry.mask);
    const tensor = tensorOver(name, entry.info.shape, given);
    const { data: projected } = await throughSteps(kernels, tensor, unpruned(entry.steps));
    entry.last = { given, projected };
    out.set(name, projected);
  }
  return out;
}

/** Without pruning where it would only find the zeros that there are: it takes longer than the rest. Channels that are removed leave other groups. */
function unpruned(steps: readonly Step[]): readonly Step[] {
  return prunesCodes(steps) ? steps : steps.filter((step) => step.op !== "prune" || step.by === "removed");
}

/** @param rate - of the step size; 0: it stays */
function learnOne(entry: Projected, gradient: Float32Array, rate: number): void {
  const { size, start, last, mask } = entry;
  if (rate > 0 && size && start !== null && last) {
    moveSize(size, sizeGradient(last.given, last.projected, gradient), rate, start);
    entry.steps = withSize(entry.steps, size.value);
  }
  if (mask) for (let i = 0; i < mask.length; i++) gradient[i] = (gradient[i] as number) * (mask[i] as number);
}

function masked(data: Float32Array, mask: Float32Array | null): Float32Array {
  if (!mask) return data;
  const out = new Float32Array(data.length);
  for (let i = 0; i < out.length; i++) out[i] = mask[i] === 0 ? 0 : (data[i] as number);
  return out;
}

/** A rule for each tensor. Names with wildcards stand last, since their rules may take others, too. */
function exactPlan(all: ReadonlyMap<string, Projected>, plan: Plan): Plan {
  const entries = [...all].sort(([a], [b]) => Number(/[*?]/.test(a)) - Number(/[*?]/.test(b)));
  const rules = [...entries.map(([name, { steps }]): Rule => ({ name, steps })), ...plan];
  const wrong = entries.find(([, { info, steps }]) => stepsFor(rules, info) !== steps);
  if (wrong) throw new DataError(`no rule can be made for the tensor "${wrong[0]}" alone: its name has wildcards`);
  return rules;
}

const stateOf = ({ value, first, second, count }: StepSize): Float32Array =>
  Float32Array.of(value, first, second, count);

function restoreAll(all: ReadonlyMap<string, Projected>, state: Weights): void {
  for (const [name, entry] of all) {
    if (!entry.size) continue;
    const [value, first, second, count] = state.get(name) ?? [];
    if (value === undefined || first === undefined || second === undefined || count === undefined)
      throw new DataError(`the state has no step size of "${name}": it is another run's`);
    entry.size = { value, first, second, count };
    entry.steps = withSize(entry.steps, value);
  }
}

const isQuantize = (step: Step): step is QuantizeStep => step.op === "quantize";

function withSize(steps: readonly Step[], value: number): readonly Step[] {
  const target: Target = { by: "step", value };
  return steps.map((step) => (isQuantize(step) ? { ...step, target } : step));
}
