import type { ValueInfo, Values } from "../engine.ts";
import { demandInputs, inputTensors } from "./inputs.ts";
import { numbersOf, type State } from "./state.ts";
import type { Tensor } from "./types.ts";
import { demandValues, walk } from "./walk.ts";
import { withTensors } from "./weights.ts";

/** Runs a model, and hands values to `use` inside a scope that frees all tensors but those that it gives. @throws DataError */
export function ran<T>(
  state: State,
  inputs: Values,
  names: readonly string[],
  use: (tensors: readonly Tensor[]) => T,
): T {
  const { graph, runtime, weights } = state;
  const { core } = runtime;
  const infos = graph.inputs.map((name) => graph.values.get(name) as ValueInfo);
  demandInputs(infos, inputs);
  demandValues(graph, names);
  return core.tidy(() =>
    withTensors(core, weights, numbersOf(state), () => {
      const given = inputTensors(core, infos, inputs);
      const values = walk({ core, graph, edits: state.inputs, taped: false }, given, names);
      return use(names.map((name) => values.get(name) as Tensor));
    }),
  );
}
