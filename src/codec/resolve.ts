import type { Kernels } from "../kernels.ts";
import type { PruneChannels, PruneMagnitude, Step } from "../plan.ts";
import { elementCount } from "../tensor.ts";
import { leastChannels } from "./channels.ts";
import { type Asked, type Resolved, valuesToPrune } from "./inputs.ts";
import { countTies, findThreshold, type Source, type Threshold } from "./prune.ts";
import { blocksOf, named } from "./values.ts";

// From steps as asked to steps as done: what only the data of a tensor, or of several, can tell.

/**
 * Chooses the channels of `prune channels S`, and the thresholds of `prune S global`: one magnitude over all tensors that have the
 * same array of steps, as those have that one rule of a plan takes. Reads only the tensors of such steps.
 * @throws DataError, with the tensor's name, on NaN or infinity; the signal's reason
 */
export async function resolveSteps(kernels: Kernels, all: readonly Asked[], signal?: AbortSignal): Promise<Resolved[]> {
  const thresholds = await globalThresholds(kernels, all, signal);
  const resolved: Resolved[] = [];
  for (const asked of all) {
    signal?.throwIfAborted();
    const steps = await chooseChannels(kernels, asked);
    resolved.push({ tensor: asked.tensor, steps, threshold: thresholds.get(asked) ?? null });
  }
  return resolved;
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
