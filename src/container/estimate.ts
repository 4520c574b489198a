import { asciiText } from "../bytes.ts";
import type { Resolved } from "../codec/inputs.ts";
import { commonSteps } from "../codec/steps.ts";
import { argument } from "../errors.ts";
import { coreKernels } from "../kernels/core.ts";
import { CHUNK_BYTES, type Kernels, loadKernels } from "../kernels.ts";
import { type Plan, printSteps, type Step } from "../plan.ts";
import { WIDTHS } from "../tensor/plain.ts";
import { type DType, elementCount, type Model } from "../tensor.ts";
import { askedFile, chunkCount, describeFile, type FileOptions } from "./asked.ts";
import { type ChunkCost, type CostOptions, costOf, type TensorCost } from "./cost.ts";
import { costCache } from "./costs.ts";
import { headerLength } from "./format.ts";
import { type Grouped, groupTensors } from "./grouping.ts";
import { peakBeside } from "./peak.ts";
import { portion } from "./sections.ts";

// The size of a file that has not been packed, to the byte. What tensors cost under some steps is found by encoding them, once for each steps;
// files of any plan are then put together of these figures.

/** A tensor of the file. */
export interface TensorEstimate {
  readonly name: string;
  /** As the file would say them. */
  readonly steps: readonly Step[];
  /** Elements when it is loaded. */
  readonly elements: number;
  /** The chunks of the file that hold it: `chunks` from `firstChunk` on. Small tensors may share one. */
  readonly firstChunk: number;
  readonly chunks: number;
  /** Bytes of its chunks; of a chunk that it shares, its share by elements. */
  readonly stored: number;
}

/** What pack would write, in numbers, which may go through JSON. */
export interface FileEstimate {
  readonly fileBytes: number;
  readonly headerBytes: number;
  /** Whether the header is none of those that most files have, so that a reader loads more code to read it. */
  readonly rareHeader: boolean;
  /** In the order of the file. */
  readonly chunks: readonly ChunkCost[];
  readonly tensors: readonly TensorEstimate[];
  /** Elements of all tensors when they are loaded. */
  readonly elements: number;
  /** Bytes that reading takes at most beside the tensors, as `totals.peak` of the opened file says. */
  readonly peak: number;
}

export interface EstimateOptions extends FileOptions, CostOptions {
  /** As open takes it, for `peak`. Bytes. */
  readonly window?: number | undefined;
}

export interface CostTable {
  /**
   * The file that pack would write of the model under this plan. Chunks that no call before has needed are encoded, all others are not: for
   * tensors that share a chunk, which have less than 64 KiB together, it counts with whom.
   * @throws as pack
   */
  estimate(plan: Plan | string, options?: EstimateOptions): Promise<FileEstimate>;
  /**
   * What a tensor costs by itself under these steps. An estimate need not encode it again, unless it shares a chunk there. Of
   * `prune S global` the threshold is that of this tensor alone.
   * @throws as tensorCost; RangeError if the model has no such tensor
   */
  tensor(
    name: string,
    steps: readonly Step[],
    options?: CostOptions & Pick<FileOptions, "smoothing">,
  ): Promise<TensorCost>;
  /** Chunks that were encoded so far. */
  readonly encoded: number;
}

/** A table of what the tensors of a model cost, empty at first. @param kernels - some that encode */
export function costTable(kernels: Kernels, model: Model): CostTable {
  kernels.arena(0, "encode");
  const cache = costCache(kernels);
  let readers: Promise<Kernels> | undefined;
  return {
    async tensor(name, steps, options = {}) {
      const tensor = model.tensors.find((each) => each.name === name);
      argument(tensor !== undefined, "name", "a tensor of the model", name);
      const found = await cache.resolve([{ tensor, steps, smoothing: options.smoothing?.get(name) }], options.signal);
      const { groups } = groupTensors(found.resolved);
      const [chunks = []] = await cache.costs(groups, found.keys, options);
      return costOf(found.resolved[0] as Resolved, chunks);
    },
    async estimate(plan, options = {}) {
      const file = askedFile(model, plan, options);
      const { resolved, keys } = await cache.resolve(file.asked, options.signal);
      const grouped = groupTensors(resolved);
      // What no header can hold is refused before anything is encoded.
      const json = describeFile(file, grouped);
      const headerBytes = headerLength(json, file.records, chunkCount(grouped.groups));
      const costs = await cache.costs(grouped.groups, keys, options);
      readers ??= readingKernels();
      const composed = composedOf(await readers, headerBytes, grouped, costs, options.window);
      return { ...composed, rareHeader: file.records.length > 0 || isRare(json, grouped) };
    },
    get encoded() {
      return cache.encoded;
    },
  };
}

/** The kernels that open takes. */
async function readingKernels(): Promise<Kernels> {
  return (await coreKernels()) ?? loadKernels({ encode: false });
}

function composedOf(
  kernels: Kernels,
  headerBytes: number,
  grouped: Grouped,
  costs: readonly (readonly ChunkCost[])[],
  window = 2 * CHUNK_BYTES,
): Omit<FileEstimate, "rareHeader"> {
  const chunks = costs.flat();
  const tensors = tensorsOf(grouped, costs);
  const most = (of: (chunk: ChunkCost) => number): number => chunks.reduce((all, chunk) => Math.max(all, of(chunk)), 0);
  const prelude = { largestStored: most(({ stored }) => stored), largestDecoded: most(({ decoded }) => decoded) };
  return {
    fileBytes: chunks.reduce((sum, { stored }) => sum + stored, headerBytes),
    headerBytes,
    chunks,
    tensors,
    elements: tensors.reduce((sum, { elements }) => sum + elements, 0),
    peak: peakBeside(kernels, prelude, headerBytes, window),
  };
}

// As header.ts finds it.
function isRare(json: Uint8Array, { groups }: Grouped): boolean {
  const texts = new Set(groups.map(({ source }) => `${source.tensor.dtype} ${printSteps(source.steps)}`));
  return asciiText(json).includes("\\u") || [...texts].some((text) => !isCommon(text));
}

function isCommon(text: string): boolean {
  const [dtype = "", ...steps] = text.split(" ");
  try {
    return dtype in WIDTHS && commonSteps(steps.join(" "), dtype as DType).length > 0;
  } catch {
    return false;
  }
}

function tensorsOf({ groups, placed }: Grouped, costs: readonly (readonly ChunkCost[])[]): TensorEstimate[] {
  let next = 0;
  const sections = groups.map((group, i) => {
    const chunks = costs[i] as readonly ChunkCost[];
    const firstChunk = next;
    next += chunks.length;
    return { group, firstChunk, chunks: chunks.length, stored: chunks.reduce((sum, { stored }) => sum + stored, 0) };
  });
  const filled = groups.map(() => 0);
  return placed.map(({ name, shape, section }) => {
    const { group, firstChunk, chunks, stored } = sections[section] as (typeof sections)[number];
    const elements = elementCount(shape);
    const start = filled[section] as number;
    filled[section] = start + elements;
    const share = group.names.length === 1 ? stored : portion(stored, start, start + elements, group.layout.elements);
    return { name, steps: group.source.steps, elements, firstChunk, chunks, stored: share };
  });
}
