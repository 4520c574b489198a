import { bytesSource } from "../bytes.ts";
import type { IndexEntry } from "../container/entries.ts";
import type { Unit, UnitType } from "../engine/engine.ts";
import type { Interval, Prediction } from "../latency/interval.ts";
import { partTimes } from "../latency/predict.ts";
import type { UnitRun } from "../latency/run.ts";
import { open } from "../load/open.ts";
import { printSteps } from "../plan.ts";
import type { Model } from "../tensor.ts";
import type { Answer } from "./answer.ts";
import { newJob } from "./begin.ts";
import { type Candidate, parseCandidate, printCandidate } from "./candidate.ts";
import { ofOneTensor } from "./choices.ts";
import { candidatesOf } from "./filter.ts";
import { runsOf, stepsOfTensor } from "./how.ts";
import { type Job, type Weight, weightsOf } from "./job.ts";
import type { LedgerPlace } from "./ledger.ts";
import { presetSpace } from "./presets.ts";
import { type Priced, price } from "./price.ts";
import { scoreAlone } from "./score.ts";
import { type Scored, scoredIn } from "./scored.ts";
import type { CompressOptions } from "./settings.ts";
import { unlessUnfit } from "./unfit.ts";

// An answer in detail, for people who check it: what was expected of each candidate, and what becomes of each tensor.

/** What was known of a candidate before it was run. */
export interface Expectation {
  /** See printCandidate. */
  readonly plan: string;
  readonly latency: Prediction;
  /** null: nothing is known of the line. */
  readonly load: Interval | null;
  /** Of the file. */
  readonly bytes: number;
  /** Bytes while it is loaded. */
  readonly memory: number;
}

/** A tensor of the answer. */
export interface Layer {
  readonly tensor: string;
  /** The units that have it, in the order of running. */
  readonly units: readonly string[];
  /** Of the first one; null: no unit has it. */
  readonly type: UnitType | null;
  readonly steps: string;
  /** How its codes are run; null: no unit multiplies with it. */
  readonly run: UnitRun | null;
  readonly elements: number;
  /** In the file; of a chunk that it shares, its share by elements. */
  readonly bytes: number;
  /** Predicted of the units that multiply with it, or have no weight and it first, with what is done for them between floats and integers. */
  readonly ms: number;
  /** Of the model where nothing else is changed, on the samples for scores; activations as floats. null: nothing runs with it */
  readonly loss: number | null;
  /** What else was measured so, by bytes. */
  readonly choices: readonly Scored[];
}

export interface Outline {
  /** Those that were run, too. */
  readonly expected: readonly Expectation[];
  /** In the order of running, then what no unit has. */
  readonly layers: readonly Layer[];
}

/**
 * Prices the candidates again, and runs the model with each tensor of the answer alone, unless the ledger knows how that went.
 * @param options - those that the answer was found with, and the ledger that was kept meanwhile
 * @throws as compress
 */
export async function outline(
  model: Model,
  options: CompressOptions & { readonly ledger: LedgerPlace },
  { file, plan, trials }: Answer,
): Promise<Outline> {
  const job = await newJob(model, options);
  const space = options.space ?? presetSpace(job.description);
  const { kept } = candidatesOf(space, model, job.description, job.environment, options);
  const texts = new Set([...kept.map(printCandidate), ...trials.map((trial) => trial.plan)]);
  const expected: Expectation[] = [];
  for (const text of texts) {
    const found = await pricedOf(job, text);
    if (found) expected.push(expectationOf(found));
    job.onProgress({ phase: "pricing", done: expected.length, total: texts.size });
  }
  const { index } = await open(bytesSource(file), { kernels: job.kernels });
  const scored = scoredIn((await options.ledger.read()) ?? "");
  return { expected, layers: await layersOf(job, parseCandidate(plan), index, scored) };
}

/** null: the values of a tensor do not allow it. */
async function pricedOf(job: Job, text: string): Promise<Priced | null> {
  job.signal?.throwIfAborted();
  return price(job, parseCandidate(text)).catch(unlessUnfit);
}

function expectationOf({ text, latency, load, bytes, memory }: Priced): Expectation {
  return { plan: text, latency, load: load && { ms: load.ms, low: load.low, high: load.high }, bytes, memory };
}

async function layersOf(
  job: Job,
  candidate: Candidate,
  index: readonly IndexEntry[],
  scored: ReadonlyMap<string, readonly Scored[]>,
): Promise<Layer[]> {
  const times = timesOf(job, candidate);
  const runOf = runsOf(job, candidate);
  const weights = new Map(weightsOf(job).map((weight) => [weight.tensor.name, weight]));
  const layers: Layer[] = [];
  for (const { name, plan, elements, storedBytes } of inOrder(index, job.description.units)) {
    const weight = weights.get(name);
    const using = job.description.units.filter(({ parameters }) => parameters.includes(name));
    const own = using.filter((unit) => mainOf(unit) === name);
    const [multiplying] = weight?.units ?? [];
    layers.push({
      ...{ tensor: name, units: using.map((unit) => unit.name), type: using[0]?.type ?? null },
      steps: weight ? printSteps(stepsOfTensor(job, candidate, weight.tensor)) : plan,
      run: multiplying ? runOf(multiplying) : null,
      ...{ elements, bytes: storedBytes },
      ms: own.reduce((sum, unit) => sum + (times.get(unit.name) ?? 0), 0),
      loss: weight ? await lossAlone(job, candidate, weight) : null,
      choices: scored.get(name) ?? [],
    });
    job.onProgress({ phase: "scoring", done: layers.length, total: index.length, note: name });
  }
  return layers;
}

function inOrder(index: readonly IndexEntry[], units: readonly Unit[]): IndexEntry[] {
  const order = new Map(units.flatMap(({ parameters }) => parameters).map((name, i) => [name, i]));
  const at = ({ name }: IndexEntry): number => order.get(name) ?? order.size;
  return [...index].sort((a, b) => at(a) - at(b));
}

/** The tensor that a unit's time is told of. */
function mainOf({ weight, parameters }: Unit): string | undefined {
  return weight?.name ?? parameters[0];
}

async function lossAlone(job: Job, candidate: Candidate, weight: Weight): Promise<number | null> {
  const steps = ofOneTensor(stepsOfTensor(job, candidate, weight.tensor));
  return steps.length > 1 ? scoreAlone(job, weight, steps).catch(unlessUnfit) : 0;
}

/** Milliseconds by unit. What several units have in common is that of the first. */
function timesOf(job: Job, candidate: Candidate): Map<string, number> {
  const times = new Map<string, number>();
  for (const { unit, ms } of partTimes(job.latency, job.description, runsOf(job, candidate)))
    times.set(unit, (times.get(unit) ?? 0) + ms);
  return times;
}
