import type { Latency } from "../latency/pool.ts";
import type { Whole } from "../latency/predict.ts";
import { RUNS, type Run } from "../latency/run.ts";
import type { UnitSpec } from "../latency/spec.ts";
import { drawRelative, type Relative, relativeUnits, seedOf } from "./family.ts";
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

/** The model that a row of the builder is about, for latencyModel; null for what no builder has made. */
export function wholeOf({ type, form, attributes, precision }: Latency): Whole | null {
  const { index, seed } = attributes;
  const run = RUNS.find((each) => each === precision);
  if (type !== "model" || !run || !isWhole(index) || !isWhole(seed)) return null;
  if (form === "family") return wholeFrom(unitsOnce(index, seed), run);
  return form === "layers" ? (layersRelative(index, seed, null)?.whole ?? null) : null;
}

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const MOST_KNOWN = 256;
const known = new Map<string, ReturnType<typeof relativeUnits>>();

/** Rows are of few graphs: each has one for every way to run it. */
function unitsOnce(index: number, seed: number): ReturnType<typeof relativeUnits> {
  const key = `${index} ${seed}`;
  const found = known.get(key);
  if (found) return found;
  if (known.size >= MOST_KNOWN) known.clear();
  const made = relativeUnits(index, seed);
  known.set(key, made);
  return made;
}

export function wholeFrom({ units, input }: Pick<Relative, "units" | "input">, run: Run): Whole {
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
