import type { Unit } from "../engine/engine.ts";
import { fused } from "./fuse.ts";
import type { UnitRun } from "./run.ts";
import { specOf, type UnitSpec } from "./spec.ts";

// What a runtime does when a model runs, unit by unit, and what it does between units of integers and of floats.

export interface Part {
  readonly spec: UnitSpec;
  /** The unit that it is for. */
  readonly unit: string;
}

/** How units with weights are run; all others follow from it. */
export type RunOf = (unit: Unit) => UnitRun;

/**
 * The parts of a model as writeQdq and ONNX Runtime leave it where units run in integers:
 * - Values become codes where a unit of integers takes them, unless they are codes already: in front of the units that only move values to it.
 * - A convolution multiplies integers if all that takes its output, perhaps behind units that only move values, are units of integers. It has the channels
 *   last, so values are transposed where such convolutions begin and end; MaxPools between and behind them have the channels last too. Otherwise its codes
 *   become floats whenever it runs.
 * - A dense unit multiplies integers wherever it stands, but for a Gemm with a Relu behind which there are floats.
 * - What is divided by factors first comes as floats, and becomes codes for one unit alone.
 */
export function partsOf(units: readonly Unit[], runOf: RunOf, batch = 1): Part[] {
  const graph = flowOf(fused(units), runOf);
  const coded = new Set<string>();
  return graph.units.flatMap((unit) =>
    partsOfUnit(graph, unit, coded, batch).map((spec) => ({ spec, unit: unit.name })),
  );
}

interface Graph {
  readonly units: readonly Unit[];
  readonly makers: ReadonlyMap<string, Unit>;
  readonly takers: ReadonlyMap<string, readonly Unit[]>;
  readonly runOf: RunOf;
}

function flowOf(units: readonly Unit[], runOf: RunOf): Graph {
  const takers = new Map<string, Unit[]>();
  for (const unit of units) for (const name of unit.inputs) takers.set(name, [...(takers.get(name) ?? []), unit]);
  return { units, makers: new Map(units.map((unit) => [unit.output, unit])), takers, runOf };
}

/** Operators that give some of the values that they take: codes stay codes. */
const MOVING = ["MaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze"];
/** What is nothing in codes from 0 on. */
const VANISHING = ["Relu", "Clip"];

/** What ONNX Runtime makes of a MaxPool between convolutions of integers. */
export const CHANNELS_LAST = "NhwcMaxPool";

const isMover = ({ operators }: Unit): boolean => operators.length === 1 && MOVING.includes(operators[0] as string);
const isPool = (unit: Unit): boolean => isMover(unit) && unit.type === "pool";
const isInteger = ({ runOf }: Graph, unit: Unit): boolean => unit.weight !== null && runOf(unit).startsWith("int8");
const isSmooth = ({ runOf }: Graph, unit: Unit): boolean => unit.weight !== null && runOf(unit) === "int8 smooth";
const isConv = ({ type }: Unit): boolean => type === "conv" || type === "depthwise";

/** The units of integers that take a value, perhaps behind movers; null if anything else takes it, or nothing does. */
function integersBehind(graph: Graph, value: string): readonly Unit[] | null {
  const takers = graph.takers.get(value) ?? [];
  const [only] = takers;
  if (takers.length === 1 && only && isMover(only)) return integersBehind(graph, only.output);
  const all =
    takers.length > 0 &&
    takers.every((unit) => isInteger(graph, unit) && !isSmooth(graph, unit) && unit.inputs[0] === value);
  return all ? takers : null;
}

/** Whether a unit of integers ends in codes. Behind MatMul and Add of three dimensions there is a Reshape first. */
function endsInCodes(graph: Graph, unit: Unit): boolean {
  if (unit.operators[0] === "MatMul") return false;
  const plain = unit.operators.slice(1).every((operator) => operator === "Add" || VANISHING.includes(operator));
  return plain && integersBehind(graph, unit.output) !== null;
}

const isIntegerConv = (graph: Graph, unit: Unit): boolean =>
  isInteger(graph, unit) && isConv(unit) && endsInCodes(graph, unit);

/** Whether codes become floats in front of a unit: of a convolution that does not end in codes, and of Gemm with a Relu that is no code's, which are one operator of floats. */
function staysFloat(graph: Graph, unit: Unit): boolean {
  if (isConv(unit)) return !isIntegerConv(graph, unit);
  const [first, ...rest] = unit.operators;
  const isGemm = first === "Gemm" || (first === "MatMul" && rest[0] === "Add" && unit.inputShape.length === 2);
  return isGemm && rest.includes("Relu") && !endsInCodes(graph, unit);
}

