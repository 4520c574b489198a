import { DataError } from "../../errors.ts";
import type { Objective, Value } from "../engine.ts";
import { activationOf, product } from "./facts.ts";
import type { Graph, Step } from "./graph.ts";
import { demandShape } from "./inputs.ts";
import type { Runtime } from "./runtime.ts";
import type { Core, Layer, Tensor } from "./types.ts";

// What a model is trained for: a loss of its one output.

export interface Loss {
  /** The model up to what the loss is computed of: for classes, without the softmax that may end it. */
  readonly graph: Graph;
  /** The loss, inside a scope of the caller's. */
  of(core: Core, output: Tensor, targets: Tensor): Tensor;
  /** The targets as a tensor, for a batch with an output of this shape. @throws DataError */
  targets(core: Core, targets: Value, samples: number): Tensor;
  /** Runs `work`, which waits for nothing, on the model as the loss wants it. */
  within<T>(work: () => T): T;
}

/** @throws DataError for a model that has not one output, or ends in what cross-entropy cannot be computed of */
export function lossOf({ layers }: Runtime, graph: Graph, objective: Objective): Loss {
  const [output, ...others] = graph.outputs;
  if (output === undefined || others.length > 0) throw new DataError("only models with one output can be trained");
  const shape = graph.values.get(output)?.shape ?? [];
  if (objective === "mse") return { graph, of: squares, targets: numbers(shape), within: (work) => work() };
  const classes = shape[shape.length - 1] as number;
  const targets = classNumbers(classes, shape);
  const last = graph.steps.find(({ outputs }) => outputs[0] === output);
  const activation = last && activationOf(last.layer);
  if (activation === "sigmoid")
    throw new DataError("cross-entropy of a sigmoid: only classes that exclude each other can be trained");
  if (!last || activation !== "softmax") return { graph, of: crossEntropy, targets, within: (work) => work() };
  if (last.layer.weights.length === 0) return { ...cut(graph, last), of: crossEntropy, targets };
  const { activation: linear } = layers.layers.activation({ activation: "linear" });
  return { graph, of: crossEntropy, targets, within: (work) => withActivation(last.layer, linear as object, work) };
}

function cut(graph: Graph, last: Step): Pick<Loss, "graph" | "within"> {
  const steps = graph.steps.filter((step) => step !== last);
  return { graph: { ...graph, steps, outputs: [last.inputs[0] as string] }, within: (work) => work() };
}

function withActivation<T>(layer: Layer, activation: object, work: () => T): T {
  const before = layer.activation as object;
  layer.activation = activation;
  try {
    return work();
  } finally {
    layer.activation = before;
  }
}

/** The mean over samples, and over places where each has several. */
function crossEntropy(core: Core, output: Tensor, targets: Tensor): Tensor {
  const classes = output.shape[output.shape.length - 1] as number;
  const logits = core.logSoftmax(core.reshape(output, [-1, classes]));
  return core.neg(core.mean(core.sum(core.mul(logits, core.oneHot(targets, classes)), 1)));
}

function squares(core: Core, output: Tensor, targets: Tensor): Tensor {
  return core.mean(core.square(core.sub(output, targets)));
}

function classNumbers(classes: number, shape: readonly number[]): Loss["targets"] {
  const perSample = shape.slice(1, -1);
  return (core, { data }, samples) => {
    if (perSample.every((extent) => extent > 0) && data.length !== samples * product(perSample)) {
      throw new DataError(`${data.length} classes for ${samples} samples`);
    }
    if (!(data instanceof Int32Array)) throw new DataError("classes have to be integers");
    const wrong = data.find((value) => value < 0 || value >= classes);
    if (wrong !== undefined) throw new DataError(`class ${wrong} of a model with ${classes}`);
    return core.tensor(data, [data.length], "int32");
  };
}

function numbers(shape: readonly number[]): Loss["targets"] {
  return (core, value, samples) => {
    demandShape("what the output should be", [samples, ...shape.slice(1)], value);
    return core.tensor(Float32Array.from(value.data), value.shape);
  };
}
