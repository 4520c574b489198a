import type { Unit } from "../engine/engine.ts";
import type { UnitKey } from "./row.ts";
import type { Run } from "./run.ts";

// Units as tables have them.

/** A unit, wherever it runs. */
export type UnitSpec = Omit<UnitKey, "environment">;

/**
 * What sets a unit apart from others of its form. Shapes are those of a batch of one.
 * conv and depthwise: { in, out, kernel, strides, groups }; dense: { rows, inputs, outputs }; matmul: { in, out, inner };
 * pool: { in, out, kernel, strides }; all others: { in, out }.
 */
export function specOf(unit: Unit, precision: Run, batch = 1): UnitSpec {
  return { type: unit.type, form: formOf(unit), attributes: attributesOf(unit), precision, batch };
}

/** The operators, and an activation that one of them has inside. */
function formOf({ type, operators, attributes: { activation } }: Unit): string {
  const inside = activation !== undefined && type !== "activation" && operators.length === 1;
  return (inside ? [...operators, activation] : operators).join("+");
}

function attributesOf({ type, inputShape, outputShape, attributes, macs }: Unit): UnitSpec["attributes"] {
  const { kernel = [], strides = [], groups = 1 } = attributes;
  const shapes = { in: short(inputShape), out: short(outputShape) };
  if (type === "conv" || type === "depthwise") return { ...shapes, kernel, strides, groups };
  if (type === "pool") return { ...shapes, kernel, strides };
  const outputs = outputShape.at(-1) ?? 1;
  if (type === "dense") return { rows: elementsOf(outputShape) / outputs, inputs: inputShape.at(-1) ?? 1, outputs };
  if (type === "matmul") return { ...shapes, inner: Math.max(1, Math.round(macs / elementsOf(outputShape))) };
  return shapes;
}

/** As many dimensions as rows can have. */
function short(shape: readonly number[]): readonly number[] {
  return shape.slice(-16);
}

export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** A list of numbers among the attributes of a unit; none if it has no such list. */
export function listOf({ attributes }: UnitSpec, name: string): readonly number[] {
  const value = attributes[name];
  return Array.isArray(value) ? value : [];
}

export function numberOf({ attributes }: UnitSpec, name: string): number {
  const value = attributes[name];
  return typeof value === "number" ? value : 0;
}
