import { hex } from "../bytes.ts";
import { tensorOver } from "../codec/through.ts";
import { sha256 } from "../container/checksum.ts";
import type { Engine } from "../engine/engine.ts";
import { DataError } from "../errors.ts";
import type { Kernels } from "../kernels.ts";
import { elementCount, isFloat, type Model, readElements, type TensorInfo, widen } from "../tensor.ts";
import type { Weights } from "./projection.ts";

// The tensors of a model that an engine runs with.

export interface Parameters {
  readonly infos: readonly TensorInfo[];
  readonly weights: Weights;
}

/** Float parameters of the engine's units that the model has, as f32. @throws DataError if there are none */
export async function parametersOf(engine: Engine, model: Model): Promise<Parameters> {
  const names = new Set((await engine.describe()).units.flatMap(({ parameters }) => parameters));
  const infos: TensorInfo[] = [];
  const weights = new Map<string, Float32Array>();
  for (const tensor of model.tensors) {
    const { name, dtype, shape } = tensor;
    if (!names.has(name) || !isFloat(dtype)) continue;
    infos.push({ name, dtype: "F32", shape });
    weights.set(name, widen(dtype, await readElements(tensor, 0, elementCount(shape))));
  }
  if (infos.length === 0) throw new DataError("the model has none of the engine's parameters");
  return { infos, weights };
}

/** The model with weights, as F32, in place of its own. */
export function withWeights({ tensors, metadata }: Model, weights: Weights): Model {
  const replaced = tensors.map((tensor) => {
    const data = weights.get(tensor.name);
    return data ? tensorOver(tensor.name, tensor.shape, data) : tensor;
  });
  return { tensors: replaced, metadata };
}

/** What tells weights from others. */
export function fingerprint(kernels: Kernels, weights: Weights): string {
  const bytes = [...weights.values()].map((data) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hex(sha256(kernels, ...bytes).subarray(0, 8));
}
