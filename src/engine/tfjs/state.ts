import { DataError } from "../../errors.ts";
import type { Edits, InputEdit, ValueInfo } from "../engine.ts";
import { type Graph, partOf } from "./graph.ts";
import type { StepEdit } from "./inputs.ts";
import type { OpenModel } from "./model.ts";
import type { Runtime } from "./runtime.ts";
import type { Tensor } from "./types.ts";
import type { StepsUnit } from "./units.ts";
import { tensorsOf, type Weights, weightsOf } from "./weights.ts";

/** All that a model in the runtime is, edits included. */
export interface State {
  readonly runtime: Runtime;
  readonly model: OpenModel;
  readonly graph: Graph;
  readonly units: readonly StepsUnit[];
  readonly weights: Weights;
  /** In place of the model's weights: those that this model is of, then those that later edits replace. */
  readonly given: ReadonlyMap<string, Tensor>;
  readonly edited: ReadonlyMap<string, Tensor>;
  readonly inputs: ReadonlyMap<string, StepEdit>;
}

/** What the model runs with in place of its weights. */
export function numbersOf({ given, edited }: State): Map<string, Tensor> {
  return new Map([...given, ...edited]);
}

/** The model with these edits, and none of those that it had. @throws DataError */
export function editedState(state: State, { weights = new Map(), inputs = new Map() }: Edits): State {
  const { core } = state.runtime;
  const edits = [...inputs].map(([name, edit]): [string, StepEdit] => {
    const unit = unitOf(state, name);
    const axis = unit.weight?.channelAxis ?? -1;
    demandEdit(name, state.graph.values.get(unit.inputs[0] as string) as ValueInfo, axis, edit);
    return [unit.steps[0]?.name as string, { edit, axis }];
  });
  const edited = tensorsOf(core, state.weights, weights);
  state.model.take();
  return { ...state, given: clones(state, state.given), edited, inputs: new Map(edits) };
}

function demandEdit(name: string, { integer, shape }: ValueInfo, axis: number, { factors, codes }: InputEdit): void {
  if (integer) throw new DataError(`the input of unit "${name}" is integers, which cannot be edited`);
  const channels = shape.at(axis) as number;
  if (factors && channels >= 0 && factors.length !== channels) {
    throw new DataError(`unit "${name}" has ${channels} input channels, got ${factors.length} factors`);
  }
  if (factors && !factors.every((factor) => factor > 0))
    throw new DataError(`factors of "${name}" have to be positive`);
  if (codes && !(codes.scale > 0 && codes.least <= codes.most)) {
    throw new DataError(`integers of the input of "${name}" need a positive scale and a range`);
  }
}

/** A unit as a model: the weights as they are edited are its own. @throws DataError */
export function unitState(state: State, name: string): State {
  const unit = unitOf(state, name);
  const graph = partOf(state.graph, unit.steps, [unit.output]);
  const weights = weightsOf(graph);
  const numbers = [...numbersOf(state)].filter(([name]) => weights.has(name));
  const inputs = [...state.inputs].filter(([name]) => name === unit.steps[0]?.name);
  state.model.take();
  return {
    ...state,
    graph,
    units: [unit],
    weights,
    given: clones(state, new Map(numbers)),
    edited: new Map(),
    inputs: new Map(inputs),
  };
}

/** For an owner of their own; no numbers are copied. */
export function clones({ runtime: { core } }: State, tensors: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  return new Map([...tensors].map(([name, tensor]) => [name, core.clone(tensor)]));
}

function unitOf({ units }: State, name: string): StepsUnit {
  const unit = units.find((unit) => unit.name === name);
  if (!unit) throw new DataError(`the model has no unit "${name}"`);
  return unit;
}
