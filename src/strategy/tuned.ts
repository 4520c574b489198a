import type { Step } from "../plan.ts";
import { tune } from "../tune/tune.ts";
import { type Candidate, printCandidate } from "./candidate.ts";
import { planOf } from "./how.ts";
import type { Job } from "./job.ts";
import { type Trial, tryOut } from "./trial.ts";

/** Turns through the samples. */
const EPOCHS = 5;

/** Why weights cannot be trained under a plan; null: they can. */
function whyNotTuned({ engine, data, spending }: Job, { candidate }: Trial): string | null {
  if (!engine.fit) return `${engine.runtime} does not train`;
  if (!data.labelled) return "the data have no labels";
  if (candidate.run !== "f32") return `units are run as ${candidate.run}, and training is for those in floats`;
  return spending.left() ? null : "the trials were used up";
}

/** The best plan with weights that were trained under it, or why there is none. */
export async function tuneBest(job: Job, best: Trial): Promise<Trial | string> {
  const problem = whyNotTuned(job, best);
  if (problem !== null) return problem;
  const { engine, data, model, kernels, seed, signal } = job;
  const { candidate } = best;
  const trained = await tune(engine, model, data, {
    plan: planOf(job, candidate),
    epochs: EPOCHS,
    ...{ kernels, seed, signal },
    onProgress: ({ done, total, loss }) => {
      job.onProgress({
        phase: "tuning",
        done,
        total,
        note: `${printCandidate(candidate)}: loss ${loss.toPrecision(3)}`,
      });
    },
  });
  // What is chosen by the weights has to be what it was when they were trained; all else is as long as it was.
  const chosen = planOf(job, candidate).some(({ steps }) => steps.some(dependsOnWeights));
  const own: Candidate = chosen ? { ...candidate, plan: trained.plan } : candidate;
  return tryOut(job, own, "tuned", trained.model);
}

/** It loses less, and is no larger than what it is compared with, or than the limit says where size is not the goal. */
export function isBetter({ goal, limits }: Job, tuned: Trial, best: Trial): boolean {
  const most = goal === "size" ? best.bytes : Math.max(best.bytes, limits.bytes ?? 0);
  return tuned.loss < best.loss && tuned.bytes <= most;
}

function dependsOnWeights(step: Step): boolean {
  return step.op === "prune" || (step.op === "quantize" && step.target !== undefined);
}
