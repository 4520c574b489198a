import type { Description, Unit } from "../engine/engine.ts";
import { AGAIN, type Calibration, calibrate, groupOf, type Known } from "./calibrate.ts";
import type { Environment } from "./environment.ts";
import type { Prediction } from "./interval.ts";
import { type Part, partsOf, type RunOf } from "./parts.ts";
import type { Latency } from "./pool.ts";
import { type Regressor, regressor } from "./regress.ts";
import { boundOf } from "./roofline.ts";
import type { Row } from "./row.ts";
import { elementsOf, type UnitSpec } from "./spec.ts";
import { type LatencyTable, latencies } from "./table.ts";
import { workOf } from "./work.ts";

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
/** Half of the distance between the quartiles of a normal distribution, in standard deviations. */
const HALF_QUARTILES = 0.6745;
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
    const { kind } = workOf(row);
    kinds.set(kind, [...(kinds.get(kind) ?? []), row]);
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
      const spread = row.spread / row.median / HALF_QUARTILES / Math.sqrt(Math.max(1, row.count));
      return { ms: row.median, deviation: Math.hypot(AGAIN, Math.min(spread, 1)), from: "row" };
    }
    const work = workOf(spec);
    const found = regressed(work.kind);
    if (found) return { ...found.at(work), from: "regression" };
    return { ms: boundOf(spec, environment.runtime.threads), deviation: BOUND_DEVIATION, from: "bound" };
  };
  const known = rows.flatMap((row): Known[] => {
    const whole = row.type === "model" ? wholeOf(row) : null;
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

interface Time extends UnitPrediction {
  readonly group: string;
}

/** What parts of a model take by themselves. */
function timesOf(unit: LatencyModel["unit"], specs: readonly UnitSpec[]): Time[] {
  return specs.map((spec) => ({ ...unit(spec), group: groupOf(spec) }));
}

/** A unit as a part of a model: milliseconds. */
export function partTime({ unit, whole }: LatencyModel, spec: UnitSpec): number {
  return unit(spec).ms * whole.factor(groupOf(spec));
}

/** The parts of a model, and what a call of it costs beside them. */
export function specsOf({ units, inputs, outputs, batch, runOf }: Whole): UnitSpec[] {
  const parts: Part[] = partsOf(units, runOf, batch);
  const count = (shapes: Whole["inputs"]): number => shapes.reduce((sum, shape) => sum + elementsOf(shape), 0);
  const call: UnitSpec = {
    ...{ type: "run", form: "run", precision: "f32", batch: 1 },
    attributes: { in: [batch * count(inputs)], out: [batch * count(outputs)] },
  };
  return [call, ...parts.map(({ spec }) => spec)];
}

interface Sum {
  readonly ms: number;
  /** Of the logarithm. */
  readonly deviation: number;
  readonly known: number;
}

/** Rows and neighbours that several units have in common err together: half of what a unit may err by is taken as common to all. */
const COMMON = 0.5;

function summed({ unit, whole }: LatencyModel, specs: readonly UnitSpec[]): Sum {
  let [ms, known, together, apart] = [0, 0, 0, 0];
  for (const { ms: alone, deviation, from, group } of timesOf(unit, specs)) {
    const own = alone * whole.factor(group);
    ms += own;
    if (from === "row") known += own;
    together += own * deviation;
    apart += (own * deviation) ** 2;
  }
  const deviation = Math.sqrt(COMMON ** 2 * together ** 2 + (1 - COMMON ** 2) * apart) / ms;
  return { ms, deviation, known: known / ms };
}

/** Of a normal distribution, nine out of ten are within so many standard deviations. */
const NINE_OF_TEN = 1.645;

/** Milliseconds of a run of a batch. @param runOf - how units with weights are run */
export function predictRun(model: LatencyModel, description: Description, runOf: RunOf, batch = 1): Prediction {
  const shapes = (infos: Description["inputs"]) => infos.map(({ shape }) => shape.map((extent) => Math.max(1, extent)));
  const { units, inputs, outputs } = description;
  return predictWhole(model, { units, inputs: shapes(inputs), outputs: shapes(outputs), batch, runOf });
}

export function predictWhole(model: LatencyModel, whole: Whole): Prediction {
  const { ms, deviation, known } = summed(model, specsOf(whole));
  const most = Math.exp(NINE_OF_TEN * Math.hypot(deviation, model.whole.deviation));
  return { ms, low: ms / most, high: ms * most, known };
}
