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
}

/** Trials that are looked at again where the best one misses a limit on all samples. */
const FINALISTS = 3;

/** @param finalists - the best first */
export async function settle(job: Job, finalists: readonly Trial[]): Promise<Settled> {
  const checked: Trial[] = [];
  for (const trial of finalists.slice(0, FINALISTS)) {
    const loss = await lossOnAll(job, trial);
    checked.push({ ...trial, loss });
    job.onProgress({ phase: "checking", done: checked.length, total: Math.min(finalists.length, FINALISTS) });
    if (missesAll({ ...trial, loss }, job.limits) === 0) break;
  }
  const missed = (trial: Trial): number => missesAll(trial, job.limits);
  const trial = checked.reduce((best, one) => (missed(one) < missed(best) ? one : best));
  const { file } = await assemble(job, trial.candidate, trial.model);
  return { file, trial };
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
