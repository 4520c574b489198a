import { squares } from "../loss/squares.ts";
import { elementCount, floatsOf, isBlocks, isFloat } from "../tensor.ts";
import { assemble } from "./assemble.ts";
import { type Candidate, printCandidate } from "./candidate.ts";
import { choicesNear } from "./choices.ts";
import { digest } from "./digest.ts";
import type { Chosen } from "./fit.ts";
import { sameSteps, stepsOfTensor } from "./how.ts";
import { type Job, type Weight, weightsOf } from "./job.ts";
import { type ScoredRow, scoreRow } from "./score.ts";
import { lossWith } from "./trial.ts";

// The two tables that are solved: one of the model as it was, with choices of all kinds, and one around a compressed model, with choices that are near.

/** Choices of a tensor around a compressed model, at most. */
const NEAR = 7;

/** Elements below which a tensor that is kept as it is has no choice: there is nothing to gain. */
const FEW = 64;

/** Tensors that have a choice: those that the plan does something to, and weights that it keeps as they are. */
export function chosenWeights(job: Job, candidate: Candidate): Weight[] {
  return weightsOf(job).filter(({ tensor, weight }) => {
    const steps = stepsOfTensor(job, candidate, tensor);
    return (
      (isFloat(tensor.dtype) || isBlocks(tensor.dtype)) &&
      (steps.length > 1 || (weight !== null && elementCount(tensor.shape) >= FEW))
    );
  });
}

/** score[tensor][choice], each alone in the model as it was. */
export async function wholeTable(job: Job, root: Candidate): Promise<ScoredRow[]> {
  const weights = chosenWeights(job, root);
  const rows: ScoredRow[] = [];
  for (const weight of weights) {
    const steps = stepsOfTensor(job, root, weight.tensor);
    const choices = choicesNear(steps, weight, { ...root, rms: await rmsOf(job, weight), ladder: true });
    rows.push(await scoreRow(job, weight, choices, { base: null, about: "", run: root.run }));
    job.onProgress({ phase: "scoring", done: rows.length, total: weights.length, note: weight.tensor.name });
  }
  return rows;
}

/**
 * The same around a compressed model, each choice in place of the one that it has: losses are what is lost more than now, or less where they are negative.
 * @param whole - whose next choices in bytes are tried, too
 */
export async function nearTable(
  job: Job,
  now: Candidate,
  chosen: Chosen,
  whole: readonly ScoredRow[],
): Promise<ScoredRow[]> {
  const about = digest().add(printCandidate(now)).text();
  const base = await assemble(job, now);
  const loss = await job.ledger.recall("base", about, () => lossWith(job, base.edits, job.samples.score));
  const rows: ScoredRow[] = [];
  for (const { weight, choices } of whole) {
    const steps = chosen.get(weight.tensor.name) ?? stepsOfTensor(job, now, weight.tensor);
    const near = [
      ...choicesNear(steps, weight, { ...now, rms: await rmsOf(job, weight), ladder: false }),
      ...nextTo(choices, steps),
    ];
    const around = { base, about, run: now.run, current: { steps, loss }, most: NEAR };
    const row = await scoreRow(job, weight, near, around);
    rows.push({ weight, choices: row.choices.map((one) => ({ ...one, loss: one.loss - loss })) });
    job.onProgress({ phase: "refining", done: rows.length, total: whole.length, note: weight.tensor.name });
  }
  return rows;
}

async function rmsOf({ ledger }: Job, weight: Weight): Promise<number> {
  return ledger.recall("rms", weight.tensor.name, async () => {
    const values = await floatsOf(weight.tensor);
    return Math.sqrt(squares(values, values).signal / Math.max(values.length, 1)) || 0;
  });
}

/** Of choices in the order of their bytes, two that are smaller and two that are larger. */
function nextTo(choices: ScoredRow["choices"], steps: ScoredRow["choices"][number]["steps"]) {
  const at = choices.findIndex((one) => sameSteps(one.steps, steps));
  if (at < 0) return choices.filter((_, i) => i % 3 === 1).map((one) => one.steps);
  return choices.slice(Math.max(0, at - 2), at + 3).map((one) => one.steps);
}
