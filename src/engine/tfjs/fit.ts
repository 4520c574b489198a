import { DataError } from "../../errors.ts";
import type { FitOptions, Trainer, Value, ValueInfo, Values } from "../engine.ts";
import { demandInputs, inputTensors } from "./inputs.ts";
import { withGradients } from "./kernels.ts";
import { type Loss, lossOf } from "./objective.ts";
import { type Steps, stepsOf } from "./optimizer.ts";
import { clones, numbersOf, type State } from "./state.ts";
import type { Core, LayerWeight, NamedTensor, Tensor, Variable } from "./types.ts";
import { walk } from "./walk.ts";
import { withTensors } from "./weights.ts";

// Training: weights of the trainer's own, which the model has only while a step runs.

type Weights = ReadonlyMap<string, Float32Array>;

interface Training {
  readonly state: State;
  readonly options: FitOptions;
  readonly loss: Loss;
  /** What the model has in place of weights that are not trained. */
  readonly numbers: ReadonlyMap<string, Tensor>;
  /** By name of parameter. */
  readonly masters: ReadonlyMap<string, Variable>;
  readonly steps: Steps;
}

/** @throws DataError for parameters that are unknown or cannot be trained, and what lossOf throws */
export function trainerOf(state: State, options: FitOptions): Trainer {
  const { core } = state.runtime;
  const loss = lossOf(state.runtime, state.graph, options.objective);
  const names = options.parameters ?? trainable(state);
  for (const name of names) demandTrainable(state, name);
  const numbers = clones(state, numbersOf(state));
  const masters = new Map(names.map((name) => [name, masterOf(state, numbers, name)]));
  const steps = stepsOf(core, options.optimizer, masters);
  const training = { state, options, loss, numbers, masters, steps };
  state.model.take();
  let closed = false;
  const within = <T>(work: () => T | Promise<T>): Promise<T> =>
    state.runtime.within(() => {
      if (closed) throw new DataError("the trainer is closed");
      return work();
    });
  return {
    async step(inputs, targets, rate) {
      const { project } = options;
      const weights = project && (await project(await within(() => hostWeights(masters))));
      return within(() => step(training, inputs, targets, rate, weights));
    },
    weights: () => within(() => hostWeights(masters)),
    state: () => within(() => steps.state()),
    restore: (saved) => within(() => steps.restore(saved)),
    async close() {
      if (closed) return;
      closed = true;
      steps.close();
      for (const tensor of [...numbers.values(), ...masters.values()]) tensor.dispose();
      state.model.letGo();
    },
  };
}

// Statistics of normalization are weights, too, but none that gradients are for.
function trainable({ weights }: State): string[] {
  return [...weights].filter(([, weight]) => weight.read().trainable).map(([name]) => name);
}

function demandTrainable({ weights }: State, name: string): void {
  const weight = weights.get(name);
  if (!weight) throw new DataError(`the model has no weight "${name}"`);
  const { trainable, dtype } = weight.read();
  if (!trainable || dtype !== "float32") throw new DataError(`weight "${name}" cannot be trained`);
}

function masterOf({ runtime: { core }, weights }: State, numbers: ReadonlyMap<string, Tensor>, name: string): Variable {
  const weight = weights.get(name) as LayerWeight;
  return core.variable(numbers.get(name) ?? weight.read(), false);
}

function hostWeights(masters: ReadonlyMap<string, Tensor>): Map<string, Float32Array> {
  return new Map([...masters].map(([name, tensor]) => [name, (tensor.dataSync() as Float32Array).slice()]));
}

function step(training: Training, inputs: Values, targets: Value, rate: number, weights?: Weights): number {
  const { state, loss, masters, options, steps } = training;
  const { core } = state.runtime;
  const infos = state.graph.inputs.map((name) => state.graph.values.get(name) as ValueInfo);
  demandInputs(infos, inputs);
  if (!(rate >= 0 && rate < Infinity)) throw new DataError(`a learning rate of ${rate}`);
  return core.tidy(() => {
    const wanted = loss.targets(core, targets, samplesOf(infos, inputs));
    const tensors = inputTensors(core, infos, inputs);
    const numbers = new Map([...training.numbers, ...projected(training, weights)]);
    const { value, gradients } = withTensors(core, state.weights, numbers, () =>
      loss.within(() => withGradients(core, () => gradientsOf(training, tensors, wanted))),
    );
    const changed = options.onGradients ? seen(core, gradients, options.onGradients) : gradients;
    const named = [...masters].map(([name, { name: key }]) => ({ name: key, tensor: changed.get(name) }));
    steps.apply(named as NamedTensor[], rate);
    return value.dataSync()[0] as number;
  });
}

function samplesOf([first]: readonly ValueInfo[], inputs: Values): number {
  return inputs.get((first as ValueInfo).name)?.shape[0] as number;
}

/** What the model runs with in place of the weights that are trained. */
function projected({ state, masters }: Training, weights: Weights = new Map()): Map<string, Tensor> {
  const { core } = state.runtime;
  const tensors = new Map<string, Tensor>(masters);
  for (const [name, data] of weights) {
    const master = masters.get(name);
    if (!master) throw new DataError(`"${name}", which is not trained, was projected`);
    if (data.length !== size(master)) throw new DataError(`"${name}" has ${data.length} elements after projection`);
    tensors.set(name, core.tensor(data.slice(), master.shape));
  }
  return tensors;
}

function size({ shape }: Tensor): number {
  return shape.reduce((all, extent) => all * extent, 1);
}

function gradientsOf({ state, loss, masters }: Training, inputs: ReadonlyMap<string, Tensor>, targets: Tensor) {
  const { core } = state.runtime;
  const [output] = loss.graph.outputs as [string];
  const variables = [...masters.keys()].map((name) => (state.weights.get(name) as LayerWeight).read());
  const { value, grads } = core.variableGrads(() => {
    const values = walk({ core, graph: loss.graph, edits: state.inputs, taped: true }, inputs, [output]);
    return loss.of(core, values.get(output) as Tensor, targets);
  }, variables);
  const gradients = new Map<string, Tensor>();
  [...masters.keys()].forEach((name, i) => {
    const gradient = grads[(variables[i] as Variable).name];
    if (gradient) gradients.set(name, gradient);
  });
  return { value, gradients };
}

function seen(
  core: Core,
  gradients: ReadonlyMap<string, Tensor>,
  onGradients: NonNullable<FitOptions["onGradients"]>,
): Map<string, Tensor> {
  const host = hostWeights(gradients);
  onGradients(host);
  return new Map(
    [...gradients].map(([name, { shape }]) => [name, core.tensor((host.get(name) as Float32Array).slice(), shape)]),
  );
}
