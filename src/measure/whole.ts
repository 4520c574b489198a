import type { Latency } from "../latency/pool.ts";
import type { Whole } from "../latency/predict.ts";
import type { Run } from "../latency/run.ts";
import { numberOf } from "../latency/spec.ts";
import { type Relative, relative } from "./family.ts";

/** The model that a row of the builder is about, for latencyModel. */
export function wholeOf(row: Latency): Whole | null {
  if (row.type !== "model" || row.form !== "family") return null;
  return wholeFrom(relative(numberOf(row, "index"), numberOf(row, "seed")), row.precision as Run);
}

export function wholeFrom({ units, input }: Relative, run: Run): Whole {
  return { units, inputs: [input.shape], outputs: [units.at(-1)?.outputShape ?? []], runOf: () => run };
}
