import type { GraphNode } from "../../model/onnx/nodes.ts";
import type { OutputScales } from "../engine.ts";
import type { OnnxGraph } from "./graph.ts";
import type { UnitNodes } from "./units.ts";

// Which parameters the output of a unit grows with, channel by channel.

type Scale = OutputScales["parameters"][number];

/** Activations that give c f(x) for c x, where c is positive. */
const EVEN = ["Relu", "LeakyRelu"];
/** Norms with a scale and a bias behind their input, and the dimension of their channels. */
const NORMS: ReadonlyMap<string, number> = new Map([
  ["LayerNormalization", -1],
  ["RMSNormalization", -1],
  ["SimplifiedLayerNormalization", -1],
  ["BatchNormalization", 1],
  ["InstanceNormalization", 1],
]);

export function scalesOf(
  graph: OnnxGraph,
  unit: Pick<UnitNodes, "type" | "nodes" | "weight" | "parameters" | "activation">,
): OutputScales | null {
  const { type, nodes, weight, parameters, activation } = unit;
  const [head, second] = nodes as [GraphNode, ...GraphNode[]];
  const shapeOf = (name = ""): readonly number[] | undefined => graph.program.initializers.get(name)?.shape;
  if (activation && !EVEN.includes(activation)) return null;
  const norm = NORMS.get(head.operator);
  if (norm !== undefined) {
    // More than the last dimension may share a mean.
    if (norm < 0 && (head.attributes.get("axis") ?? -1) !== -1) return null;
    const names = head.inputs.slice(1, 3).filter((name) => name !== "");
    const own = names.every((name) => parameters.includes(name) && shapeOf(name)?.length === 1);
    return own && names.length > 0 ? { channelAxis: norm, parameters: names.map((name) => ({ name, axis: 0 })) } : null;
  }
  if (head.operator === "Mul" && parameters.length === 1)
    return vector(parameters[0] as string, shapeOf(parameters[0]));
  if (!weight || !["conv", "depthwise", "dense"].includes(type)) return null;
  const found: Scale[] = [{ name: weight.name, axis: weight.outputAxis }];
  const channels = weight.shape[weight.outputAxis];
  // Where channels of what is added are, from the end; a bias of convolutions is a list.
  const behind = weight.channelAxis === 1 ? weight.shape.length - 2 : 0;
  const listed = /^Conv/.test(head.operator) ? 0 : behind;
  for (const [name, from] of [
    [head.inputs[2], listed],
    [second?.operator === "Add" ? second.inputs.find((input) => parameters.includes(input)) : "", behind],
  ] as const) {
    if (!name) continue;
    const shape = shapeOf(name) ?? [];
    const axis = shape.length - 1 - from;
    if (shape[axis] !== channels) return null;
    found.push({ name, axis });
  }
  return found.length === parameters.length ? { channelAxis: weight.channelAxis, parameters: found } : null;
}

function vector(name: string, shape: readonly number[] | undefined): OutputScales | null {
  const long = (shape ?? []).flatMap((extent, axis) => (extent > 1 ? [axis] : []));
  const [axis] = long;
  if (!shape || axis === undefined || long.length > 1) return null;
  return { channelAxis: axis - shape.length, parameters: [{ name, axis }] };
}
