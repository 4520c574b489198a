import type { ValueInfo, Values } from "../engine.ts";
import type { Graph } from "./graph.ts";
import { ran } from "./ran.ts";
import type { State } from "./state.ts";

// Extents that a model leaves free, found by running it: layers tell what becomes of them nowhere else.

/** The graph with the extents that its values have when it runs with these inputs; how many samples there are stays free. @throws DataError */
export function sizedGraph(state: State, sample: Values): Graph {
  const { graph } = state;
  const names = [...new Set([...graph.inputs, ...graph.steps.flatMap(({ outputs }) => outputs)])];
  // Shapes are the same whatever is done to inputs of units.
  const shapes = ran({ ...state, inputs: new Map() }, sample, names, (tensors) =>
    tensors.map(({ shape }) => [...shape]),
  );
  const values = new Map(graph.values);
  for (const [i, name] of names.entries()) {
    const info = values.get(name) as ValueInfo;
    const shape = info.shape.map((extent, at) => (at > 0 && extent < 0 ? (shapes[i]?.[at] ?? extent) : extent));
    values.set(name, { ...info, shape });
  }
  return { ...graph, values };
}
