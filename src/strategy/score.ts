import type { UnitPlan } from "../activations/unit.ts";
import { tensorOver, throughSteps } from "../codec/through.ts";
import type { Edits } from "../engine/engine.ts";
import { predictRun } from "../latency/predict.ts";
import type { Run } from "../latency/run.ts";
import { printSteps, type Step } from "../plan.ts";
import { floatsOf } from "../tensor.ts";
import type { Assembled } from "./assemble.ts";
import { isQuantized, sameSteps } from "./how.ts";
import type { Job, Weight } from "./job.ts";
import { tensorError } from "./outlook.ts";
import type { Choice } from "./solve.ts";
import { lossWith } from "./trial.ts";
import { unlessUnfit } from "./unfit.ts";

// score[tensor][choice]: what a choice costs in bytes, and what it alone does to the outputs of the model. Measured once; any budget is solved with it.
// The error of a unit's own output, or of the tensor, times what the model makes of one such error, needs fewer runs and ranks plans about as well; but the
// whole by the sum varied by factors up to 6.8 and 4.0, and by 1.9 for this one: docs/DECISIONS.md, "What single tensors are scored by".

export interface ScoredChoice extends Choice {
  readonly steps: readonly Step[];
}

export interface ScoredRow {
  readonly weight: Weight;
  readonly choices: readonly ScoredChoice[];
}

/** What a choice does to the tensor itself, found without running the model. */
interface Weighed {
  readonly steps: readonly Step[];
  readonly bytes: number;
  /** Square of the error by that of the tensor. */
  readonly error: number;
}

/** Where a choice is looked at. */
export interface Around {
  /** What else is changed in the model. null: nothing is */
  readonly base: Assembled | null;
  /** Names the base in the ledger. */
  readonly about: string;
  /** How codes are run. */
  readonly run: Run;
  /** What the base has, and its loss. */
  readonly current?: { readonly steps: readonly Step[]; readonly loss: number } | undefined;
}

/** Choices of a tensor that the model is run with. */
const MOST = 14;

/**
 * What the choices cost and do. Of choices that another one beats by far in bytes and in the tensor's own error, the model is not run with; nor with more
 * than 14, spread over the bytes. The first one is always kept.
 */
export async function scoreRow(
  job: Job,
  weight: Weight,
  choices: readonly (readonly Step[])[],
  { base, about, most = MOST, current, run }: Around & { readonly most?: number },
): Promise<ScoredRow> {
  const times = unitTimes(job, weight, run);
  const weighed: Weighed[] = [];
  const distinct = new Map(choices.map((steps) => [printSteps(steps), steps]));
  for (const steps of distinct.values()) {
    const one = await weigh(job, weight, steps, run);
    if (one) weighed.push(one);
  }
  const scored: ScoredChoice[] = [];
  for (const { steps, bytes } of promising(weighed, most)) {
    const now = current && sameSteps(current.steps, steps);
    const loss = now ? current.loss : await scoreOf(job, { base, about }, weight, steps);
    scored.push({ steps, bytes, loss, ms: isQuantized(steps) ? times.quantized : times.floats });
  }
  return { weight, choices: scored };
}

/** What a choice for one tensor does to the model as it was. */
export function scoreAlone(job: Job, weight: Weight, steps: readonly Step[]): Promise<number> {
  return scoreOf(job, { base: null, about: "" }, weight, steps);
}

function scoreOf(
  job: Job,
  { base, about }: Pick<Around, "base" | "about">,
  weight: Weight,
  steps: readonly Step[],
): Promise<number> {
  const key = JSON.stringify([about, weight.tensor.name, printSteps(steps)]);
  return job.ledger.recall("score", key, async () =>
    lossWith(job, await withChoice(job, base, weight, steps), job.samples.score),
  );
}

/** Milliseconds of the units that multiply with a tensor, as far as they depend on whether it is quantized. */
function unitTimes({ latency, description }: Job, { units }: Weight, run: Run): { quantized: number; floats: number } {
  if (run === "f32" || units.length === 0) return { quantized: 0, floats: 0 };
  const [quantized, floats] = [run, "f32" as const].map(
    (each) => predictRun(latency, { ...description, units }, () => each).ms,
  ) as [number, number];
  return { quantized, floats };
}

/** null: the tensor cannot be packed so, such as one that is finer than a target can be. */
async function weigh(job: Job, weight: Weight, steps: readonly Step[], run: Run): Promise<Weighed | null> {
  const { costs, ledger, signal } = job;
  const { tensor } = weight;
  const key = JSON.stringify([run, tensor.name, printSteps(steps)]);
  const bytes = await ledger.recall("bytes", key, async () => {
    try {
      const cost = await costs.tensor(tensor.name, steps, { signal });
      return run !== "f32" && isWide(cost.steps) ? null : cost.bytes;
    } catch (error) {
      return unlessUnfit(error);
    }
  });
  const error = bytes === null ? null : await tensorError(job, weight, steps);
  return bytes === null || error === null ? null : { steps, bytes, error };
}

/** Whether a step size has turned out to need codes of 16 bits, which no runtime multiplies. @param steps - as the file says them */
export function isWide(steps: readonly Step[]): boolean {
  return steps.some((step) => step.op === "quantize" && step.bits === 16);
}

/** Where the tensor's own error differs by less, the model may see it otherwise. */
const FAR = 0.7;

function promising(all: readonly Weighed[], most: number): Weighed[] {
  const first = all[0];
  const kept = all.filter(
    (one) =>
      one === first ||
      !all.some(
        (other) =>
          other !== one &&
          other.bytes <= one.bytes &&
          other.error <= FAR * one.error &&
          (other.error < one.error || other.bytes < one.bytes),
      ),
  );
  const sorted = kept.sort((a, b) => a.bytes - b.bytes || a.error - b.error);
  if (sorted.length <= most) return sorted;
  // Spread evenly, with both ends.
  const taken = new Set(
    Array.from({ length: most }, (_, i) => sorted[Math.round((i * (sorted.length - 1)) / (most - 1))]),
  );
  return sorted.filter((one) => taken.has(one) || one === first);
}

/** The model as it is, or as the base has it, with this choice for one tensor. @param steps - null: the tensor as it was */
export async function withChoice(
  job: Job,
  base: Assembled | null,
  weight: Weight,
  steps: readonly Step[] | null,
): Promise<Edits> {
  const { tensor } = weight;
  const weights = new Map(base?.edits.weights);
  const inputs = new Map(base?.edits.inputs);
  const coded = base?.coded.find((unit) => unit.weight.name === tensor.name);
  const floats = steps === null || !isQuantized(steps);
  // What is not quantized is multiplied in floats.
  if (floats) for (const { name } of weight.units) inputs.delete(name);
  weights.set(tensor.name, await valuesWith(job, weight, steps, floats ? undefined : coded));
  return { weights, inputs };
}

/** Of units whose activations are divided by factors, what is packed are the weights times those. */
async function valuesWith(
  { kernels, decoded }: Job,
  weight: Weight,
  steps: readonly Step[] | null,
  coded: UnitPlan | undefined,
): Promise<Float32Array> {
  const { name, shape } = weight.tensor;
  if (steps === null) return floatsOf(weight.tensor);
  if (!coded?.factors) return decoded(weight, steps);
  return (await throughSteps(kernels, tensorOver(name, shape, coded.weights), steps)).data;
}
