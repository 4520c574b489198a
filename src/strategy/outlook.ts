import { relative, squares } from "../loss/squares.ts";
import { parseSteps, printSteps, type Step } from "../plan.ts";
import { floatsOf } from "../tensor.ts";
import type { Candidate } from "./candidate.ts";
import { choicesNear } from "./choices.ts";
import { stepsOfTensor } from "./how.ts";
import type { Job, Weight } from "./job.ts";
import { unlessUnfit } from "./unfit.ts";

// What a candidate is likely to lose, before it is run: the errors of its tensors, each times what the model makes of an error there.

/** How many times its own error each tensor's error is in the outputs, by name. */
export type Slopes = ReadonlyMap<string, number>;

/** What all tensors are tried with: an error that is seen, and that most plans are near. */
const PROBE = parseSteps("int4 channel > auto");
const AS_FLOATS = { run: "f32", smooth: false, rms: 0, ladder: false } as const;

/** Runs the model once for each tensor. @param score - the loss of the model with nothing else changed */
export async function slopesOf(
  job: Job,
  weights: readonly Weight[],
  score: (weight: Weight, steps: readonly Step[]) => Promise<number>,
): Promise<Slopes> {
  const slopes = new Map<string, number>();
  for (const weight of weights) {
    const [probe = PROBE] = choicesNear(PROBE, weight, AS_FLOATS);
    const error = await tensorError(job, weight, probe);
    const loss = error ? await score(weight, probe) : 0;
    slopes.set(weight.tensor.name, error ? loss / error : 0);
    job.onProgress({ phase: "pricing", done: slopes.size, total: weights.length, note: weight.tensor.name });
  }
  return slopes;
}

/** The sum over all tensors. Of activations that are coded nothing is known: their part is left out. */
export async function outlookOf(
  job: Job,
  candidate: Candidate,
  weights: readonly Weight[],
  slopes: Slopes,
): Promise<number> {
  let sum = 0;
  for (const weight of weights) {
    const error = await tensorError(job, weight, stepsOfTensor(job, candidate, weight.tensor));
    // What is left as it is loses nothing, however large a loss is made of errors there; what cannot be said is taken to lose everything.
    if (error !== 0) sum += (error ?? Number.POSITIVE_INFINITY) * (slopes.get(weight.tensor.name) ?? 0);
  }
  return Number.isNaN(sum) ? Number.POSITIVE_INFINITY : sum;
}

/** Square of what steps do to a tensor, by that of the tensor; null where they cannot be done to its values. */
export async function tensorError(job: Job, weight: Weight, steps: readonly Step[]): Promise<number | null> {
  if (steps.length === 1 && steps[0]?.op === "code") return 0;
  const { name } = weight.tensor;
  return job.ledger.recall("error", JSON.stringify([name, printSteps(steps)]), async () => {
    try {
      const values = await floatsOf(weight.tensor);
      const { error, signal } = squares(values, await job.decoded(weight, steps));
      return relative(error, signal);
    } catch (error) {
      return unlessUnfit(error);
    }
  });
}
