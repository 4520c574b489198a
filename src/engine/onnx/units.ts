import type { GraphNode } from "../../model/onnx/nodes.ts";
import type { UnitType, UnitWeight } from "../engine.ts";
import { isParameter, type OnnxGraph, takenBy } from "./graph.ts";
import { typeOf } from "./operators.ts";
import { headOf } from "./weight.ts";

// Nodes put together to units: what multiplies, the bias that is added, the activation behind it. What is made of initializers alone is no unit.

/** A unit as far as the graph itself tells. */
export interface UnitNodes {
  readonly name: string;
  readonly type: UnitType;
  readonly nodes: readonly GraphNode[];
  readonly inputs: readonly string[];
  readonly output: string;
  /** Which input of the first node is the unit's first; -1 if it has none but those of subgraphs. */
  readonly firstInput: number;
  readonly weight: UnitWeight | null;
  readonly parameters: readonly string[];
  readonly activation: string | null;
}

export function unitsOf(graph: OnnxGraph): UnitNodes[] {
  const followers = followersOf(graph);
  const inside = new Set<GraphNode>();
  const names = new Set<string>();
  const units: UnitNodes[] = [];
  for (const node of graph.program.nodes) {
    const output = node.outputs.find((name) => name !== "");
    if (inside.has(node) || output === undefined || graph.constants.has(output)) continue;
    const { type, weight } = headOf(graph, node);
    const nodes = [node];
    let activation: string | null = null;
    if (FUSING.includes(type)) {
      const bias = followers(node);
      if (bias && isBias(graph, bias, node)) nodes.push(bias);
      const last = followers(nodes.at(-1) as GraphNode);
      if (last && isFusedActivation(graph, last)) {
        nodes.push(last);
        activation = last.operator;
      }
    }
    for (const each of nodes) inside.add(each);
    units.push(unit(graph, nodes, { type, weight, activation, name: unused(names, node.name || output) }));
  }
  return units;
}

const FUSING: readonly UnitType[] = ["conv", "depthwise", "dense"];

function unit(
  graph: OnnxGraph,
  nodes: readonly GraphNode[],
  about: Pick<UnitNodes, "type" | "weight" | "activation" | "name">,
): UnitNodes {
  const [head, last] = [nodes[0] as GraphNode, nodes.at(-1) as GraphNode];
  const made = new Set(nodes.flatMap(({ outputs }) => outputs));
  const taken = [...new Set(nodes.flatMap((node) => takenBy(node, graph.names)))];
  const parameters = parametersBehind(graph, taken);
  const firstInput = head.inputs.findIndex((name) => name !== "" && !graph.constants.has(name));
  // What is done to a unit's input is done in one place.
  const twice = head.inputs.filter((name) => name === head.inputs[firstInput]).length > 1;
  return {
    ...about,
    weight: twice ? null : about.weight,
    nodes,
    inputs: taken.filter((name) => !graph.constants.has(name) && !made.has(name)),
    output: last.outputs.find((name) => name !== "") as string,
    firstInput,
    parameters,
  };
}

/** Parameters that values are, or are made of: a weight may be transposed before it is used. */
function parametersBehind(graph: OnnxGraph, values: readonly string[]): string[] {
  const seen = new Set(values);
  for (const name of seen) {
    const producer = graph.constants.has(name) ? graph.producers.get(name) : undefined;
    for (const taken of producer ? takenBy(producer, graph.names) : []) seen.add(taken);
  }
  return [...seen].filter((name) => isParameter(graph.program.initializers.get(name)));
}

// The node that alone takes what a node gives.
function followersOf(graph: OnnxGraph): (node: GraphNode) => GraphNode | null {
  const takers = new Map<string, GraphNode>();
  for (const node of graph.program.nodes) for (const name of takenBy(node, graph.names)) takers.set(name, node);
  return ({ outputs }) => {
    const [output = ""] = outputs;
    const alone = outputs.filter((name) => name !== "").length === 1 && graph.uses.get(output) === 1;
    return alone ? (takers.get(output) ?? null) : null;
  };
}

function isBias(graph: OnnxGraph, { operator, inputs }: GraphNode, { outputs }: GraphNode): boolean {
  if (operator !== "Add") return false;
  const other = inputs.find((name) => name !== outputs[0]);
  const shape = other === undefined ? undefined : graph.program.initializers.get(other)?.shape;
  // Values along one dimension, not a whole tensor that happens to be constant.
  return shape !== undefined && shape.filter((extent) => extent !== 1).length <= 1;
}

function isFusedActivation(graph: OnnxGraph, { operator, inputs }: GraphNode): boolean {
  return typeOf(operator) === "activation" && inputs.slice(1).every((name) => name === "" || graph.constants.has(name));
}

function unused(names: Set<string>, wish: string): string {
  let name = wish;
  for (let i = 2; names.has(name); i++) name = `${wish} ${i}`;
  names.add(name);
  return name;
}
