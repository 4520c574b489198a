import type { Kernels } from "../kernels.ts";
import { AUTO, type Step } from "../plan.ts";
import type { LazyTensor } from "../tensor.ts";
import { cutLayout } from "./cut.ts";
import { decodeTensor } from "./decode.ts";
import { chunkInputs } from "./inputs.ts";
import { resolveOne } from "./resolve.ts";
import { encodeChunk } from "./tensor.ts";

/** f32 elements as a tensor. */
export function tensorOver(name: string, shape: readonly number[], data: Float32Array): LazyTensor {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { name, dtype: "F32", shape, read: async (first, end) => bytes.subarray(4 * first, 4 * end) };
}

export interface Through {
  /** What a file gives back. */
  readonly data: Float32Array;
  /** The step size that a target chose; null: the steps have none. */
  readonly step: number | null;
}

/** The steps run, and run backwards: what a file would give back of f32 elements that were packed with them. @throws as encodeTensor */
export async function throughSteps(kernels: Kernels, tensor: LazyTensor, steps: readonly Step[]): Promise<Through> {
  // Which code the bytes get only matters to a target of bits, which counts them.
  const counted = steps.some((step) => step.op === "quantize" && step.target?.by === "bits");
  const plain = steps.map((step): Step => (step.op === "code" && !counted ? { ...AUTO, code: "raw" } : step));
  kernels.arena(0, "encode");
  const resolved = await resolveOne(kernels, tensor, plain);
  const layout = cutLayout(tensor, resolved.steps);
  const chunks: Uint8Array[] = [];
  for await (const input of chunkInputs(kernels, resolved, layout)) {
    chunks.push(encodeChunk(kernels, layout, input).bytes);
  }
  return { data: decodeTensor(kernels, tensor, resolved.steps, chunks), step: resolved.levels?.scale ?? null };
}
