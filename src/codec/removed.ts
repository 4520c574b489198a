import { type Ranges, rangesCount, type Step } from "../plan.ts";
import { elementCount, type TensorInfo } from "../tensor.ts";

// Channels that were removed: chunks hold a tensor without them, and what is between them is zero.

/** The channels that the steps remove, or none. Asked as a share, they are still to be chosen: see resolve.ts. */
export function removedChannels(steps: readonly Step[]): Ranges {
  const step = steps.find((candidate) => candidate.op === "prune");
  return step?.by === "removed" ? step.channels : [];
}

/** The tensor without the removed channels. */
export function keptInfo({ name, dtype, shape }: TensorInfo, removed: Ranges): TensorInfo {
  const [channels = 1, ...rest] = shape;
  return { name, dtype, shape: removed.length === 0 ? shape : [channels - rangesCount(removed), ...rest] };
}

/** Elements that are kept and neighbours: `count` of them from `at` on in the tensor, and from `from` on in what is kept. */
export interface Run {
  readonly at: number;
  readonly from: number;
  readonly count: number;
}

/** The runs of kept elements of a tensor, in order. */
export function* keptRuns({ shape }: TensorInfo, removed: Ranges): Generator<Run> {
  const size = elementCount(shape.slice(1));
  let [channel, from] = [0, 0];
  for (const [first, last] of [...removed, [shape[0] ?? 1, 0] as const]) {
    const count = (first - channel) * size;
    if (count > 0) yield { at: channel * size, from, count };
    from += count;
    channel = last + 1;
  }
}

/** Indices of the channels that are kept. */
export function keptChannels({ shape }: TensorInfo, removed: Ranges): Uint32Array {
  const kept = new Uint32Array((shape[0] ?? 1) - rangesCount(removed));
  let count = 0;
  for (const { at, count: channels } of keptRuns({ name: "", dtype: "U8", shape: shape.slice(0, 1) }, removed)) {
    for (let i = 0; i < channels; i++) kept[count++] = at + i;
  }
  return kept;
}

/** Moves the kept elements, which `data` begins with, to their places in it, and fills the rest with zeros. */
export function expand(data: Float32Array, tensor: TensorInfo, removed: Ranges): void {
  let end = data.length;
  // Every run moves up or stays, so the last goes first.
  for (const { at, from, count } of [...keptRuns(tensor, removed)].reverse()) {
    data.copyWithin(at, from, from + count);
    data.fill(0, at + count, end);
    end = at;
  }
  data.fill(0, 0, end);
}
