import { DataError } from "../../errors.ts";
import type { Edits, Engine, FitOptions, Value, Values } from "../engine.ts";
import { trainerOf } from "./fit.ts";
import { openModel, type TfjsModel } from "./model.ts";
import { ran } from "./ran.ts";
import { type RuntimeOptions, runtimeOf } from "./runtime.ts";
import { sizedGraph } from "./sized.ts";
import { editedState, type State, unitState } from "./state.ts";
import type { Tensor } from "./types.ts";
import { describeGraph, unitsOf } from "./units.ts";
import { weightsOf } from "./weights.ts";

/**
 * An engine over TensorFlow.js, for layers models. Dropout is off and normalization takes the statistics that it has, in training, too.
 * @throws DataError for packages that are not installed, what is no layers model, weights with one name
 */
export async function tfjsEngine(model: TfjsModel, options: RuntimeOptions = {}): Promise<Engine> {
  const runtime = await runtimeOf(options);
  const opened = await openModel(runtime, model);
  const none = new Map<string, never>();
  const { graph } = opened;
  const units = unitsOf(graph);
  const weights = weightsOf(graph);
  return engineOf({ runtime, model: opened, graph, units, weights, given: none, edited: none, inputs: none });
}

function engineOf(state: State): Engine {
  const { runtime, model, graph, units } = state;
  let closed = false;
  const within = <T>(work: () => T | Promise<T>): Promise<T> =>
    runtime.within(() => {
      if (closed) throw new DataError("the engine is closed");
      return work();
    });
  return {
    runtime: runtime.name,
    async describe(sample?: Values) {
      const sized = sample ? await within(() => unitsOf(sizedGraph(state, sample))) : units;
      return describeGraph(graph, sized);
    },
    run: (inputs: Values, tap: readonly string[] = []) => within(() => runGraph(state, inputs, tap)),
    withWeights: (edits: Edits) => within(() => engineOf(editedState(state, edits))),
    only: (name: string) => within(() => engineOf(unitState(state, name))),
    fit: (options: FitOptions) => within(() => trainerOf(state, options)),
    async close() {
      if (closed) return;
      closed = true;
      for (const tensor of [...state.given.values(), ...state.edited.values()]) tensor.dispose();
      model.letGo();
    },
  };
}

async function runGraph(state: State, inputs: Values, tap: readonly string[]): Promise<Values> {
  const wanted = [...new Set([...state.graph.outputs, ...tap])];
  const tensors = ran(state, inputs, wanted, (found) => [...found]);
  try {
    const data = await Promise.all(tensors.map((tensor) => tensor.data()));
    return new Map(wanted.map((name, i) => [name, hostValue(tensors[i] as Tensor, data[i] as Float32Array)]));
  } finally {
    for (const tensor of tensors) tensor.dispose();
  }
}

function hostValue({ shape, dtype }: Tensor, data: Float32Array | Int32Array | Uint8Array): Value {
  return { shape: [...shape], data: dtype === "float32" ? (data.slice() as Float32Array) : Int32Array.from(data) };
}
