import type { CodeName } from "../codec/code.ts";
import { isCommon } from "../codec/common.ts";
import { explainChunk, type StreamReport } from "../codec/explain.ts";
import type { Resolved } from "../codec/inputs.ts";
import { chunkShape, type Layout } from "../codec/layout.ts";
import { resolveOne } from "../codec/resolve.ts";
import type { Kernels } from "../kernels.ts";
import type { Step } from "../plan.ts";
import { bytesOf, type LazyTensor } from "../tensor.ts";
import { encodedChunks } from "./encoded.ts";
import { type Group, groupTensors } from "./grouping.ts";
import { ENTRY_BYTES } from "./prelude.ts";
import type { Sealed } from "./tasks.ts";
import type { Place, Workers } from "./workers.ts";

// What chunks cost: found by encoding them, of which only numbers are kept.

/** A chunk in numbers, which may go through JSON. */
export interface ChunkCost {
  /** Bytes in the file. */
  readonly stored: number;
  /** Bytes as it is decoded, before codes become numbers. */
  readonly decoded: number;
  /** Steps of decoding its streams: see StreamReport. */
  readonly steps: number;
  readonly elements: number;
  /** What it holds: codes ("int4", "int8", "int16") or elements ("f32", "i64" ...). */
  readonly form: string;
  /** Whether its elements are divided by factors. */
  readonly smooth: boolean;
  /** Whether it is none of those that most files have, so that a reader loads more code to decode it. */
  readonly rare: boolean;
}

/** A tensor under some steps, in chunks of its own. */
export interface TensorCost {
  readonly name: string;
  /** As a file would say them. */
  readonly steps: readonly Step[];
  readonly chunks: readonly ChunkCost[];
  /** Bytes of the chunks. */
  readonly stored: number;
  readonly decoded: number;
  /** Steps of decoding. */
  readonly decoding: number;
  /** Bytes of the chunks and of their entries in the header's table: what the tensor adds to a file but for its place in the JSON part. */
  readonly bytes: number;
}

export interface CostOptions {
  /** Stops before the next chunk; the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Encode chunks on other threads. The costs are the same. */
  readonly workers?: Workers | undefined;
  /** Hears of source bytes that were encoded, of all that there are to encode. */
  readonly onProgress?: ((progress: { tensor: string; done: number; total: number }) => void) | undefined;
}

/**
 * What a tensor costs under these steps. Of `prune S global` the threshold is that of this tensor alone.
 * @throws PlanError, DataError; RangeError for kernels that only decode
 */
export async function tensorCost(
  kernels: Kernels,
  tensor: LazyTensor,
  steps: readonly Step[],
  options: CostOptions = {},
): Promise<TensorCost> {
  kernels.arena(0, "encode");
  const resolved = await resolveOne(kernels, tensor, steps);
  const { groups } = groupTensors([resolved]);
  const place = { kernels, workers: options.workers };
  const costs = await groupCosts(place, groups, options);
  return costOf(resolved, [...costs.values()].flat());
}

export function costOf(
  { tensor, steps }: Pick<Resolved, "tensor" | "steps">,
  chunks: readonly ChunkCost[],
): TensorCost {
  const sum = (of: (chunk: ChunkCost) => number): number => chunks.reduce((all, chunk) => all + of(chunk), 0);
  const stored = sum((chunk) => chunk.stored);
  return {
    name: tensor.name,
    steps,
    chunks,
    stored,
    decoded: sum((chunk) => chunk.decoded),
    decoding: sum((chunk) => chunk.steps),
    bytes: stored + ENTRY_BYTES * chunks.length,
  };
}

/** Encodes the chunks of all groups and gives what each costs. */
export async function groupCosts<G extends Group>(
  place: Place,
  groups: readonly G[],
  { signal, onProgress }: CostOptions,
): Promise<Map<G, ChunkCost[]>> {
  const costs = new Map(groups.map((group): [G, ChunkCost[]] => [group, []]));
  const total = groups.reduce((sum, { layout }) => sum + bytesOf(layout.tensor.dtype, layout.elements), 0);
  let done = 0;
  for await (const { group, chunk } of encodedChunks(place, groups, signal)) {
    signal?.throwIfAborted();
    const { layout, source } = group;
    const own = costs.get(group) as ChunkCost[];
    own.push(chunkCost(place.kernels, layout, own.length, chunk));
    done += bytesOf(layout.tensor.dtype, chunk.shape.count);
    onProgress?.({ tensor: source.tensor.name, done, total });
  }
  return costs;
}

function chunkCost(kernels: Kernels, layout: Layout, index: number, { bytes }: Sealed): ChunkCost {
  const { tensor, coding, smooth } = layout;
  const { count, decodedBytes, room } = chunkShape(layout, index);
  const { stored } = kernels.arena(room, "encode");
  kernels.bytes().set(bytes, stored);
  const place = { offset: 0, field: `chunk ${index} of tensor ${JSON.stringify(tensor.name)}` };
  const streams = explainChunk(kernels, layout, index, bytes.length, place);
  return {
    stored: bytes.length,
    decoded: decodedBytes,
    steps: streams.reduce((sum, { steps }) => sum + steps, 0),
    elements: count,
    form: coding ? `int${coding.bits}` : tensor.dtype.toLowerCase(),
    smooth: smooth !== null,
    rare: !isCommon(layout) || streams.some(isRare),
  };
}

const COMMON: readonly CodeName[] = ["raw", "constant", "planes", "pivot", "mask"];

/** Whether a stream is of a code that the common reader leaves to others: codec/common.ts. */
export function isRare({ code, inside }: StreamReport): boolean {
  const masks = code === "mask" && inside.some((stream) => stream.code === "mask");
  return masks || !COMMON.includes(code) || inside.some(isRare);
}
