import { DataError } from "../../errors.ts";
import { type NewNode, nodeMessage } from "../../model/onnx/messages.ts";
import { DATA_TYPES } from "../../model/onnx/types.ts";
import { isFloat, narrow } from "../../tensor.ts";
import type { ActivationCodes, InputEdit } from "../engine.ts";
import type { OnnxGraph } from "./graph.ts";
import type { UnitNodes } from "./units.ts";

// What an edit of a unit's input puts in front of it: Div by the factors; then Div, Round, Clip and Mul, which are QuantizeLinear and DequantizeLinear
// for any range of codes, and take all their numbers as values, so that a session need not be made for each. Around those two operators ONNX Runtime also quantizes weights and biases that nobody
// asked it to, at any level of optimisation.

export interface NewTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface Inserted {
  /** NodeProtos, in order. */
  readonly nodes: readonly Uint8Array[];
  /** What they take, of the type of the unit's parameters. */
  readonly tensors: readonly NewTensor[];
  /** The value that the unit then takes. */
  readonly input: string;
}

/** Of Round, and of Clip that takes its bounds as values. */
const CODES_OPSET = 11;

/** Names are made of the unit's alone, so that edits of the same kind give the same graph. @throws DataError for what the unit cannot take */
export function insertedBefore(graph: OnnxGraph, unit: UnitNodes, edit: InputEdit): Inserted {
  const from = unit.nodes[0]?.inputs[unit.firstInput];
  if (from === undefined || unit.type === "embedding" || unit.type === "shape") {
    throw new DataError(`the input of unit "${unit.name}" (${unit.type}) cannot be divided or rounded`);
  }
  const nodes: Uint8Array[] = [];
  const tensors: NewTensor[] = [];
  const fresh = (what: string): string => freshName(graph, `${unit.name}/${what}`);
  let input = from;
  const then = (operator: string, what: string, numbers: readonly NewTensor[]): void => {
    const output = fresh(what);
    const inputs = [input, ...numbers.map(({ name }) => name)];
    tensors.push(...numbers.filter((tensor) => !tensors.includes(tensor)));
    nodes.push(nodeMessage({ operator, name: output, inputs, outputs: [output] } satisfies NewNode));
    input = output;
  };
  const { factors, codes } = edit;
  if (factors) then("Div", "divided", [{ name: fresh("factors"), ...checkedFactors(unit, factors) }]);
  if (codes) {
    demandOpset(graph, unit);
    const scalar = (what: string, value: number): NewTensor => ({
      name: fresh(what),
      shape: [],
      data: Float32Array.of(value),
    });
    demandCodes(unit.name, codes);
    const { scale, zeroPoint, least, most } = codes;
    const step = scalar("scale", scale);
    then("Div", "scaled", [step]);
    then("Round", "rounded", []);
    then("Clip", "clipped", [scalar("least", least - zeroPoint), scalar("most", most - zeroPoint)]);
    then("Mul", "restored", [step]);
  }
  return { nodes, tensors, input };
}

/** @throws DataError unless the codes are a range around the zero point, and the scale is positive */
export function demandCodes(name: string, codes: ActivationCodes): void {
  const { scale, zeroPoint, least, most } = codes;
  const whole = [zeroPoint, least, most].every(Number.isInteger);
  if (whole && scale > 0 && scale < Number.POSITIVE_INFINITY && least <= zeroPoint && zeroPoint <= most) return;
  throw new DataError(`codes of the input of unit "${name}" are not valid: ${JSON.stringify(codes)}`);
}

function demandOpset({ program }: OnnxGraph, { name }: UnitNodes): void {
  if (program.opset >= CODES_OPSET) return;
  throw new DataError(
    `rounding the input of unit "${name}" needs ONNX opset ${CODES_OPSET}, and this model has ${program.opset}`,
  );
}

function checkedFactors({ name, weight }: UnitNodes, factors: Float32Array): { shape: number[]; data: Float32Array } {
  if (!weight) throw new DataError(`unit "${name}" has no weight whose input channels could be divided`);
  const channels = weight.shape[weight.inputAxis];
  if (factors.length !== channels) {
    throw new DataError(`unit "${name}" has ${channels} input channels, and factors are ${factors.length}`);
  }
  const bad = factors.findIndex((factor) => !(factor > 0 && factor < Number.POSITIVE_INFINITY));
  if (bad >= 0) throw new DataError(`factor ${bad} of unit "${name}" is ${factors[bad]}, expected a positive number`);
  // Channels of convolutions have the positions behind them; all others are last.
  const positions = weight.channelAxis === 1 ? weight.shape.length - 2 : 0;
  return { shape: [factors.length, ...new Array<number>(positions).fill(1)], data: factors };
}

/** A name that no value has. */
export function freshName({ names }: OnnxGraph, wish: string): string {
  let name = wish;
  while (names.has(name)) name += "_";
  return name;
}

/** Bytes of floats in the type of the unit's parameters. */
export function floatBytes(dataType: number, data: Float32Array): Uint8Array {
  const dtype = DATA_TYPES.get(dataType)?.dtype;
  if (!dtype || !isFloat(dtype)) throw new DataError(`values of type ${dataType} of onnx.proto are no floats`);
  return narrow(dtype, data);
}
