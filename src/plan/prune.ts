import type { StepParser } from "./words.ts";

/** Zero the elements of least magnitude, this share of the tensor. */
export interface PruneStep {
  readonly op: "prune";
  /** 0 <= sparsity <= 1; round(sparsity * elements) elements become zero. */
  readonly sparsity: number;
}

export const parsePrune: StepParser<PruneStep> = (words) => {
  const sparsity = Number(words[0]);
  return words.length === 1 && sparsity >= 0 && sparsity <= 1 ? { op: "prune", sparsity } : undefined;
};

export function printPrune({ sparsity }: PruneStep): string {
  return `prune ${sparsity}`;
}
