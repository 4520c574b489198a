import type { Description, ModelKind, Unit, UnitType, ValueInfo } from "../engine.ts";
import { activationOf, attributesOf, macsOf, product, typeOf, weightOf } from "./facts.ts";
import type { Graph, Step } from "./graph.ts";
import { scalesOf } from "./scales.ts";

/** A unit, and the steps that it is: a layer, and the activation behind it. */
export interface StepsUnit extends Unit {
  readonly steps: readonly Step[];
}

/** Types whose units take the activation behind them. */
const TAKING: readonly UnitType[] = ["conv", "depthwise", "dense", "matmul", "norm", "elementwise", "other"];

export function unitsOf(graph: Graph): StepsUnit[] {
  const users = new Map<string, Step[]>();
  for (const step of graph.steps) {
    for (const name of new Set(step.inputs)) users.set(name, [...(users.get(name) ?? []), step]);
  }
  const taken = new Set<Step>();
  const units: StepsUnit[] = [];
  for (const step of graph.steps) {
    if (taken.has(step)) continue;
    const next = activationBehind(step, graph, users);
    if (next) taken.add(next);
    units.push(unitOf(graph, next ? [step, next] : [step]));
  }
  return units;
}

function activationBehind(step: Step, graph: Graph, users: ReadonlyMap<string, readonly Step[]>): Step | undefined {
  const [output] = step.outputs;
  if (!output || step.outputs.length > 1 || graph.outputs.includes(output)) return undefined;
  if (!TAKING.includes(typeOf(step.layer)) || activationOf(step.layer)) return undefined;
  const [user, ...others] = users.get(output) ?? [];
  return user && others.length === 0 && typeOf(user.layer) === "activation" ? user : undefined;
}

function unitOf({ values }: Graph, steps: readonly [Step, ...Step[]]): StepsUnit {
  const [{ name, layer, inputs }, next] = steps;
  const output = (next ?? steps[0]).outputs[0] as string;
  const inputShape = shapeOf(values.get(inputs[0] as string));
  const outputShape = shapeOf(values.get(output));
  const parameters = [...new Set(steps.flatMap(({ layer }) => layer.weights))];
  const activation = activationOf(layer) ?? (next && activationOf(next.layer));
  const weight = weightOf(layer, inputShape.length);
  return {
    name,
    type: typeOf(layer),
    operators: steps.map(({ layer }) => layer.getClassName()),
    inputs: [...new Set(inputs)],
    output,
    inputShape,
    outputShape,
    weight,
    scales: scalesOf(layer, weight, activation),
    parameters: parameters.map(({ originalName }) => originalName),
    attributes: attributesOf(layer, activation),
    macs: macsOf(layer, inputShape, outputShape),
    bytes: parameters.reduce((sum, { shape }) => sum + 4 * product(shape), 0),
    steps,
  };
}

function shapeOf(info: ValueInfo | undefined): number[] {
  return (info?.shape ?? []).map((extent) => (extent < 0 ? 1 : extent));
}

export function describeGraph(graph: Graph, units: readonly StepsUnit[]): Description {
  const info = (name: string): ValueInfo => graph.values.get(name) as ValueInfo;
  return {
    kind: kindOf(units),
    inputs: graph.inputs.map(info),
    outputs: graph.outputs.map(info),
    units: units.map(({ steps: _, ...unit }) => unit),
  };
}

function kindOf(units: readonly StepsUnit[]): ModelKind {
  const has = (type: UnitType): boolean => units.some((unit) => unit.type === type);
  const named = (pattern: RegExp): boolean =>
    units.some(({ operators }) => operators.some((name) => pattern.test(name)));
  if (named(/Attention|Transformer/)) return "transformer";
  if (has("rnn")) return "rnn";
  if (has("depthwise") || named(/^SeparableConv/)) return "depthwise-cnn";
  if (has("conv")) return "cnn";
  return has("dense") ? "mlp" : "other";
}
