import type { ValueInfo, Values } from "../engine.ts";
import type { Graph } from "./graph.ts";
import { demandInputs, inputTensors } from "./inputs.ts";
import { numbersOf, type State } from "./state.ts";
import type { Tensor } from "./types.ts";
import { walk } from "./walk.ts";
import { withTensors } from "./weights.ts";

// Extents that a model leaves free, found by running it: layers tell what becomes of them nowhere else.

/** The graph with the extents that its values have when it runs with these inputs; how many samples there are stays free. @throws DataError */
export function sizedGraph(state: State, sample: Values): Graph {
  const { graph, runtime, weights } = state;
  const { core } = runtime;
  const infos = graph.inputs.map((name) => graph.values.get(name) as ValueInfo);
  demandInputs(infos, sample);
  const names = [...new Set([...graph.inputs, ...graph.steps.flatMap(({ outputs }) => outputs)])];
  const shapes = core.tidy(() =>
    withTensors(core, weights, numbersOf(state), () => {
      const inputs = inputTensors(core, infos, sample);
      const values = walk({ core, graph, edits: new Map(), taped: false }, inputs, names);
      return names.map((name) => [...(values.get(name) as Tensor).shape]);
    }),
  );
  const values = new Map(graph.values);
  for (const [i, name] of names.entries()) {
    const info = values.get(name) as ValueInfo;
    const shape = info.shape.map((extent, at) => (at > 0 && extent < 0 ? (shapes[i]?.[at] ?? extent) : extent));
    values.set(name, { ...info, shape });
  }
  return { ...graph, values };
}
