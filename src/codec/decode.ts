import { demand } from "../errors.ts";
import type { Kernels } from "../kernels.ts";
import type { Step } from "../plan.ts";
import { elementCount, type TensorInfo } from "../tensor.ts";
import { cutLayout } from "./cut.ts";
import { chunkShape } from "./layout.ts";
import { expand, removedChannels } from "./removed.ts";
import { decodeChunkFloats, STORED_EXTRA } from "./tensor.ts";

/**
 * Decodes the chunks of one tensor as encodeTensor gave them, to f32.
 * @throws FormatError if the bytes are malformed; there is no checksum at this level
 */
export function decodeTensor(
  kernels: Kernels,
  tensor: TensorInfo,
  steps: readonly Step[],
  chunks: readonly Uint8Array[],
): Float32Array {
  const layout = cutLayout(tensor, steps);
  demand(
    chunks.length === layout.chunks,
    "count",
    0,
    `tensor "${tensor.name}"`,
    `${layout.chunks} chunks`,
    chunks.length,
  );
  const out = new Float32Array(elementCount(tensor.shape));
  chunks.forEach((bytes, index) => {
    const { start, count, room } = chunkShape(layout, index);
    const { stored, capacity } = kernels.arena(room, "decode");
    const limit = capacity + STORED_EXTRA;
    demand(bytes.length <= limit, "length", 0, `chunk ${index}`, `at most ${limit} bytes`, bytes.length);
    kernels.bytes().set(bytes, stored);
    const place = { offset: 0, field: `chunk ${index}` };
    decodeChunkFloats(kernels, layout, index, bytes.length, place, out.subarray(start, start + count));
  });
  const removed = removedChannels(steps);
  if (removed.length > 0) expand(out, tensor, removed);
  return out;
}
