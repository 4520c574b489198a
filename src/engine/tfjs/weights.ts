import { DataError } from "../../errors.ts";
import { product } from "./facts.ts";
import type { Graph } from "./graph.ts";
import type { Core, LayerWeight, Tensor } from "./types.ts";

// Weights of a model by name, and other numbers in their place for a while.

export type Weights = ReadonlyMap<string, LayerWeight>;

/** By the names that they have in files. @throws DataError for a name that two have */
export function weightsOf({ steps }: Graph): Weights {
  const weights = new Map<string, LayerWeight>();
  for (const weight of steps.flatMap(({ layer }) => layer.weights)) {
    const known = weights.get(weight.originalName);
    if (known && known !== weight) throw new DataError(`two weights of the model are called "${weight.originalName}"`);
    weights.set(weight.originalName, weight);
  }
  return weights;
}

/** Tensors that outlive the scope in which they are made; who takes them disposes of them. @throws DataError */
export function tensorsOf(core: Core, weights: Weights, edits: ReadonlyMap<string, Float32Array>): Map<string, Tensor> {
  for (const [name, data] of edits) demandWeight(weights, name, data);
  // Some backends keep the array that they are given.
  return new Map(
    [...edits].map(([name, data]) => [name, core.tensor(data.slice(), (weights.get(name) as LayerWeight).shape)]),
  );
}

function demandWeight(weights: Weights, name: string, data: Float32Array): void {
  const weight = weights.get(name);
  if (!weight) throw new DataError(`the model has no weight "${name}"`);
  if (weight.read().dtype !== "float32") throw new DataError(`weight "${name}" has no floats`);
  const expected = product(weight.shape);
  if (data.length === expected) return;
  throw new DataError(`weight "${name}" has ${expected} elements, got ${data.length}`);
}

/**
 * Runs `work`, which waits for nothing, while the model has these tensors as weights: variables point to numbers, so none are copied.
 * @param tensors - by name; of the shapes that the weights have
 */
export function withTensors<T>(core: Core, weights: Weights, tensors: ReadonlyMap<string, Tensor>, work: () => T): T {
  const before = new Map<string, Tensor>();
  try {
    for (const [name, tensor] of tensors) {
      const variable = (weights.get(name) as LayerWeight).read();
      before.set(name, core.keep(core.clone(variable)));
      variable.assign(tensor);
    }
    return work();
  } finally {
    for (const [name, tensor] of before) {
      (weights.get(name) as LayerWeight).read().assign(tensor);
      tensor.dispose();
    }
  }
}
