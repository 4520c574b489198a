import { fixedBatch } from "../engine/batch.ts";
import type { Description, Unit } from "../engine/engine.ts";
import { AGAIN, type Calibration, calibrate, type Known, type PartTime } from "./calibrate.ts";
import type { Environment } from "./environment.ts";
import type { Prediction } from "./interval.ts";
import { type Part, partsOf, type RunOf } from "./parts.ts";
import { errorOf, type Latency } from "./pool.ts";
import { type Regressor, regressor } from "./regress.ts";
import { boundOf } from "./roofline.ts";
import type { Row } from "./row.ts";
import { elementsOf, type UnitSpec } from "./spec.ts";
import { type LatencyTable, latencies } from "./table.ts";
import { isPossible, workOf } from "./work.ts";

// Times of models from those of their units.

/** What a table tells of an environment. */
export interface LatencyModel {
  readonly environment: Environment;
  /** A unit by itself: its own row, else a regression over rows of its kind, else a bound on what machines can do. Never 0. */
  unit(spec: UnitSpec): UnitPrediction;
  /** What whole models were found to take beside their units. */
  readonly whole: Calibration;
}

export interface UnitPrediction {
  readonly ms: number;
  /** Standard deviation of the logarithm of `ms`. */
  readonly deviation: number;
  readonly from: "row" | "regression" | "bound";
}

/** A model that was measured whole, as the table's rows of type "model" name it. */
export interface Whole {
  readonly units: readonly Unit[];
  readonly inputs: readonly (readonly number[])[];
  readonly outputs: readonly (readonly number[])[];
  readonly batch: number;
  readonly runOf: RunOf;
}

/** Fewer rows of a kind tell nothing about others. */
const FEWEST = 4;
/** Where nothing is known but what machines can do: a factor of five either way. */
const BOUND_DEVIATION = 1;

/**
 * Everything that rows of an environment tell.
 * @param wholeOf - the model that a row of type "model" is about; null for those that nothing is known of
 */
export function latencyModel(
  table: LatencyTable,
  environment: Environment,
  wholeOf: (row: Latency) => Whole | null = () => null,
): LatencyModel {
  const rows = latencies(table, { environment: environment.id });
  const own = new Map(rows.map((row) => [keyOf(row), row]));
  const kinds = new Map<string, Latency[]>();
  for (const row of rows) {
    if (row.type === "model" || row.type === "reference") continue;
    const work = workOf(row);
    if (isPossible(work)) kinds.set(work.kind, [...(kinds.get(work.kind) ?? []), row]);
  }
  const regressors = new Map<string, Regressor | null>();
  const regressed = (kind: string): Regressor | null => {
    const found = kinds.get(kind) ?? [];
    const made = regressors.get(kind) ?? (found.length < FEWEST ? null : regressor(found));
    regressors.set(kind, made);
    return made;
  };
  const told = new Map<string, UnitPrediction>();
  const unit = (spec: UnitSpec): UnitPrediction => {
    const key = keyOf(spec);
    const known = told.get(key) ?? tell(spec, own.get(key));
    told.set(key, known);
    return known;
  };
  const tell = (spec: UnitSpec, row: Latency | undefined): UnitPrediction => {
    if (row && row.median > 0) {
      return { ms: row.median, deviation: Math.hypot(AGAIN, Math.min(errorOf(row), 1)), from: "row" };
    }
    const work = workOf(spec);
    const found = regressed(work.kind);
    if (found) return { ...found.at(work), from: "regression" };
    return { ms: boundOf(spec, environment.runtime.threads), deviation: BOUND_DEVIATION, from: "bound" };
  };
  const known = rows.flatMap((row): Known[] => {
    const whole = row.type === "model" && row.median > 0 ? wholeOf(row) : null;
    return whole ? [{ ms: row.median, parts: timesOf(unit, specsOf(whole)) }] : [];
  });
  return { environment, unit, whole: calibrate(known) };
}

function keyOf({ type, form, attributes, precision, batch }: UnitSpec | Row): string {
  return JSON.stringify([
    type,
    form,
    precision,
    batch,
    Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)),
  ]);
}

/** What parts of a model take by themselves. */
function timesOf(unit: LatencyModel["unit"], specs: readonly UnitSpec[]): (UnitPrediction & PartTime)[] {
  return specs.map((spec) => ({ ...unit(spec), spec }));
}

/** The parts of a model, and what a call of it costs beside them. */
export function specsOf(whole: Whole): UnitSpec[] {
  return [callOf(whole), ...partsOf(whole.units, whole.runOf, whole.batch).map(({ spec }) => spec)];
}

function callOf({ inputs, outputs, batch }: Whole): UnitSpec {
  const count = (shapes: Whole["inputs"]): number => shapes.reduce((sum, shape) => sum + elementsOf(shape), 0);
  return {
    ...{ type: "run", form: "run", precision: "f32", batch: 1 },
    attributes: { in: [batch * count(inputs)], out: [batch * count(outputs)] },
  };
}

/** A part of a model, with what it takes there. */
export interface TimedPart extends Part {
  /** Milliseconds. */
  readonly ms: number;
  readonly from: UnitPrediction["from"];
}

/** What parts of a model take in it; beside them there is the call. */
export function partTimes(model: LatencyModel, description: Description, runOf: RunOf, batch = 1): TimedPart[] {
  const whole = wholeModel(description, runOf, batch);
  const parts = partsOf(whole.units, whole.runOf, whole.batch);
  const times = timesOf(model.unit, specsOf(whole));
  const told = model.whole.told(times).parts;
  return parts.map((part, i) => ({
    ...part,
    ms: told[i + 1] as number,
    from: (times[i + 1] as UnitPrediction).from,
  }));
}

/** Of a normal distribution, nine out of ten are within so many standard deviations. */
const NINE_OF_TEN = 1.645;

/**
 * Milliseconds of a run of a batch.
 * @param runOf - how units with weights are run
 * @param batch - samples at once, of a model that leaves it free; one that fixes it runs its own
 */
export function predictRun(model: LatencyModel, description: Description, runOf: RunOf, batch = 1): Prediction {
  return predictWhole(model, wholeModel(description, runOf, batch));
}

/** A model as a whole that is run so. */
export function wholeModel({ units, inputs, outputs }: Description, runOf: RunOf, batch: number): Whole {
  // Of what the model leaves free, units tell the extents that they were described with.
  const described = new Map(
    units.flatMap((unit) => [[unit.inputs[0], unit.inputShape] as const, [unit.output, unit.outputShape] as const]),
  );
  const shapes = (infos: Description["inputs"]) =>
    infos.map(
      ({ name, shape }) =>
        (shape.slice(1).includes(-1) ? described.get(name) : undefined) ?? shape.map((extent) => Math.max(1, extent)),
    );
  // Units of a model that fixes the batch are described with all of it.
  const times = fixedBatch({ inputs }) ? 1 : batch;
  return { units, inputs: shapes(inputs), outputs: shapes(outputs), batch: times, runOf };
}

export function predictWhole(model: LatencyModel, whole: Whole): Prediction {
  const times = timesOf(model.unit, specsOf(whole));
  const { ms, parts, deviation } = model.whole.told(times);
  const known = times.reduce((sum, { from }, i) => sum + (from === "row" ? (parts[i] as number) : 0), 0);
  const most = Math.exp(NINE_OF_TEN * deviation);
  return { ms, low: ms / most, high: ms * most, known: Math.min(1, known / ms) };
}
