import { stepsForUnit } from "../activations/outputs.ts";
import { checkSteps, type PruneStep, parseSteps, printSteps, type QuantizeStep, type Step } from "../plan.ts";
import { isBlocks, isFloat } from "../tensor.ts";
import type { Candidate } from "./candidate.ts";
import type { Weight } from "./job.ts";
import { quantizing } from "./sharing.ts";

// What else could be done to a tensor than what is: parameters of its steps a little up or down, their order, or another kind of scales.

/** Step sizes, by about what they make of the signal; dB. */
const SIGNALS = [4, 7, 10, 13, 16, 19, 22, 25, 29, 33, 38, 44, 50, 56, 62];
/** How far the next ones are. A bit is 6 dB. */
const BITS_AROUND = [-1, -0.5, -0.25, 0.25, 0.5, 1];
const SHARES_AROUND = [-0.2, -0.1, -0.05, 0.05, 0.1, 0.2];
const FIRST_SHARES = [0.3, 0.5, 0.7];
const INTEGERS = ["int8 tensor", "int8 channel"];
const FLOATS = ["int8 channel", "int4 channel", "int4 group 32", "int4 group 64", "int4 group 32 asymmetric"];

export interface How extends Pick<Candidate, "run" | "smooth"> {
  /** Root of the mean square of the tensor's elements. */
  readonly rms: number;
  /** Whether other kinds of steps are wanted, too. */
  readonly ladder: boolean;
}

/** Steps that are near these as far as a tensor can have them; these first, none twice. */
export function choicesNear(steps: readonly Step[], weight: Weight, how: How): readonly (readonly Step[])[] {
  const { quantize, prune } = partsOf(steps);
  const own = ofOneTensor(steps);
  const formats = [...near(quantize, how.rms), ...(how.ladder ? ladderOf(how) : [])].filter((one) => fits(one, how));
  const prunes = sharesNear(prune, how.ladder);
  const found = new Map<string, readonly Step[]>([[printSteps(own), own]]);
  const add = (...parts: (Step | undefined)[]): void => {
    const made = withCode(parts, steps, weight);
    if (made) found.set(printSteps(made), made);
  };
  for (const format of [quantize, ...formats]) add(prune, format);
  for (const share of prunes) add(share, quantize);
  // The same in the other order: codes that are pruned are those of smallest magnitude in units of their scale, not of the tensor.
  if (quantize) for (const share of [prune, ...prunes]) if (share) add(quantize, share);
  add();
  return [...found.values()];
}

/** The same steps, without a share that other tensors have a part in. */
export function ofOneTensor(steps: readonly Step[]): readonly Step[] {
  return steps.map((step) => (step.op === "prune" ? alone(step) : step));
}

/** A share of one tensor: what other tensors get does not decide about it. */
function alone(prune: PruneStep): PruneStep {
  return prune.by === "magnitude" ? { ...prune, over: "tensor" } : prune;
}

function partsOf(steps: readonly Step[]): { quantize: Step | undefined; prune: PruneStep | undefined } {
  const quantize = quantizing(steps);
  const prune = steps.find((step): step is PruneStep => step.op === "prune");
  return { quantize, prune: prune && alone(prune) };
}

/** undefined: the tensor cannot have them. */
function withCode(
  parts: readonly (Step | undefined)[],
  like: readonly Step[],
  { tensor, weight }: Weight,
): readonly Step[] | undefined {
  const lossy = parts.filter((step) => step !== undefined);
  const code = like.find(({ op }) => op === "code") as Step;
  const own = weight ? stepsForUnit([...lossy, code], weight) : [...lossy, code];
  if (lossy.length > 0 && !(isFloat(tensor.dtype) || isBlocks(tensor.dtype))) return undefined;
  try {
    checkSteps(parseSteps(printSteps(own)), tensor);
    return own;
  } catch {
    return undefined;
  }
}

function ladderOf({ run, rms }: How): Step[] {
  const steps = SIGNALS.flatMap((dB) => stepOf(stepFor(dB, rms)) ?? []);
  return [...(run === "f32" ? FLOATS : INTEGERS).map((text) => parseSteps(text)[0] as Step), ...steps];
}

/** Rounding to steps of one size loses a twelfth of its square. Other targets are searched for, which takes far longer, and end at such a step, too. */
function stepFor(dB: number, rms: number): number {
  return rms * Math.sqrt(12) * 10 ** (-dB / 20);
}

/** Three digits: who reads the plan has to. */
function stepOf(size: number): QuantizeStep | undefined {
  if (!(size > 0 && size < Number.POSITIVE_INFINITY)) return undefined;
  const target = { by: "step", value: Number(size.toPrecision(3)) } as const;
  return { op: "quantize", bits: 8, per: "tensor", group: 0, asymmetric: false, target };
}

/** What runtimes multiply as it is stored: 8 bits with one scale for all or for each channel, around 0. Factors want no target. */
function fits(step: Step, { run, smooth }: How): boolean {
  if (run === "f32") return true;
  if (run === "w4" || step.op !== "quantize" || step.bits !== 8) return false;
  return step.per !== "group" && !step.asymmetric && !step.unsigned && !(smooth && step.target);
}

function near(step: Step | undefined, rms: number): Step[] {
  if (step?.op !== "quantize") return [];
  const { target } = step;
  if (target?.by === "snr" || target?.by === "step") {
    const size = target.by === "step" ? target.value : stepFor(target.value, rms);
    return BITS_AROUND.flatMap((bits) => stepOf(size * 2 ** -bits) ?? []);
  }
  if (target?.by !== "bits") return [];
  return BITS_AROUND.flatMap((bits): QuantizeStep[] => {
    const value = Math.round(100 * (target.value + bits)) / 100;
    return value > 0.2 ? [{ ...step, target: { ...target, value } }] : [];
  });
}

function sharesNear(prune: PruneStep | undefined, ladder: boolean): PruneStep[] {
  if (!prune)
    return ladder ? FIRST_SHARES.map((sparsity) => ({ op: "prune", by: "magnitude", sparsity, over: "tensor" })) : [];
  if (prune.by !== "magnitude") return [];
  return SHARES_AROUND.flatMap((delta): PruneStep[] => {
    const sparsity = Math.round(1000 * (prune.sparsity + delta)) / 1000;
    return sparsity > 0 && sparsity < 1 ? [{ ...prune, sparsity, over: "tensor" }] : [];
  });
}
