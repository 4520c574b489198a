import { PlanError } from "../errors.ts";
import { printSteps } from "../plan.ts";
import { type Candidate, parseCandidate, printCandidate } from "./candidate.ts";
import type { Excluded } from "./filter.ts";
import { stepsOfTensor } from "./how.ts";
import { type Job, weightsOf } from "./job.ts";
import { outlookOf, slopesOf } from "./outlook.ts";
import { type Priced, price } from "./price.ts";
import { isWide, scoreAlone } from "./score.ts";
import { type Expected, LAST_RESORT } from "./tries.ts";
import { isUnfit } from "./unfit.ts";

/** Prices of candidates, and what they are likely to lose; those whose steps the values of a tensor do not allow are left out. */
export async function expectAll(
  job: Job,
  candidates: readonly Candidate[],
): Promise<{ all: readonly Expected[]; excluded: readonly Excluded[] }> {
  const priced: Priced[] = [];
  const excluded: Excluded[] = [];
  const total = candidates.length;
  for (const candidate of candidates) {
    job.signal?.throwIfAborted();
    try {
      await demandNarrow(job, candidate);
      priced.push(await price(job, candidate));
    } catch (error) {
      if (!isUnfit(error)) throw error;
      excluded.push({ candidate: printCandidate(candidate), reason: error.message });
    }
    job.onProgress({ phase: "pricing", done: priced.length + excluded.length, total });
  }
  if (priced.length === 0) priced.push(await price(job, parseCandidate(LAST_RESORT)));
  const weights = weightsOf(job).filter(({ tensor }) =>
    priced.some(({ candidate }) => stepsOfTensor(job, candidate, tensor).length > 1),
  );
  const slopes = await slopesOf(job, weights, (weight, steps) => scoreAlone(job, weight, steps));
  const all: Expected[] = [];
  for (const one of priced) all.push({ ...one, error: await outlookOf(job, one.candidate, weights, slopes) });
  return { all, excluded };
}

/** @throws PlanError where a step that is chosen by its error or its bits turns out to need more bits than are multiplied */
async function demandNarrow(job: Job, candidate: Candidate): Promise<void> {
  if (candidate.run === "f32") return;
  for (const { weight, tensor } of weightsOf(job)) {
    const steps = stepsOfTensor(job, candidate, tensor);
    if (!weight || !steps.some((step) => step.op === "quantize" && step.target !== undefined)) continue;
    const cost = await job.costs.tensor(tensor.name, steps, { signal: job.signal });
    if (isWide(cost.steps))
      throw new PlanError(
        `the weight "${tensor.name}" needs codes of 16 bits under "${printSteps(steps)}", which no operator multiplies: run it as f32`,
      );
  }
}
