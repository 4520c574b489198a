import type { Model } from "../tensor.ts";
import { type Answer, answerOf } from "./answer.ts";
import { newJob } from "./begin.ts";
import { dominated } from "./dominance.ts";
import { expectAll } from "./expect.ts";
import { candidatesOf } from "./filter.ts";
import type { Job } from "./job.ts";
import { missesAll } from "./limits.ts";
import { presetSpace } from "./presets.ts";
import { type Refined, refine } from "./refine.ts";
import { goalOf, rank } from "./select.ts";
import type { CompressOptions } from "./settings.ts";
import { settle } from "./settled.ts";
import type { Trial } from "./trial.ts";
import { type Tried, tryInOrder } from "./tries.ts";
import { isBetter, tuneBest } from "./tuned.ts";

// Compression for a place, from the model to the file.

/**
 * Chooses how a model is compressed for an environment: candidates are priced, those worth it are tried in order until one meets all limits, and that one
 * is refined against the measured loss. There is always a model, the one that misses the limits least if none meets them. The same model, data, options,
 * seed and table give the same bytes as long as the budget has no seconds, which end wherever they end.
 * @param model - the tensors that the engine runs with
 * @throws PlanError for a space that is none; DataError for data that do not fit the model, a ledger of another run, or a goal that the environment tells
 * too little for; the signal's reason
 */
export async function compress(model: Model, options: CompressOptions): Promise<Answer> {
  const job = await newJob(model, options);
  const { rounds = 2, space = presetSpace(job.description), tune = false } = options;
  const { kept, excluded } = candidatesOf(space, model, job.description, job.environment, options);
  const expected = await expectAll(job, kept);
  const losers = dominated(expected.all);
  const worth = expected.all.filter((one) => !losers.some(({ loser }) => loser === one));
  const { ranked, excluded: unable } = rank(worth, job);
  const tried = await tryInOrder(job, ranked, Math.ceil(job.spending.most / 2));
  const refined = await refine(job, tried.best, rounds);
  const trained = tune ? await tuneBest(job, refined.best) : null;
  const [tuned, untuned] = typeof trained === "string" ? [null, trained] : [trained, null];
  const settled = await settle(job, finalists(job, tried, refined, tuned));
  return answerOf(job, settled, {
    tried,
    refined,
    tuned,
    untuned,
    excluded: [...excluded, ...expected.excluded, ...unable],
    losers,
  });
}

/**
 * Those that meet the limits, by what the goal is about and by loss, then those that do not. Where the goal is latency, refining is for the least loss of
 * plans as fast as each other, and what came of it goes first.
 */
function finalists(job: Job, { best, trials }: Tried, refined: Refined, tuned: Trial | null): Trial[] {
  const trained = tuned && isBetter(job, tuned, refined.best) ? [tuned] : [];
  const missed = (trial: Trial): number => missesAll(trial, job.limits);
  const worth = (trial: Trial): number => goalOf(trial, job.goal).ms;
  const all = [...trained, refined.best, best, ...refined.trials, ...trials];
  const inOrder = [...all].sort(
    (a, b) => missed(a) - missed(b) || worth(a) - worth(b) || a.loss - b.loss || (a.text < b.text ? -1 : 1),
  );
  return [...new Set(job.goal === "latency" ? [...trained, refined.best, ...inOrder] : inOrder)];
}
