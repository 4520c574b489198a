import { evaluate } from "../evaluate/evaluate.ts";
import { assemble } from "./assemble.ts";
import type { Job } from "./job.ts";
import { missesAll } from "./limits.ts";
import { lossOf } from "./loss.ts";
import type { Trial } from "./trial.ts";

// The end: what was best on the samples that told candidates apart is run on all of them.

export interface Settled {
  readonly file: Uint8Array;
  /** With the loss on all samples. */
  readonly trial: Trial;
  /** All that were looked at again, with their losses on all samples. */
  readonly checked: readonly Trial[];
}

/** Trials that are run on all samples, at most, until one meets the limits there. */
const FINALISTS = 5;

/** @param finalists - the best first */
export async function settle(job: Job, finalists: readonly Trial[]): Promise<Settled> {
  const checked: Trial[] = [];
  // What the last one lost more on all samples is expected of the next one.
  let more = 0;
  for (const trial of finalists) {
    if (checked.length === FINALISTS) break;
    const hopeless = missesAll({ ...trial, loss: trial.loss * more }, job.limits) > 0;
    if (checked.length > 0 && hopeless) continue;
    const loss = await lossOnAll(job, trial);
    checked.push({ ...trial, loss });
    job.onProgress({ phase: "checking", done: checked.length, total: Math.min(finalists.length, FINALISTS) });
    if (missesAll({ ...trial, loss }, job.limits) === 0) break;
    if (trial.loss > 0 && Number.isFinite(loss)) more = loss / trial.loss;
  }
  const missed = (trial: Trial): number => missesAll(trial, job.limits);
  const trial = checked.reduce((best, one) => (missed(one) < missed(best) ? one : best));
  const { file } = await assemble(job, trial.candidate, trial.model);
  return { file, trial, checked };
}

async function lossOnAll(job: Job, trial: Trial): Promise<number> {
  const { engine, data, comparing, seed, signal, samples, ledger } = job;
  if (samples.trial.length >= samples.all.length) return trial.loss;
  return ledger.recall("all", trial.key, async () => {
    const { edits } = await assemble(job, trial.candidate, trial.model);
    return lossOf(
      await evaluate(engine, edits, data, { ...comparing, seed, resamples: 1, signal, indices: samples.all }),
    );
  });
}
