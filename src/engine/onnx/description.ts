import { DATA_TYPES } from "../../model/onnx/types.ts";
import { bytesOf, elementCount } from "../../tensor.ts";
import type { Attributes, Description, ModelKind, Unit, ValueInfo } from "../engine.ts";
import type { OnnxGraph } from "./graph.ts";
import { activationName } from "./operators.ts";
import { scalesOf } from "./scales.ts";
import type { Seen } from "./structure.ts";
import type { UnitNodes } from "./units.ts";
import { isFloatType } from "./values.ts";

/** The description of a model whose values have been seen. */
export function describeGraph(
  graph: OnnxGraph,
  unitNodes: readonly UnitNodes[],
  seen: ReadonlyMap<string, Seen>,
): Description {
  const { program } = graph;
  const info = ({ name, dataType, shape }: (typeof program.inputs)[number]): ValueInfo => {
    const found = seen.get(name);
    const type = dataType || found?.dataType || 0;
    return { name, integer: !isFloatType(type), shape: shape ?? (found?.shape ?? []).map(() => -1) };
  };
  const units = unitNodes.map((unit) => described(graph, unit, seen));
  return { kind: kindOf(units), inputs: program.inputs.map(info), outputs: program.outputs.map(info), units };
}

function described(graph: OnnxGraph, unit: UnitNodes, seen: ReadonlyMap<string, Seen>): Unit {
  const { name, type, nodes, inputs, output, weight, parameters } = unit;
  const shapeOf = (value: string | undefined): readonly number[] => seen.get(value ?? "")?.shape ?? [];
  const inputShape = shapeOf(inputs[0]);
  const outputShape = shapeOf(output);
  const heads = parameters.map((parameter) => graph.program.initializers.get(parameter));
  return {
    name,
    type,
    operators: nodes.map(({ operator }) => operator),
    inputs,
    output,
    inputShape,
    outputShape,
    weight,
    scales: scalesOf(graph, unit),
    parameters,
    attributes: attributesOf(graph, unit),
    macs: macsOf(graph, unit, inputShape, outputShape),
    bytes: heads.reduce((sum, head) => {
      const dtype = DATA_TYPES.get(head?.dataType ?? 0)?.dtype;
      return sum + (head && dtype ? bytesOf(dtype, elementCount(head.shape)) : 0);
    }, 0),
  };
}

function attributesOf(graph: OnnxGraph, { type, nodes, activation }: UnitNodes): Attributes {
  const { attributes, operator, inputs } = nodes[0] as UnitNodes["nodes"][number];
  const list = (key: string): readonly number[] | null => {
    const value = attributes.get(key);
    return Array.isArray(value) ? value : null;
  };
  const convolution = type === "conv" || type === "depthwise";
  const weight = convolution ? graph.program.initializers.get(inputs[1] ?? "")?.shape.slice(2) : undefined;
  const kernel = list("kernel_shape") ?? weight;
  const strides = list("strides") ?? (kernel && kernel.length > 0 ? kernel.map(() => 1) : undefined);
  const fused = activation ?? (type === "activation" ? operator : null);
  return {
    ...(kernel && kernel.length > 0 ? { kernel } : {}),
    ...(strides ? { strides } : {}),
    ...(convolution ? { groups: Number(attributes.get("group") ?? 1) } : {}),
    ...(fused ? { activation: activationName(fused) } : {}),
  };
}

// Of what is multiplied with what: additions and comparisons are not counted.
function macsOf(
  graph: OnnxGraph,
  { type, nodes, inputs }: UnitNodes,
  inputShape: readonly number[],
  outputShape: readonly number[],
): number {
  const node = nodes[0] as UnitNodes["nodes"][number];
  const shape = (index: number): readonly number[] =>
    graph.program.initializers.get(node.inputs[index] ?? "")?.shape ?? [];
  const results = elementCount(outputShape);
  if (type === "conv" || type === "depthwise") {
    const weight = shape(1);
    const turned = node.operator === "ConvTranspose";
    return (turned ? elementCount(inputShape) : results) * elementCount(weight.slice(1));
  }
  if (type === "dense" || type === "matmul") {
    const first = node.inputs[0] === inputs[0] ? inputShape : shape(0);
    return results * (first[node.attributes.get("transA") ? 0 : first.length - 1] ?? 1);
  }
  if (type === "rnn")
    return (inputShape[0] ?? 1) * (inputShape[1] ?? 1) * (elementCount(shape(1)) + elementCount(shape(2)));
  const multiplies = type === "norm" || (type === "elementwise" && /^(Mul|Div|Pow)$/.test(node.operator));
  return multiplies ? results : 0;
}

function kindOf(units: readonly Unit[]): ModelKind {
  const count = (test: (unit: Unit) => boolean): number => units.filter(test).length;
  const type = (word: Unit["type"]): number => count((unit) => unit.type === word);
  if (type("rnn") > 0) return "rnn";
  const attention = count(({ operators }) => operators.some((operator) => /Attention$/.test(operator)));
  const softmax = count(({ attributes }) => attributes.activation === "softmax");
  if (attention > 0 || (type("matmul") >= 2 && softmax > 0)) return "transformer";
  if (type("depthwise") > 0) return "depthwise-cnn";
  if (type("conv") > 0) return "cnn";
  return type("dense") > 0 ? "mlp" : "other";
}
