import type { Dataset } from "../data/dataset.ts";
import type { Engine } from "../engine/engine.ts";
import type { Kernels } from "../kernels.ts";
import type { Environment } from "../latency/environment.ts";
import type { latencyModel } from "../latency/predict.ts";
import type { LatencyTable } from "../latency/table.ts";
import type { Comparing, Goal, Limits, Progress } from "./job.ts";
import type { LedgerPlace } from "./ledger.ts";
import type { Priority } from "./priority.ts";

// What a run may be told, besides what it is about.

export interface Budget {
  /** Whole models that are packed and run. Default: 40 */
  readonly trials?: number | undefined;
  /** Time after which no further trial is begun. What is found then depends on the machine's day. Default: none */
  readonly seconds?: number | undefined;
}

export interface CompressSettings {
  /** What is to be small. Default: "latency" */
  readonly goal?: Goal | undefined;
  /** Default: a loss of 0.01 at most; Infinity: any loss */
  readonly limits?: Limits | undefined;
  readonly budget?: Budget | undefined;
  /** Rounds of refinement without anything better, after which it ends; 0: none are begun. Default: 2 */
  readonly rounds?: number | undefined;
  /** Of all that is drawn. Default: 1 */
  readonly seed?: number | undefined;
  /** Candidates, as texts with lists: see expandPlan. Default: those for the kind of model */
  readonly space?: readonly string[] | undefined;
  /** What goes first of candidates that are as good. Default: the list that ships */
  readonly priority?: Priority | undefined;
  /** Where what is found is kept, so that a run that was killed goes on. */
  readonly ledger?: LedgerPlace | undefined;
  /** Samples that tell candidates apart, drawn by the seed, and those that single tensors are looked at with. Default: 256 and 64 */
  readonly samples?: { readonly trial?: number | undefined; readonly score?: number | undefined } | undefined;
  /** What outputs are. Default: told by their shape */
  readonly comparing?: Comparing | undefined;
  /** Trains the weights under the plan in the end, where the runtime can and the data have labels. Default: false */
  readonly tune?: boolean | undefined;
  /** Kept in the file: see modelGraph. */
  readonly graph?: Uint8Array | null | undefined;
  /** Version of the model's ONNX operator set. Default: taken to be new enough */
  readonly opset?: number | undefined;
  readonly kernels?: Kernels | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** What a run is about, and what it may be told. */
export interface CompressOptions extends CompressSettings {
  readonly engine: Engine;
  readonly environment: Environment;
  /** What is known of how long units take there. */
  readonly table: LatencyTable;
  readonly data: Dataset;
  /** The models that rows of the table of type "model" are about: see latencyModel. Default: none is known */
  readonly wholeOf?: Parameters<typeof latencyModel>[2];
}

export const DEFAULT_LOSS = 0.01;
