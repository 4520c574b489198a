import { parseCandidate } from "./candidate.ts";
import type { Excluded } from "./filter.ts";
import type { Job } from "./job.ts";
import { LIMITS, misses, missesAll, shownAmount, shownLimit } from "./limits.ts";
import type { Priced } from "./price.ts";
import { whyBehind } from "./select.ts";
import { type Trial, tryOut } from "./trial.ts";
import { isUnfit, unlessUnfit } from "./unfit.ts";

// Candidates are run in their order until one meets all limits.

/** A candidate with what it is likely to lose. */
export interface Expected extends Priced {
  /** See outlookOf. */
  readonly error: number;
}

export interface Tried {
  /** The first that meets all limits, else the one that misses them least. */
  readonly best: Trial;
  readonly trials: readonly Trial[];
  readonly rejected: readonly Excluded[];
}

/** What is taken where no candidate can be: it runs wherever the original does. */
export const LAST_RESORT = "lossless";

/** A loss is taken to be out of reach if it is reckoned to be so many times the limit. */
const HOPELESS = 4;

/** @param most - candidates to run */
export async function tryInOrder(job: Job, ranked: readonly Expected[], most: number): Promise<Tried> {
  const trials: Trial[] = [];
  const rejected: Excluded[] = [];
  const { limits, spending } = job;
  const skipped: Expected[] = [];
  let winner: Trial | null = null;
  const unfit = new Map<Expected, string>();
  const run = async (one: Expected): Promise<void> => {
    const trial = await tryOut(job, one.candidate).catch((error) => {
      if (isUnfit(error)) unfit.set(one, error.message);
      return unlessUnfit(error);
    });
    if (!trial) return;
    trials.push(trial);
    job.onProgress({ phase: "trying", done: spending.used, total: spending.most, note: lossNote(trial) });
    if (missesAll(trial, limits) === 0) winner = trial;
  };
  // One is run whatever the budget is: there is always a model.
  const able = (): boolean => !winner && (trials.length === 0 || (trials.length < most && spending.left()));
  for (const one of ranked) {
    if (!able()) break;
    if (hopeless(one, ranked, trials, limits.loss)) skipped.push(one);
    else await run(one);
  }
  // What was reckoned to be out of reach is tried when nothing else is left, the nearest first.
  for (const one of [...skipped].sort((a, b) => a.error - b.error)) if (able()) await run(one);
  if (trials.length === 0) trials.push(await tryOut(job, parseCandidate(LAST_RESORT)));
  const best = winner ?? ([...trials].sort((a, b) => missesAll(a, limits) - missesAll(b, limits))[0] as Trial);
  for (const one of ranked) {
    const trial = trials.find(({ text }) => text === one.text);
    if (one.text === best.text) continue;
    const reason = trial
      ? whyLost(job, trial, best)
      : (unfit.get(one) ?? whyNotTried(job, one, best, skipped.includes(one) ? reckoned(one, ranked, trials) : null));
    rejected.push({ candidate: one.text, reason });
  }
  return { best, trials, rejected };
}

/** By what is reckoned of it, corrected by how those that were run compare with what was reckoned of them. */
function reckoned(one: Expected, ranked: readonly Expected[], trials: readonly Trial[]): number {
  const ratios = trials.flatMap(({ text, loss }) => {
    const { error = 0 } = ranked.find((other) => other.text === text) ?? {};
    return error > 0 && Number.isFinite(error) && Number.isFinite(loss) ? [loss / error] : [];
  });
  const middle = ratios.sort((a, b) => a - b)[ratios.length >> 1] ?? 1;
  return one.error * Math.max(middle, 0);
}

function hopeless(one: Expected, ranked: readonly Expected[], trials: readonly Trial[], limit?: number): boolean {
  return limit !== undefined && reckoned(one, ranked, trials) > HOPELESS * limit;
}

/** Why a trial is not the best. */
export function whyLost(job: Job, trial: Trial, best: Trial): string {
  const missed = LIMITS.find((name) => misses(trial, job.limits, name) > 0);
  if (missed && missesAll(trial, job.limits) >= missesAll(best, job.limits)) {
    if (missed === "loss")
      return `its loss is ${shownAmount("loss", trial.loss)}, and the limit is ${shownAmount("loss", job.limits.loss as number)}`;
    const { got, asked, surely } = shownLimit(trial, job.limits, missed);
    return `its ${surely} ${got}, and the limit is ${asked}`;
  }
  return whyBehind(best, trial, job);
}

function whyNotTried(job: Job, one: Expected, best: Trial, loss: number | null): string {
  if (loss !== null)
    return `not tried: by the errors of its tensors its loss is reckoned to be ${Number.isFinite(loss) ? "about " : ""}${shownAmount("loss", loss)}`;
  return missesAll(best, job.limits) === 0
    ? `not tried: ${whyBehind(best, one, job)}`
    : "not tried: the trials were used up";
}

function lossNote({ loss, bytes }: Trial): string {
  return `loss ${shownAmount("loss", loss)}, ${bytes.toLocaleString("en")} bytes`;
}
