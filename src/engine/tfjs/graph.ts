import type { ValueInfo } from "../engine.ts";
import type { Layer, LayersModel, Node, Place } from "./types.ts";

// A layers model as a list of steps, models inside it opened.

/** One use of a layer. */
export interface Step {
  /** The layer's name; ":1", ":2" ... behind it for further uses. */
  readonly name: string;
  readonly layer: Layer;
  /** Names of values. */
  readonly inputs: readonly string[];
  /** Its name; ":output1" ... behind it for further outputs. */
  readonly outputs: readonly string[];
  readonly options: object;
}

export interface Graph {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** In an order in which they can be run. */
  readonly steps: readonly Step[];
  readonly values: ReadonlyMap<string, ValueInfo>;
}

interface Draft {
  readonly steps: Step[];
  readonly values: Map<string, ValueInfo>;
  readonly names: Set<string>;
}

export function graphOf(model: LayersModel): Graph {
  const draft: Draft = { steps: [], values: new Map(), names: new Set() };
  const inputs = model.inputs.map((symbol) => {
    const name = freeName(draft, symbol.sourceLayer.name);
    draft.values.set(name, infoOf(name, symbol));
    return name;
  });
  const outputs = addModel(draft, model, inputs, "");
  // TensorFlow.js takes indices of embeddings as floats, too.
  for (const { layer, inputs: names } of draft.steps) {
    const info = draft.values.get(names[0] as string);
    if (layer.getClassName() === "Embedding" && info) draft.values.set(info.name, { ...info, integer: true });
  }
  return { inputs, outputs, steps: draft.steps, values: draft.values };
}

/** Adds the steps of a model. Gives the names of its outputs. */
function addModel(draft: Draft, model: LayersModel, inputs: readonly string[], prefix: string): string[] {
  // A sequential model is put together when it is first run.
  if (Object.keys(model.nodesByDepth).length === 0) model.build?.();
  const known = new Map<number, string>();
  model.inputs.forEach((symbol, i) => {
    known.set(symbol.id, inputs[i] as string);
  });
  const depths = Object.keys(model.nodesByDepth).map(Number);
  for (const depth of depths.sort((a, b) => b - a)) {
    for (const node of model.nodesByDepth[depth] as Node[]) {
      if (node.inputTensors.length === 0 || node.outboundLayer.getClassName() === "InputLayer") continue;
      const names = node.inputTensors.map(({ id }) => known.get(id) as string);
      const outputs = addNode(draft, node, names, prefix);
      node.outputTensors.forEach(({ id }, i) => {
        known.set(id, outputs[i] as string);
      });
    }
  }
  return model.outputs.map(({ id }) => known.get(id) as string);
}

function addNode(draft: Draft, node: Node, inputs: readonly string[], prefix: string): readonly string[] {
  const { outboundLayer: layer } = node;
  if (layer.nodesByDepth) return addModel(draft, layer as Layer & LayersModel, inputs, `${prefix}${layer.name}/`);
  const name = freeName(draft, prefix + layer.name);
  const outputs = node.outputTensors.map((symbol, i) => {
    const output = i === 0 ? name : `${name}:output${i}`;
    draft.values.set(output, infoOf(output, symbol));
    return output;
  });
  draft.steps.push({ name, layer, inputs, outputs, options: node.callArgs ?? {} });
  return outputs;
}

function freeName({ names }: Draft, wanted: string): string {
  let name = wanted;
  for (let use = 1; names.has(name); use++) name = `${wanted}:${use}`;
  names.add(name);
  return name;
}

function infoOf(name: string, { dtype, shape }: Place): ValueInfo {
  return { name, integer: dtype !== "float32", shape: shape.map((extent) => extent ?? -1) };
}

/** The part of a graph that some steps are. */
export function partOf(graph: Graph, steps: readonly Step[], outputs: readonly string[]): Graph {
  const made = new Set(steps.flatMap(({ outputs }) => outputs));
  const needed = steps.flatMap(({ inputs }) => inputs.filter((name) => !made.has(name)));
  return { ...graph, steps, inputs: [...new Set(needed)], outputs };
}
