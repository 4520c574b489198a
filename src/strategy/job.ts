import type { CostTable } from "../container/estimate.ts";
import type { Dataset } from "../data/dataset.ts";
import { feedOf, filled } from "../data/feed.ts";
import type { Description, Engine, Unit, UnitWeight, Values } from "../engine/engine.ts";
import type { EvaluateOptions } from "../evaluate/evaluate.ts";
import type { Kernels } from "../kernels.ts";
import type { DecodeSpeed } from "../latency/decoding.ts";
import type { Environment } from "../latency/environment.ts";
import type { LatencyModel } from "../latency/predict.ts";
import type { LatencyTable } from "../latency/table.ts";
import type { Plan } from "../plan.ts";
import type { LazyTensor, Model } from "../tensor.ts";
import type { Decoded } from "./decoded.ts";
import type { Ledger } from "./ledger.ts";
import type { Priority } from "./priority.ts";

// What everything that chooses works on.

export type Goal = "latency" | "size" | "load";
export const GOALS: readonly Goal[] = ["latency", "size", "load"];

export interface Limits {
  /** See lossOf. */
  readonly loss?: number | undefined;
  /** Of the file. */
  readonly bytes?: number | undefined;
  /** Milliseconds of a run on one sample. */
  readonly latency?: number | undefined;
  /** Bytes while it is loaded. */
  readonly memory?: number | undefined;
}

/** What outputs are, and how they are compared. */
export type Comparing = Pick<EvaluateOptions, "kind" | "scores" | "output" | "detection" | "batch" | "iou">;

export interface Progress {
  readonly phase: "pricing" | "trying" | "scoring" | "refining" | "tuning" | "checking" | "timing";
  readonly done: number;
  readonly total: number;
  /** What was found last. */
  readonly note?: string | undefined;
}

/** Counts trials down. Those that the ledger knows count as if they were made, so that a run that goes on ends where it would have. */
export interface Spending {
  readonly used: number;
  readonly most: number;
  /** Whether another one may be made. */
  left(): boolean;
  take(): void;
}

export interface Job {
  readonly kernels: Kernels;
  readonly engine: Engine;
  readonly model: Model;
  readonly description: Description;
  readonly environment: Environment;
  readonly latency: LatencyModel;
  /** How fast files are decoded there. */
  readonly decoding: DecodeSpeed;
  readonly table: LatencyTable;
  readonly costs: CostTable;
  readonly decoded: Decoded;
  /** Plans as they are packed, by those of candidates. */
  readonly fitted: WeakMap<Plan, Plan>;
  /** For ties. */
  readonly priority: Priority;
  readonly data: Dataset;
  readonly comparing: Comparing;
  /** Indices of samples: `trial` tells candidates apart, `score` is what single tensors are looked at with. */
  readonly samples: {
    readonly all: readonly number[];
    readonly trial: readonly number[];
    readonly score: readonly number[];
  };
  readonly goal: Goal;
  readonly limits: Limits;
  readonly seed: number;
  readonly graph: Uint8Array | null;
  readonly ledger: Ledger;
  readonly spending: Spending;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: (progress: Progress) => void;
}

export function newSpending({
  trials = 40,
  seconds,
}: {
  trials?: number | undefined;
  seconds?: number | undefined;
}): Spending {
  const end = seconds === undefined ? Number.POSITIVE_INFINITY : Date.now() + 1000 * seconds;
  let used = 0;
  return {
    get used() {
      return used;
    },
    most: trials,
    left: () => used < trials && Date.now() < end,
    take() {
      used++;
    },
  };
}

/** What the model is fed with, batch by batch. */
export async function* batchesOf(
  { data, description, comparing }: Job,
  indices: readonly number[],
): AsyncGenerator<Values> {
  const feed = feedOf(description, data);
  const size = feed.batch ?? comparing.batch ?? 32;
  for (let at = 0; at < indices.length; at += size) {
    const { inputs } = await data.read(filled(indices.slice(at, at + size), feed.batch));
    yield new Map([[feed.name, feed.value(inputs)]]);
  }
}

/** A tensor with the units that multiply with it. */
export interface Weight {
  readonly tensor: LazyTensor;
  /** As the first unit that multiplies with it has it; null: none does. */
  readonly weight: UnitWeight | null;
  readonly units: readonly Unit[];
}

/** The tensors that the engine can be given other values of, in the order of the model. */
export function weightsOf({ model, description }: Pick<Job, "model" | "description">): Weight[] {
  return model.tensors.flatMap((tensor) => {
    const using = description.units.filter(({ parameters }) => parameters.includes(tensor.name));
    if (using.length === 0) return [];
    const units = using.filter(({ weight }) => weight?.name === tensor.name);
    return [{ tensor, weight: units[0]?.weight ?? null, units }];
  });
}
