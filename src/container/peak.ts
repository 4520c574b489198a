import { LoadError } from "../errors/base.ts";
import type { Kernels } from "../kernels/arena.ts";
import { isCore } from "../kernels/core.ts";
import type { Prelude } from "./prelude.ts";

// The most memory that loading takes, reckoned from the prelude alone.

const PAGE = 65536;

/**
 * Bytes that reading a file takes beside the tensors: its header, the memory of the kernels, and chunks on their way.
 * @param window - stored bytes that may be fetched ahead
 */
export function peakBeside(
  kernels: Kernels,
  prelude: Pick<Prelude, "largestStored" | "largestDecoded">,
  headerBytes: number,
  window: number,
): number {
  const { largestStored, largestDecoded } = prelude;
  // Core kernels leave what they cannot decode to others, with a memory of their own.
  const memories = isCore(kernels) ? 2 : 1;
  const arena = memories * Math.ceil(kernels.arena(largestDecoded, "decode").end / PAGE) * PAGE;
  // The window is full when the chunk that filled it has begun, the one that is decoded included.
  return headerBytes + arena + Math.max(window, largestStored) + largestStored;
}

/** @throws LoadError if a budget is smaller than what is needed */
export function demandBudget(budget: number | undefined, needed: number, what: string): void {
  if (budget === undefined || needed <= budget) return;
  throw new LoadError("budget", `${what} takes up to ${needed} bytes of memory, more than the budget of ${budget}`);
}
