import type { Step } from "../plan.ts";
import type { Candidate } from "./candidate.ts";
import { localPlan, sameSteps, stepsOfTensor } from "./how.ts";
import type { Job } from "./job.ts";
import { price } from "./price.ts";
import type { ScoredRow } from "./score.ts";
import { costsOf, type Most, type Solution, solve } from "./solve.ts";
import type { Trial } from "./trial.ts";

// A solution of the table as a plan, whose file is as small as it has to be.

/** The steps of tensors that are chosen one by one. */
export type Chosen = ReadonlyMap<string, readonly Step[]>;

export interface Fit {
  readonly candidate: Candidate;
  readonly chosen: Chosen;
  readonly solution: Solution;
}

/** What all is measured from. */
export interface Start {
  /** Tensors whose steps are as it has them get no rule of their own. */
  readonly root: Candidate;
  /** The best so far, and its choices, which the rows have, too. */
  best: Trial;
  chosen: Chosen;
}

/** Solutions that may turn out too large, since a plan with more rules has a longer header. */
const TURNS = 12;

/**
 * The choices that lose least in a file of at most so many bytes.
 * @returns null if no choices fit
 */
export async function planWithin(
  job: Job,
  { root, best, chosen }: Start,
  rows: readonly ScoredRow[],
  most: Required<Most>,
): Promise<Fit | null> {
  // Bytes of the file that no choice decides about, reckoned from the best and corrected by what comes out.
  let beside = best.bytes - currentOf(rows, chosen).bytes;
  for (let turn = 0; turn < TURNS; turn++) {
    const solution = solve(
      rows.map(({ choices }) => choices),
      { bytes: (most.bytes as number) - beside, ms: most.ms },
    );
    if (!solution) return null;
    const found = fitOf(job, root, rows, solution);
    const { bytes } = await price(job, found.candidate);
    if (bytes <= (most.bytes as number)) return found;
    beside = Math.max(beside + 1, bytes - solution.bytes);
  }
  return null;
}

/** What the rows cost with these choices. */
export function currentOf(rows: readonly ScoredRow[], chosen: Chosen): Solution {
  return costsOf(
    rows.map(({ choices }) => choices),
    rows.map(({ weight, choices }) => {
      const steps = chosen.get(weight.tensor.name);
      return choices.findIndex((one) => steps && sameSteps(one.steps, steps));
    }),
  );
}

function fitOf(job: Job, root: Candidate, rows: readonly ScoredRow[], solution: Solution): Fit {
  const chosen = new Map(
    rows.map(({ weight, choices }, i) => [weight.tensor.name, choices[solution.choices[i] as number]?.steps ?? []]),
  );
  return { candidate: candidateOf(job, root, rows, chosen), chosen, solution };
}

function candidateOf(job: Job, root: Candidate, rows: readonly ScoredRow[], chosen: Chosen): Candidate {
  const different = rows.flatMap(({ weight }): [string, readonly Step[]][] => {
    const steps = chosen.get(weight.tensor.name) as readonly Step[];
    return same(job, root, weight, steps) ? [] : [[weight.tensor.name, steps]];
  });
  return { ...root, plan: localPlan(root.plan, new Map(different)) };
}

function same(job: Job, root: Candidate, { tensor }: ScoredRow["weight"], steps: readonly Step[]): boolean {
  return sameSteps(stepsOfTensor(job, root, tensor), steps);
}
