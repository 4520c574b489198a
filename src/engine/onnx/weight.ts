import type { GraphNode } from "../../model/onnx/nodes.ts";
import type { TensorHead } from "../../model/onnx/program.ts";
import type { UnitType, UnitWeight } from "../engine.ts";
import { isParameter, type OnnxGraph } from "./graph.ts";
import { typeOf } from "./operators.ts";

// What a node multiplies with, and which dimensions of it are channels.

interface Head {
  readonly type: UnitType;
  readonly weight: UnitWeight | null;
}

/** The type of the unit that begins with a node, and its weight. */
export function headOf(graph: OnnxGraph, node: GraphNode): Head {
  const type = typeOf(node.operator);
  if (type === "conv") return convolution(graph, node);
  if (type === "matmul") return product(graph, node);
  if (type === "rnn") return { type, weight: weightOf(parameter(graph, node, 1), 3, [2, 1, 2]) };
  const picks = node.operator === "Gather" && isParameter(graph.program.initializers.get(node.inputs[0] ?? ""));
  return { type: picks ? "embedding" : type, weight: null };
}

function convolution(graph: OnnxGraph, node: GraphNode): Head {
  const weight = parameter(graph, node, 1);
  const groups = Number(node.attributes.get("group") ?? 1);
  const rank = weight?.shape.length ?? 0;
  if (/Integer|QLinear/.test(node.operator)) return { type: "conv", weight: null };
  const turned = node.operator === "ConvTranspose";
  if (groups === 1) return { type: "conv", weight: weightOf(weight, rank, turned ? [0, 1, 1] : [1, 0, 1]) };
  const [outputs, perGroup] = weight?.shape ?? [];
  // In groups an input channel is not an index of one dimension of the weight, but where each channel is a group.
  if (turned || perGroup !== 1) return { type: "conv", weight: null };
  return { type: "depthwise", weight: outputs === groups ? weightOf(weight, rank, [0, 0, 1]) : null };
}

function product(graph: OnnxGraph, node: GraphNode): Head {
  const { operator, inputs, attributes } = node;
  const constant = inputs.slice(0, 2).some((name) => graph.constants.has(name));
  const type = constant ? "dense" : "matmul";
  if (!constant || graph.constants.has(inputs[0] ?? "")) return { type, weight: null };
  const plain =
    operator === "MatMul" || ((operator === "Gemm" || operator === "FusedGemm") && !attributes.get("transA"));
  if (!plain) return { type, weight: null };
  return { type, weight: weightOf(parameter(graph, node, 1), 2, attributes.get("transB") ? [1, 0, -1] : [0, 1, -1]) };
}

function parameter(graph: OnnxGraph, { inputs }: GraphNode, index: number): TensorHead | null {
  const head = graph.program.initializers.get(inputs[index] ?? "");
  return isParameter(head) ? head : null;
}

function weightOf(
  head: TensorHead | null,
  rank: number,
  [inputAxis, outputAxis, channelAxis]: readonly [number, number, number],
): UnitWeight | null {
  if (!head || head.shape.length !== rank || rank < 2) return null;
  return { name: head.name, shape: head.shape, inputAxis, outputAxis, channelAxis };
}
