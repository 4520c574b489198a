import { decodeTensor } from "../codec/decode.ts";
import { encodeTensor } from "../codec/encode.ts";
import { resolveSteps } from "../codec/resolve.ts";
import type { UnitWeight } from "../engine/engine.ts";
import type { Kernels } from "../kernels.ts";
import { AUTO, type Step } from "../plan.ts";
import type { LazyTensor } from "../tensor.ts";

/** The steps with scales of the weight's output channels, where they have one for each channel and say no other dimension. */
export function stepsForOutputs(steps: readonly Step[], { outputAxis, shape }: UnitWeight): readonly Step[] {
  const axis = outputAxis < 0 ? outputAxis + shape.length : outputAxis;
  return steps.map((step) => {
    const channels = step.op === "quantize" && step.per === "channel" && step.axis === undefined && axis > 0;
    return channels ? { ...step, axis } : step;
  });
}

/** What a file would give back of f32 elements that were packed with these steps: they are run, and run backwards. */
export async function throughSteps(
  kernels: Kernels,
  data: Float32Array,
  { name, shape }: Pick<UnitWeight, "name" | "shape">,
  steps: readonly Step[],
): Promise<Float32Array> {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const tensor: LazyTensor = {
    name,
    dtype: "F32",
    shape,
    read: async (first, end) => bytes.subarray(4 * first, 4 * end),
  };
  // Which code the bytes get only matters to targets, which count them.
  const counted = steps.some((step) => step.op === "quantize" && step.target !== undefined);
  const plain = steps.map((step): Step => (step.op === "code" && !counted ? { ...AUTO, code: "raw" } : step));
  const resolved = await resolveSteps(kernels, tensor, plain);
  const chunks: Uint8Array[] = [];
  for await (const { bytes } of encodeTensor(kernels, tensor, resolved)) chunks.push(bytes);
  return decodeTensor(kernels, tensor, resolved, chunks);
}
