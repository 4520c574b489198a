import { printCandidate } from "./candidate.ts";
import { ofOneTensor } from "./choices.ts";
import { currentOf, type Fit, planWithin, type Start } from "./fit.ts";
import { stepsOfTensor } from "./how.ts";
import type { Job } from "./job.ts";
import type { ScoredRow } from "./score.ts";
import type { Most } from "./solve.ts";
import { nearTable, wholeTable } from "./table.ts";
import { type Trial, tryOut } from "./trial.ts";
import { unlessUnfit } from "./unfit.ts";

// A plan made better against the measured loss: steps of single tensors are chosen by what each does to the outputs, the whole is run, choices are looked
// at again in the model that came of it, and so on.

export interface Refined {
  /** The uniform plan itself, if nothing was better. */
  readonly best: Trial;
  /** All that was run, in order. */
  readonly trials: readonly Trial[];
}

interface State extends Start {
  readonly whole: readonly ScoredRow[];
  readonly trials: Trial[];
  /** Around the best; null: not looked at yet. */
  near: readonly ScoredRow[] | null;
  /** How many times less is promised than was measured, after plans that did not keep it. */
  doubt: number;
  /** Rounds without a plan that was taken. */
  quiet: number;
}

/**
 * Lowers the loss within the bytes of a plan that was tried, and where the goal is size or loading and the loss has room, the bytes then. What is taken has
 * a lower measured loss in no more bytes, or fewer bytes within the limit of loss.
 * @param most - bytes of the file. Default: those of the plan; or of the limit where the plan takes more, or loses too much in less
 */
export async function refine(
  job: Job,
  uniform: Trial,
  rounds: number,
  most = bytesFor(job, uniform),
): Promise<Refined> {
  const root = uniform.candidate;
  const whole = rounds > 0 ? await wholeTable(job, root) : [];
  const chosen = new Map(
    whole.map(({ weight }) => [weight.tensor.name, ofOneTensor(stepsOfTensor(job, root, weight.tensor))]),
  );
  const state: State = { root, whole, trials: [], best: uniform, chosen, near: null, doubt: 1, quiet: 0 };
  if (whole.length === 0) return state;
  const first = await planWithin(job, state, whole, timed(job, state, whole, most));
  if (first && job.spending.left()) await attempt(job, state, first, (trial) => lower(trial, state.best, most));
  while (state.quiet < rounds && job.spending.left() && (await improve(job, state, most)));
  if (job.goal !== "latency") await shrink(job, state, rounds);
  return state;
}

/** A round around the best plan. @returns false if there is nothing left to try */
async function improve(job: Job, state: State, most: number): Promise<boolean> {
  const rows = doubted(await nearRows(job, state), state.doubt);
  const next = await planWithin(job, state, rows, timed(job, state, rows, most));
  // Of a plan that is too large anything smaller is worth a trial.
  if (!next || (next.solution.loss >= 0 && state.best.bytes <= most)) return false;
  await attempt(job, state, next, (trial) => lower(trial, state.best, most));
  return true;
}

/** Plans that miss the limit of loss by a little are how it is found where it lies: they end nothing yet. */
const MISSES = 2;
/** Share of its bytes that a plan has to come down to for a trial. */
const WORTH = 0.998;

/** Fewer bytes, as far as the loss may rise. */
async function shrink(job: Job, state: State, rounds: number): Promise<void> {
  const { loss: limit } = job.limits;
  if (limit === undefined || !(state.best.loss <= limit)) return;
  state.quiet = 0;
  state.doubt = 1;
  while (state.quiet < rounds + MISSES && job.spending.left()) {
    const { best, doubt } = state;
    const rows = doubted(await nearRows(job, state), doubt);
    const next = await smallest(job, state, rows, limit - best.loss);
    if (!next) return;
    const trial = await attempt(job, state, next, ({ loss, bytes }) => loss <= limit && bytes < best.bytes);
    if (trial && trial !== state.best) state.doubt = doubt * wronged(trial.loss - best.loss, next.solution.loss);
  }
}

