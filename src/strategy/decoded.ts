import { tensorOver, throughSteps } from "../codec/through.ts";
import type { Kernels } from "../kernels.ts";
import { printSteps, type Step } from "../plan.ts";
import { floatsOf, type LazyTensor } from "../tensor.ts";

// What tensors are after steps, the last ones kept: a choice is weighed, and tried, and tried again around another model.

/** Bytes that are kept. */
const ROOM = 1 << 26;

/** A tensor, as tables have it. */
interface Weight {
  readonly tensor: LazyTensor;
}

export type Decoded = (weight: Weight, steps: readonly Step[]) => Promise<Float32Array>;

/** The values that a file would give back, which must not be changed. They throw as throughSteps. */
export function decodedTensors(kernels: Kernels): Decoded {
  const kept = new Map<string, Float32Array>();
  let bytes = 0;
  return async (weight, steps) => {
    const { name, shape } = weight.tensor;
    const key = JSON.stringify([name, printSteps(steps)]);
    const known = kept.get(key);
    if (known) return known;
    const { data } = await throughSteps(kernels, tensorOver(name, shape, await floatsOf(weight.tensor)), steps);
    kept.set(key, data);
    bytes += data.byteLength;
    for (const [oldest, { byteLength }] of kept) {
      if (bytes <= ROOM || oldest === key) break;
      kept.delete(oldest);
      bytes -= byteLength;
    }
    return data;
  };
}
