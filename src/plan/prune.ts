import { PlanError } from "../errors.ts";
import type { TensorInfo } from "../tensor.ts";
import { type StepParser, wholeNumber } from "./words.ts";

/** Zero the elements of least magnitude, this share of the tensor or of all tensors that the rule takes. */
export interface PruneMagnitude {
  readonly op: "prune";
  readonly by: "magnitude";
  /** 0 <= sparsity <= 1; round(sparsity * elements) elements become zero. */
  readonly sparsity: number;
  readonly over: "tensor" | "model";
}

/** In every `of` neighbours along an axis keep the `keep` elements of largest magnitude; the rest become zero. */
export interface PrunePattern {
  readonly op: "prune";
  readonly by: "pattern";
  /** 1 <= keep < of <= 32. */
  readonly keep: number;
  readonly of: number;
  /** null: the input axis, which is dimension 1, or 0 where there is no other. */
  readonly axis: number | null;
}

/** Remove the channels (indices of the first dimension) of least L2 norm, this share of them. Made concrete before packing. */
export interface PruneChannels {
  readonly op: "prune";
  readonly by: "channels";
  /** 0 < sparsity < 1. */
  readonly sparsity: number;
}

/** Runs of indices, ascending, with gaps between them: [first, last] of each. */
export type Ranges = readonly (readonly [first: number, last: number])[];

/** These channels are removed: zero, and not stored. */
export interface PruneRemoved {
  readonly op: "prune";
  readonly by: "removed";
  readonly channels: Ranges;
}

export type PruneStep = PruneMagnitude | PrunePattern | PruneChannels | PruneRemoved;

const MAX_PATTERN = 32;
const MAX_DIMENSION = 15;
/** Removed channels per kept one: what bounds the zeros that a small file can ask its reader for. */
const MAX_REMOVED = 4096;

export const parsePrune: StepParser<PruneStep> = (words) => {
  const [first = "", second, third] = words;
  const pattern = /^(\d{1,2}):(\d{1,2})$/.exec(first);
  if (pattern) return parsePattern(Number(pattern[1]), Number(pattern[2]), words.slice(1));
  if (first === "channels") return words.length === 2 ? parseChannels(second as string) : undefined;
  const sparsity = Number(first);
  const over = second === undefined ? "tensor" : second === "global" ? "model" : undefined;
  const valid = sparsity >= 0 && sparsity <= 1 && over !== undefined && third === undefined && words.length > 0;
  return valid ? { op: "prune", by: "magnitude", sparsity, over } : undefined;
};

function parsePattern(keep: number, of: number, rest: readonly string[]): PrunePattern | undefined {
  if (keep < 1 || keep >= of || of > MAX_PATTERN) return undefined;
  if (rest.length === 0) return { op: "prune", by: "pattern", keep, of, axis: null };
  const axis = wholeNumber(rest[1], 0, MAX_DIMENSION);
  if (rest[0] !== "axis" || axis === undefined || rest.length > 2) return undefined;
  return { op: "prune", by: "pattern", keep, of, axis };
}

// A share lies between 0 and 1, so whole numbers can only be indices.
function parseChannels(word: string): PruneChannels | PruneRemoved | undefined {
  if (!/^\d{1,15}(-\d{1,15})?(,\d{1,15}(-\d{1,15})?)*$/.test(word)) {
    const sparsity = Number(word);
    return sparsity > 0 && sparsity < 1 ? { op: "prune", by: "channels", sparsity } : undefined;
  }
  const channels: [number, number][] = [];
  for (const run of word.split(",")) {
    const [first = 0, last = first] = run.split("-").map(Number);
    const before = channels[channels.length - 1];
    if (last < first || (before && first <= before[1])) return undefined;
    if (before && first === before[1] + 1) before[1] = last;
    else channels.push([first, last]);
  }
  return { op: "prune", by: "removed", channels };
}

export function printPrune(step: PruneStep): string {
  if (step.by === "magnitude") return `prune ${step.sparsity}${step.over === "model" ? " global" : ""}`;
  if (step.by === "pattern") {
    return `prune ${step.keep}:${step.of}${step.axis === null ? "" : ` axis ${step.axis}`}`;
  }
  return `prune channels ${step.by === "channels" ? step.sparsity : printRanges(step.channels)}`;
}

function printRanges(ranges: Ranges): string {
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(",");
}

/** Count of the indices in ranges. */
export function rangesCount(ranges: Ranges): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

/** The dimension along which a pattern runs. */
export function patternAxis({ axis }: PrunePattern, shape: readonly number[]): number {
  return axis ?? Math.min(1, shape.length - 1);
}

/** Throws a PlanError if a tensor cannot be pruned so. @param quantized - whether codes are what is stored */
export function checkPrune(step: PruneStep, { name, dtype, shape }: TensorInfo, quantized: boolean): void {
  const whole = step.by === "channels" || step.by === "removed";
  if (!whole && dtype === "F64" && !quantized) {
    throw new PlanError(`tensor "${name}" is F64: prune needs int8 or int4 behind it`);
  }
  if (step.by === "magnitude") return;
  const axis = step.by === "pattern" ? patternAxis(step, shape) : 0;
  if (axis < 0 || axis >= shape.length) {
    throw new PlanError(`tensor "${name}" of shape [${shape}] has no dimension for "${printPrune(step)}"`);
  }
  if (step.by === "removed") checkRemoved(step.channels, name, shape);
}

function checkRemoved(channels: Ranges, name: string, shape: readonly number[]): void {
  const all = shape[0] as number;
  const last = channels[channels.length - 1]?.[1] ?? -1;
  const kept = all - rangesCount(channels);
  if (last >= all) throw new PlanError(`tensor "${name}" has channels 0-${all - 1}: ${last} cannot be removed`);
  if (kept < 1) throw new PlanError(`tensor "${name}": all of its ${all} channels are removed: keep one at least`);
  if (all > (MAX_REMOVED + 1) * kept) {
    throw new PlanError(`tensor "${name}": at most ${MAX_REMOVED} channels can be removed for each that is kept`);
  }
}