/** The unit whose codes a value is, perhaps behind movers; null: it is of floats. */
function codesFrom(graph: Graph, value: string): Unit | null {
  const maker = graph.makers.get(value);
  if (!maker) return null;
  if (isMover(maker))
    return (graph.takers.get(value) ?? []).length === 1 ? codesFrom(graph, maker.inputs[0] as string) : null;
  if (!isInteger(graph, maker) || !endsInCodes(graph, maker)) return null;
  return maker;
}

function partsOfUnit(graph: Graph, unit: Unit, coded: Set<string>, batch: number): UnitSpec[] {
  if (!unit.weight) return [moved(graph, unit, batch)];
  const run = graph.runOf(unit);
  if (run !== "int8" && run !== "int8 smooth") return [specOf(unit, run, batch)];
  const smooth = run === "int8 smooth";
  const first = smooth ? unit : firstMover(graph, unit);
  const [value = ""] = first.inputs;
  const from = smooth ? null : codesFrom(graph, value);
  const parts: UnitSpec[] = [];
  if (smooth) parts.push(between("Div", unit.inputShape, batch));
  if (smooth || (!from && !coded.has(value))) parts.push(between("QuantizeLinear", first.inputShape, batch));
  if (!smooth) coded.add(value);
  if (staysFloat(graph, unit))
    return [...parts, between("DequantizeLinear", unit.inputShape, batch), specOf(unit, "w8", batch)];
  if (!isConv(unit)) return [...parts, denseOf(unit, endsInCodes(graph, unit), batch)];
  if (!(from && isConv(from))) parts.push(channelsExchanged(unit.inputShape, batch));
  parts.push(specOf(bare(unit, true), "int8", batch));
  const { takers, last } = behindPools(graph, unit);
  if (!takers.every((each) => isConv(each) && isIntegerConv(graph, each)))
    parts.push(channelsExchanged(last.outputShape, batch));
  return parts;
}

/** Rounding sums to codes takes WebAssembly 8 nanoseconds each; convolutions always end so. */
function denseOf(unit: Unit, codes: boolean, batch: number): UnitSpec {
  const spec = specOf(bare(unit, codes), "int8", batch);
  return codes ? { ...spec, form: `${spec.form}+QuantizeLinear` } : spec;
}

/** Of the units that only move values to a unit, and to nothing else, the first; else the unit. */
function firstMover(graph: Graph, unit: Unit): Unit {
  const [value = ""] = unit.inputs;
  const maker = graph.makers.get(value);
  return maker && isMover(maker) && graph.takers.get(value)?.length === 1 ? firstMover(graph, maker) : unit;
}

/** What takes the output of a convolution, and the last MaxPool on the way there: the channels stay last until then. */
function behindPools(graph: Graph, unit: Unit): { takers: readonly Unit[]; last: Unit } {
  const takers = graph.takers.get(unit.output) ?? [];
  const [only] = takers;
  return takers.length === 1 && only && isPool(only) ? behindPools(graph, only) : { takers, last: unit };
}

/** A unit without a weight, on codes where those are what it is given, with the channels where they are. */
function moved(graph: Graph, unit: Unit, batch: number): UnitSpec {
  if (!isPool(unit) || !integersBehind(graph, unit.output)) return specOf(unit, "f32", batch);
  const from = codesFrom(graph, unit.inputs[0] as string);
  return { ...specOf(unit, "int8", batch), ...(from && isConv(from) && { form: CHANNELS_LAST }) };
}

/** A unit without what vanishes. */
function bare(unit: Unit, codes: boolean): Unit {
  const operators = unit.operators.filter((operator) => !VANISHING.includes(operator));
  if (!codes || operators.length === unit.operators.length) return unit;
  const { activation: _, ...attributes } = unit.attributes;
  return { ...unit, operators, attributes };
}

/** A picture whose channels become last, or second. A single one is where it was. */
function channelsExchanged(shape: readonly number[], batch: number): UnitSpec {
  const part = between("Transpose", shape, batch);
  return shape[1] === 1 ? { ...part, form: "Reshape", precision: "f32" } : part;
}

function between(form: string, shape: readonly number[], batch: number): UnitSpec {
  const attributes = { in: shape.slice(-16), out: shape.slice(-16) };
  const precision = form === "Div" ? "f32" : "int8";
  return { type: form === "Transpose" ? "shape" : "elementwise", form, attributes, precision, batch };
}
