import type { FileEstimate } from "../container/estimate.ts";
import type { UnitActivations } from "../container/prelude.ts";
import type { Prediction } from "../latency/interval.ts";
import { type LoadPrediction, predictLoad } from "../latency/load.ts";
import { predictRun } from "../latency/predict.ts";
import type { Rule } from "../plan.ts";
import { type Candidate, printCandidate } from "./candidate.ts";
import { isQuantized, localPlan, planOf, runsOf, stepsOfTensor } from "./how.ts";
import { type Job, weightsOf } from "./job.ts";

/** A candidate with what it would cost, none of it run. */
export interface Priced {
  readonly candidate: Candidate;
  /** See printCandidate. */
  readonly text: string;
  /** Of a run on one sample. */
  readonly latency: Prediction;
  /** Until all tensors are there; null: nothing is known of the line. */
  readonly load: LoadPrediction | null;
  /** Of the file. */
  readonly bytes: number;
  /** Bytes while it is loaded: the tensors, and what reading takes beside them. */
  readonly memory: number;
}

export async function price(job: Job, candidate: Candidate): Promise<Priced> {
  const { latency: model, description, environment, decoding } = job;
  const file = await estimate(job, candidate);
  return {
    candidate,
    text: printCandidate(candidate),
    latency: predictRun(model, description, runsOf(job, candidate)),
    load: predictLoad(file, environment, decoding).prediction,
    bytes: file.fileBytes,
    memory: 4 * file.elements + file.peak,
  };
}

/** The file that the candidate would be; of codes of activations what they take, not what they are. */
async function estimate(job: Job, candidate: Candidate): Promise<FileEstimate> {
  const { costs, graph, signal } = job;
  if (candidate.run !== "int8") return costs.estimate(planOf(job, candidate), { graph, signal });
  const weights = weightsOf(job).filter(({ weight }) => weight);
  const own = weights.map(({ tensor }) => [tensor.name, stepsOfTensor(job, candidate, tensor)] as const);
  const coded = new Map(own.filter(([, steps]) => isQuantized(steps)));
  const activations = weights.flatMap(({ tensor, units }) =>
    coded.has(tensor.name) ? units.map(({ name }): UnitActivations => ({ ...CODES, unit: name })) : [],
  );
  const plan: readonly Rule[] = localPlan(planOf(job, candidate), coded);
  return costs.estimate(plan, { graph, signal, ...(activations.length > 0 && { activations }) });
}

const CODES = { factors: null, scale: Math.fround(1 / 3), zeroPoint: -100, least: -128, most: 127 };
