import type { Kernels } from "../kernels.ts";
import { checkSteps, type PruneChannels, type PruneMagnitude, type Step } from "../plan.ts";
import { elementCount, type LazyTensor } from "../tensor.ts";
import { leastChannels } from "./channels.ts";
import { tensorFactors } from "./factors.ts";
import { type Asked, type Resolved, valuesToPrune } from "./inputs.ts";
import { countTies, findThreshold, type Source, type Threshold } from "./prune.ts";
import { resolveTarget } from "./target.ts";
import { blocksOf, named } from "./values.ts";

// From steps as asked to steps as done: what only the data of a tensor, or of several, can tell.

/**
 * The steps as a file says them: `prune channels S` becomes the channels that it takes, and int8 becomes int16 where a target needs levels
 * beyond 127. Reads the tensor a few times, if at all.
 * @throws DataError if a value is not finite or the target is finer than int16 can be
 */
export async function resolveSteps(
  kernels: Kernels,
  tensor: LazyTensor,
  steps: readonly Step[],
): Promise<readonly Step[]> {
  return (await resolveOne(kernels, tensor, steps)).steps;
}

/** The same, with all else that encoding needs. */
export async function resolveOne(kernels: Kernels, tensor: LazyTensor, steps: readonly Step[]): Promise<Resolved> {
  const [resolved] = await resolveAll(kernels, [{ tensor, steps }]);
  return resolved as Resolved;
}

/**
 * The same for the tensors of a model: the threshold of `prune S global` is one over all that have the same array of steps, as those have
 * that one rule of a plan takes.
 * @throws DataError, with the tensor's name; the signal's reason
 */
export async function resolveAll(kernels: Kernels, given: readonly Asked[], signal?: AbortSignal): Promise<Resolved[]> {
  const resolved: Resolved[] = [];
  for (const asked of await prepareAll(kernels, given, signal)) {
    signal?.throwIfAborted();
    resolved.push(await resolveTarget(kernels, asked));
  }
  return resolved;
}

/** All of that but what targets choose. */
export async function prepareAll(kernels: Kernels, given: readonly Asked[], signal?: AbortSignal): Promise<Asked[]> {
  const all: Asked[] = [];
  for (const asked of given) {
    signal?.throwIfAborted();
    checkSteps(asked.steps, asked.tensor);
    all.push(await withFactors(kernels, asked));
  }
  const thresholds = await globalThresholds(kernels, all, signal);
  const prepared: Asked[] = [];
  for (const asked of all) {
    signal?.throwIfAborted();
    const steps = await chooseChannels(kernels, asked);
    prepared.push({ ...asked, steps, threshold: thresholds.get(asked) });
  }
  return prepared;
}

async function withFactors(kernels: Kernels, asked: Asked): Promise<Asked> {
  const [step] = asked.steps;
  if (step?.op !== "smooth") return asked;
  return { ...asked, factors: await tensorFactors(kernels, asked.tensor, step, asked.smoothing) };
}

// A share so small that it takes no channel leaves nothing to prune.
async function chooseChannels(kernels: Kernels, asked: Asked): Promise<readonly Step[]> {
  const { tensor, steps } = asked;
  const step = steps.find((one): one is PruneChannels => one.op === "prune" && one.by === "channels");
  if (!step) return steps;
  try {
    const values = await valuesToPrune(kernels, asked);
    const channels = await leastChannels(kernels, values, tensor.shape, step.sparsity);
    const others = steps.filter((one) => one !== step);
    if (channels.length === 0) return others;
    return steps.map((one) => (one === step ? { op: "prune", by: "removed", channels } : one));
  } catch (error) {
    throw named(tensor, error);
  }
}

async function globalThresholds(
  kernels: Kernels,
  all: readonly Asked[],
  signal: AbortSignal | undefined,
): Promise<Map<Asked, Threshold>> {
  const found = new Map<Asked, Threshold>();
  for (const steps of new Set(all.map((asked) => asked.steps))) {
    const step = steps.find((one): one is PruneMagnitude => one.op === "prune" && one.by === "magnitude");
    if (step?.over !== "model") continue;
    const group = all.filter((asked) => asked.steps === steps);
    const sources = group.map((asked) => sourceOf(kernels, asked, signal));
    const count = group.reduce((sum, { tensor }) => sum + elementCount(tensor.shape), 0);
    const { bits, ties } = await findThreshold(kernels, sources, count, step.sparsity);
    let left = ties;
    for (const [i, asked] of group.entries()) {
      const here = left > 0 ? await countTies(kernels, sources[i] as Source, { bits, ties }) : 0;
      found.set(asked, { bits, ties: Math.min(left, here) });
      left = Math.max(left - here, 0);
    }
  }
  return found;
}

function sourceOf(kernels: Kernels, asked: Asked, signal: AbortSignal | undefined): Source {
  const { tensor } = asked;
  return {
    tensor,
    async *blocks() {
      signal?.throwIfAborted();
      yield* blocksOf(await valuesToPrune(kernels, asked), elementCount(tensor.shape));
    },
  };
}
