import { chunkInputs } from "../codec/inputs.ts";
import type { Group } from "./grouping.ts";
import { inOrder } from "./order.ts";
import { encodeTask, type Sealed } from "./tasks.ts";
import { type Place, tasksAhead } from "./workers.ts";

/** Chunks of all sections in order, so that small tensors keep several workers busy too. */
export function encodedChunks<G extends Group>(
  place: Place,
  groups: readonly G[],
  signal: AbortSignal | undefined,
): AsyncGenerator<{ group: G; chunk: Sealed }> {
  async function* inputs() {
    for (const group of groups) {
      signal?.throwIfAborted();
      for await (const input of chunkInputs(place.kernels, group.source, group.layout)) yield { group, input };
    }
  }
  return inOrder(inputs(), tasksAhead(place.workers?.size), signal, async ({ group, input }, stop) => {
    const task = { kind: "encode", layout: group.layout, input } as const;
    const chunk = await (place.workers ? place.workers.run(task, stop) : encodeTask(place.kernels, task));
    return { group, chunk };
  });
}
