import type { Latency } from "../latency/pool.ts";
import type { Whole } from "../latency/predict.ts";
import type { Run } from "../latency/run.ts";
import { numberOf, type UnitSpec } from "../latency/spec.ts";
import { drawRelative, type Relative, relative, seedOf } from "./family.ts";
import { type LayersModule, layersPen, type Net } from "./layers.ts";

// Graphs of the family as what the predictor takes.

/** A graph of the family as a unit. @param form - as graphs are opened: "family", or as models of "layers" */
export function familySpec(form: "family" | "layers", index: number, seed: number, run: Run): UnitSpec {
  return { type: "model", form, attributes: { seed, index }, precision: run, batch: 1 };
}

/**
 * What everything is timed beside: a net of 13 small units, about a millisecond long in WebAssembly. When the machine gets slower, calls and small units do
 * so by more than large products; of what was tried, a net like those that are told goes with all of them best.
 */
export const referenceSpec = (form: "family" | "layers"): UnitSpec => familySpec(form, 6, 3, "f32");

/** The model that a row of the builder is about, for latencyModel. */
export function wholeOf(row: Latency): Whole | null {
  if (row.type !== "model") return null;
  const [index, seed] = [numberOf(row, "index"), numberOf(row, "seed")];
  if (row.form === "family") return wholeFrom(relative(index, seed), row.precision as Run);
  return row.form === "layers" ? (layersRelative(index, seed, null)?.whole ?? null) : null;
}

export function wholeFrom({ units, input }: Relative, run: Run): Whole {
  return { units, inputs: [input.shape], outputs: [units.at(-1)?.outputShape ?? []], batch: 1, runOf: () => run };
}

/** A graph of the family as a model of layers; null for those that layers cannot be. @param module - null: for its units alone */
export function layersRelative(
  index: number,
  seed: number,
  module: LayersModule | null,
): { net: Net | null; shape: readonly number[]; whole: Whole } | null {
  const pen = layersPen(module, seedOf(index, seed));
  try {
    const { net, units, shape } = pen.finish(drawRelative(pen, index));
    const [batch = 1, ...rest] = shape;
    const whole = { units, inputs: [[1, ...rest]], outputs: [units.at(-1)?.outputShape ?? []], batch };
    return { net, shape, whole: { ...whole, runOf: () => "f32" } };
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
