import { DataError } from "../../errors.ts";
import type { ActivationCodes, InputEdit, Value, ValueInfo, Values } from "../engine.ts";
import { product } from "./facts.ts";
import type { Core, Tensor } from "./types.ts";

// What goes into a model, and what is done to what goes into a unit.

export interface StepEdit {
  readonly edit: InputEdit;
  /** The dimension of the channels. */
  readonly axis: number;
}

/** @throws DataError for inputs that are missing, unknown or of another shape */
export function demandInputs(infos: readonly ValueInfo[], inputs: Values): void {
  for (const { name, shape } of infos) {
    const value = inputs.get(name);
    if (!value) throw new DataError(`the input "${name}" is missing`);
    demandShape(`the input "${name}"`, shape, value);
  }
  for (const name of inputs.keys()) {
    if (!infos.some((info) => info.name === name)) throw new DataError(`the model has no input "${name}"`);
  }
}

export function demandShape(what: string, expected: readonly number[], { shape, data }: Value): void {
  const fits =
    shape.length === expected.length && shape.every((extent, i) => [extent, -1].includes(expected[i] as number));
  if (!fits) throw new DataError(`${what} has the shape [${shape}], expected [${expected}], where -1 is any`);
  if (data.length === product(shape)) return;
  throw new DataError(`${what} has ${data.length} elements, which is not its shape [${shape}]`);
}

/** Inside a scope of the caller's. */
export function inputTensors(core: Core, infos: readonly ValueInfo[], inputs: Values): Map<string, Tensor> {
  return new Map(
    infos.map(({ name, integer }) => {
      const { shape, data } = inputs.get(name) as Value;
      const whole = data instanceof Int32Array;
      const tensor = core.tensor(data, shape, whole ? "int32" : "float32");
      return [name, whole === integer ? tensor : core.cast(tensor, integer ? "int32" : "float32")];
    }),
  );
}

/** The input of a unit as it is edited. Gradients go through as if codes had no steps; where they end, nothing goes through. */
export function editInput(core: Core, x: Tensor, { edit: { factors, codes }, axis }: StepEdit): Tensor {
  const divided = factors ? core.div(x, factorTensor(core, x, factors, axis)) : x;
  return codes ? coded(core, divided, codes) : divided;
}

function factorTensor(core: Core, { shape }: Tensor, factors: Float32Array, axis: number): Tensor {
  const at = axis < 0 ? shape.length + axis : axis;
  if (shape[at] !== factors.length) {
    throw new DataError(
      `an input of the shape [${shape}] cannot be divided by ${factors.length} factors along ${axis}`,
    );
  }
  return core.tensor(
    factors,
    shape.slice(at).map((_, i) => (i === 0 ? factors.length : 1)),
  );
}

function coded(core: Core, x: Tensor, { scale, zeroPoint, least, most }: ActivationCodes): Tensor {
  const code = core.customGrad((x, save) => {
    // Halves go to even integers in all backends.
    const q = core.add(core.round(core.div(x, scale)), zeroPoint);
    const clipped = core.clipByValue(q, least, most);
    const inside = core.cast(core.equal(q, clipped), "float32");
    save([inside]);
    return {
      value: core.mul(core.sub(clipped, zeroPoint), scale),
      gradFunc: (dy, saved) => core.mul(dy, saved[0] as Tensor),
    };
  });
  return code(x);
}
