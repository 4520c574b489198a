import type { Kernels } from "../kernels.ts";
import type { PruneChannels, PruneMagnitude, Step } from "../plan.ts";
import { elementCount } from "../tensor.ts";
import { leastChannels } from "./channels.ts";
import { type Asked, named, type Resolved, valuesToPrune } from "./inputs.ts";
import { type Blocks, countTies, findThreshold, type Threshold } from "./prune.ts";
import { blocksOf } from "./values.ts";

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
    const count = group.reduce((sum, { tensor }) => sum + elementCount(tensor.shape), 0);
    const threshold = await findThreshold(kernels, blocksOfAll(kernels, group, signal), count, step.sparsity);
    let left = threshold.ties;
    for (const asked of group) {
      const ties =
        left > 0 ? Math.min(left, await countTies(kernels, blocksOfAll(kernels, [asked], signal), threshold)) : 0;
      found.set(asked, { bits: threshold.bits, ties });
      left -= ties;
    }
  }
  return found;
}

function blocksOfAll(kernels: Kernels, group: readonly Asked[], signal: AbortSignal | undefined): Blocks {
  return async function* () {
    for (const asked of group) {
      signal?.throwIfAborted();
      try {
        const values = await valuesToPrune(kernels, asked);
        yield* blocksOf(values, elementCount(asked.tensor.shape));
      } catch (error) {
        throw named(asked.tensor, error);
      }
    }
  };
}
