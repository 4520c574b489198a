import { printCandidate } from "./candidate.ts";
import type { Dominated } from "./dominance.ts";
import type { Excluded } from "./filter.ts";
import type { Job } from "./job.ts";
import { type Met, metBy, missesAll, shownAmount } from "./limits.ts";
import type { Refined } from "./refine.ts";
import type { Settled } from "./settled.ts";
import type { Trial } from "./trial.ts";
import type { Expected, Tried } from "./tries.ts";
import { whyLost } from "./tries.ts";

// What was chosen, and why nothing else was.

/** A model that was packed and run, as plain data. */
export interface TrialReport {
  /** See printCandidate. */
  readonly plan: string;
  readonly from: Trial["from"];
  /** null: infinite. */
  readonly loss: number | null;
  readonly bytes: number;
  readonly latency: Trial["latency"];
  readonly load: { readonly ms: number; readonly low: number; readonly high: number } | null;
  readonly memory: number;
  /** Whether it meets all limits, on the samples that it was run on. */
  readonly ok: boolean;
  /** Why it is not the answer; null: it is. */
  readonly lost: string | null;
}

export interface Answer {
  /** A .quern file. */
  readonly file: Uint8Array;
  /** See printCandidate. */
  readonly plan: string;
  /** Of the answer: on all samples. */
  readonly loss: number;
  /** In the order in which they were run. */
  readonly trials: readonly TrialReport[];
  /** Each limit, on all samples. */
  readonly met: readonly Met[];
  /** Why it is this one, in words. */
  readonly reason: string;
  /** Candidates that were not run, and those that were and lost. */
  readonly rejected: readonly Excluded[];
}

export interface Found {
  readonly tried: Tried;
  readonly refined: Refined;
  readonly tuned: Trial | null;
  /** Why weights were not trained; null: they were, or were not to be. */
  readonly untuned: string | null;
  readonly excluded: readonly Excluded[];
  readonly losers: readonly Dominated<Expected>[];
}

export function answerOf(job: Job, settled: Settled, found: Found): Answer {
  const { file, trial: best } = settled;
  const { tried, refined, tuned, excluded, losers } = found;
  const all = [...tried.trials, ...refined.trials, ...(tuned ? [tuned] : [])];
  const beaten = losers.map(({ loser, by, reason }) => ({
    candidate: loser.text,
    reason: `"${by.text}" beats it: ${reason}`,
  }));
  return {
    file,
    plan: printCandidate(best.candidate),
    loss: best.loss,
    trials: all.map((trial) => reportOf(job, trial, settled)),
    met: metBy(best, job.limits),
    reason: reasonOf(job, best, found),
    rejected: [...tried.rejected, ...beaten, ...excluded].filter(({ candidate }) => candidate !== best.text),
  };
}

function reportOf(job: Job, trial: Trial, settled: Settled): TrialReport {
  const { text, from, loss, bytes, latency, load, memory } = trial;
  return {
    ...{ plan: text, from, bytes, latency, memory },
    loss: Number.isFinite(loss) ? loss : null,
    load: load && { ms: load.ms, low: load.low, high: load.high },
    ok: missesAll(trial, job.limits) === 0,
    lost: trial.key === settled.trial.key ? null : lostTo(job, trial, settled),
  };
}

function lostTo(job: Job, trial: Trial, { trial: best, checked }: Settled): string {
  const again = checked.find(({ key }) => key === trial.key);
  const limit = job.limits.loss ?? Number.POSITIVE_INFINITY;
  if (again && again.loss > limit)
    return `on all samples it loses ${shownAmount("loss", again.loss)}, and the limit is ${shownAmount("loss", limit)}`;
  if (trial.from === "space") return whyLost(job, trial, best);
  if (trial.loss < best.loss && trial.bytes > best.bytes)
    return `it takes ${shownAmount("bytes", trial.bytes)}, and the answer ${shownAmount("bytes", best.bytes)}`;
  const smaller = missesAll(trial, job.limits) === 0 && trial.bytes < best.bytes;
  if (smaller && job.goal === "size" && job.samples.trial.length < job.samples.all.length)
    return `its loss is ${shownAmount("loss", trial.loss)} on the samples of trials, and more than the limit is expected on all of them`;
  const than = `${shownAmount("loss", best.loss)} in ${shownAmount("bytes", best.bytes)}`;
  return `it loses ${shownAmount("loss", trial.loss)} in ${shownAmount("bytes", trial.bytes)}, and the answer ${than}`;
}

function reasonOf({ goal, limits, spending }: Job, best: Trial, { tried, untuned }: Found): string {
  const { latency, bytes, loss } = best;
  const time = `${shownAmount("latency", latency.ms)} (${shownAmount("latency", latency.low)} to ${shownAmount("latency", latency.high)})`;
  const missed = metBy(best, limits).filter(({ ok }) => !ok);
  const told =
    missed.length === 0
      ? "It meets all limits."
      : `It misses ${missed.map(({ limit, asked, got }) => `${limit} (${shownAmount(limit, got ?? Number.POSITIVE_INFINITY)}, asked ${shownAmount(limit, asked)})`).join(", ")}, and nothing that was tried misses less.`;
  const how = {
    space: "No refinement of it was better.",
    refined: `Refined from "${tried.best.text}", which loses ${shownAmount("loss", tried.best.loss)} in ${shownAmount("bytes", tried.best.bytes)}.`,
    tuned: `Its weights were trained under "${tried.best.text}".`,
  }[best.from];
  const trials = spending.used === 1 ? "one trial" : `${spending.used} trials`;
  const first = `Best for ${goal} of what was tried in ${trials}: loss ${shownAmount("loss", loss)}, ${shownAmount("bytes", bytes)}, ${time}.`;
  const unknown = Number.isFinite(loss)
    ? []
    : [
        "Outputs are not finite, of this model or of the one that was given: look for NaN and infinity in its weights and in the data.",
      ];
  return [first, ...unknown, told, how, ...(untuned === null ? [] : [`Weights were not trained: ${untuned}.`])].join(
    " ",
  );
}
