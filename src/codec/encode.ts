import type { Kernels } from "../kernels.ts";
import type { Step } from "../plan.ts";
import type { LazyTensor } from "../tensor.ts";
import { cutLayout } from "./cut.ts";
import { chunkInputs } from "./inputs.ts";

import { resolveOne } from "./resolve.ts";
import { type EncodedChunk, encodeChunk } from "./tensor.ts";

/**
 * Runs the steps on a tensor, chunk by chunk. Reads it once, once more if a row is longer than a chunk, and twice more to
 * prune. Under a target (`int8 snr 20dB`), and where `prune channels` has a share, decodeTensor needs the steps that resolveSteps gives.
 * @throws DataError, with the tensor's name, on NaN or infinity in what is to be pruned or quantized
 */
export async function* encodeTensor(
  kernels: Kernels,
  tensor: LazyTensor,
  steps: readonly Step[],
): AsyncGenerator<EncodedChunk> {
  kernels.arena(0, "encode");
  const resolved = await resolveOne(kernels, tensor, steps);
  const layout = cutLayout(tensor, resolved.steps);
  for await (const input of chunkInputs(kernels, resolved, layout)) {
    yield encodeChunk(kernels, layout, input);
  }
}