/** How many times more the loss has risen than was promised, and a little: the next plan shall keep to it. */
function wronged(risen: number, promised: number): number {
  return Math.min(2, Math.max(1.1, (1.05 * risen) / Math.max(promised, Number.MIN_VALUE)));
}

/** The fewest bytes with which the loss rises by no more than this, by halving. */
async function smallest(job: Job, state: State, rows: readonly ScoredRow[], rise: number): Promise<Fit | null> {
  const least = rows.map(({ choices }) => Math.min(...choices.map(({ bytes }) => bytes)));
  const now = currentOf(rows, state.chosen).bytes;
  let [low, high] = [
    state.best.bytes - now + least.reduce((a, b) => a + b, 0),
    Math.floor(WORTH * state.best.bytes) - 1,
  ];
  let found: Fit | null = null;
  for (let turn = 0; turn < 12 && low <= high; turn++) {
    const middle = Math.floor((low + high) / 2);
    const next = await planWithin(job, state, rows, timed(job, state, rows, middle));
    if (next && next.solution.loss <= rise) {
      found = next;
      high = middle - 1;
    } else low = middle + 1;
  }
  return found;
}

async function nearRows(job: Job, state: State): Promise<readonly ScoredRow[]> {
  state.near ??= await nearTable(job, state.best.candidate, state.chosen, state.whole);
  return state.near;
}

/** @returns what was run; null: it was run before, or could not be assembled */
async function attempt(
  job: Job,
  state: State,
  { candidate, chosen }: Fit,
  takes: (trial: Trial) => boolean,
): Promise<Trial | null> {
  const text = printCandidate(candidate);
  if (text === state.best.text || state.trials.some((trial) => trial.text === text)) {
    // Nothing new: less doubtful changes next time.
    state.quiet++;
    state.doubt *= 2;
    return null;
  }
  const trial = await tryOut(job, candidate, "refined").catch(unlessUnfit);
  if (!trial) {
    state.quiet++;
    return null;
  }
  state.trials.push(trial);
  const taken = takes(trial);
  const { used, most } = job.spending;
  job.onProgress({ phase: "trying", done: used, total: most, note: `loss ${trial.loss.toPrecision(3)}` });
  if (taken) Object.assign(state, { best: trial, chosen, near: null, quiet: 0, doubt: 1 });
  else {
    state.quiet++;
    state.doubt *= 2;
  }
  return trial;
}

/** Of a plan that is too large, any that is not is taken. */
function lower(trial: Trial, best: Trial, most: number): boolean {
  return trial.bytes <= most && (trial.loss < best.loss || best.bytes > most);
}

function bytesFor({ limits }: Job, { bytes, loss }: Trial): number {
  const { bytes: most = bytes, loss: limit = Number.POSITIVE_INFINITY } = limits;
  return bytes > most || loss > limit ? most : bytes;
}

/** Gains count less, and losses more, than they were measured alone: changes that are sure are left. */
function doubted(rows: readonly ScoredRow[], doubt: number): ScoredRow[] {
  const seen = (loss: number): number => (loss < 0 ? loss / doubt : loss * doubt);
  return rows.map(({ weight, choices }) => ({
    weight,
    choices: choices.map((one) => ({ ...one, loss: seen(one.loss) })),
  }));
}

/** Where latency is the goal, what is taken is no slower; else as slow as its limit says. */
function timed({ goal, limits }: Job, state: State, rows: readonly ScoredRow[], bytes: number): Required<Most> {
  if (goal !== "latency" && limits.latency === undefined) return { bytes, ms: Number.POSITIVE_INFINITY };
  const slack = goal === "latency" ? 0 : Math.max(0, (limits.latency ?? 0) - state.best.latency.ms);
  // Sums of the same times may differ in their last digits.
  return { bytes, ms: (currentOf(rows, state.chosen).ms + slack) * (1 + 1e-9) };
}
