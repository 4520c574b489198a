import { DataError } from "../../errors.ts";
import type { FitOptions } from "../engine.ts";
import type { Core, NamedTensor, Optimizer, Tensor, Variable } from "./types.ts";

// The optimizers of TensorFlow.js, with all that they know to be taken out and put back.

const MOMENTUM = 0.9;

export interface Steps {
  /** @param gradients - by the names of variables; in the same order each time */
  apply(gradients: NamedTensor[], rate: number): void;
  state(): Promise<Map<string, Float32Array>>;
  /** @throws DataError for a state of another trainer */
  restore(state: ReadonlyMap<string, Float32Array>): Promise<void>;
  close(): void;
}

/** @param masters - what steps change, by name of parameter */
export function stepsOf(core: Core, kind: FitOptions["optimizer"], masters: ReadonlyMap<string, Variable>): Steps {
  let optimizer = made(core, kind);
  return {
    apply(gradients, rate) {
      if (optimizer.setLearningRate) optimizer.setLearningRate(rate);
      else optimizer.learningRate = rate;
      optimizer.applyGradients(gradients);
    },
    async state() {
      const [iterations, ...moments] = (await optimizer.getWeights()) as [NamedTensor, ...NamedTensor[]];
      const state = new Map([...masters].map(([name, master]) => [`weight ${name}`, host(master)]));
      const names = momentNames(kind, masters);
      moments.forEach(({ tensor }, i) => {
        state.set(names[i] as string, host(tensor));
      });
      state.set(kind, Float32Array.of(host(iterations.tensor)[0] as number, ...powers(optimizer)));
      iterations.tensor.dispose();
      return state;
    },
    async restore(state) {
      const names = momentNames(kind, masters).filter((name) => state.has(name));
      demandState(kind, masters, state);
      const next = made(core, kind);
      const [iterations = 0, ...known] = state.get(kind) as Float32Array;
      const list = [...masters.values()];
      const tensors = names.map((name, i) => tensorOf(core, state, name, list[i % list.length] as Variable));
      const count = core.scalar(iterations, "int32");
      await next.setWeights([{ name: "iter", tensor: count }, ...tensors]);
      // setWeights computes these powers anew, which rounds otherwise than the products that they were.
      [next.accBeta1, next.accBeta2].forEach((variable, i) => {
        assign(core, variable, known[i]);
      });
      for (const [name, master] of masters) {
        const weight = tensorOf(core, state, `weight ${name}`, master);
        master.assign(weight.tensor);
        weight.tensor.dispose();
      }
      for (const tensor of [count, ...tensors.map(({ tensor }) => tensor)]) tensor.dispose();
      free(optimizer);
      optimizer = next;
    },
    close: () => free(optimizer),
  };
}

function made(core: Core, kind: FitOptions["optimizer"]): Optimizer {
  return kind === "adam" ? core.train.adam(0) : core.train.momentum(0, MOMENTUM);
}

function momentNames(kind: FitOptions["optimizer"], masters: ReadonlyMap<string, Variable>): string[] {
  const words = kind === "adam" ? ["first moment", "second moment"] : ["momentum"];
  return words.flatMap((word) => [...masters.keys()].map((name) => `${word} ${name}`));
}

function demandState(
  kind: FitOptions["optimizer"],
  masters: ReadonlyMap<string, Variable>,
  state: ReadonlyMap<string, Float32Array>,
): void {
  const moments = momentNames(kind, masters);
  const begun = (state.get(kind)?.[0] ?? 0) > 0;
  const names = [kind, ...[...masters.keys()].map((name) => `weight ${name}`), ...(begun ? moments : [])];
  const lacking = names.find((name) => !state.has(name));
  if (lacking !== undefined) throw new DataError(`the state has no "${lacking}": it is another trainer's`);
}

function tensorOf(core: Core, state: ReadonlyMap<string, Float32Array>, name: string, like: Variable): NamedTensor {
  const data = state.get(name) as Float32Array;
  const elements = like.shape.reduce((all, extent) => all * extent, 1);
  if (data.length !== elements)
    throw new DataError(`"${name}" in the state has ${data.length} elements, not ${elements}`);
  return { name, tensor: core.tensor(data.slice(), like.shape) };
}

function assign(core: Core, variable: Variable | undefined, value: number | undefined): void {
  if (!variable || value === undefined) return;
  const tensor = core.scalar(value);
  variable.assign(tensor);
  tensor.dispose();
}

function powers({ accBeta1, accBeta2 }: Optimizer): number[] {
  return [accBeta1, accBeta2].flatMap((variable) => (variable ? [host(variable)[0] as number] : []));
}

function host(tensor: Tensor): Float32Array {
  return Float32Array.from(tensor.dataSync());
}

// Momentum does not free the constant that its steps are multiplied with.
function free(optimizer: Optimizer): void {
  optimizer.dispose();
  optimizer.c?.dispose();
}
