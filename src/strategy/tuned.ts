import type { Step } from "../plan.ts";
import { tune } from "../tune/tune.ts";
import { type Candidate, printCandidate } from "./candidate.ts";
import { planOf } from "./how.ts";
import type { Job } from "./job.ts";
import { type Trial, tryOut } from "./trial.ts";

/** Turns through the samples. */
const EPOCHS = 5;

/**
 * The best plan with weights that were trained under it.
 * @returns null where the runtime does not train, the data have no labels, or units multiply integers
 */
export async function tuneBest(job: Job, best: Trial): Promise<Trial | null> {
  const { engine, data, model, kernels, seed, signal, spending } = job;
  const { candidate } = best;
  if (!engine.fit || !data.labelled || candidate.run !== "f32" || !spending.left()) return null;
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
