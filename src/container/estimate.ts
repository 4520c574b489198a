import type { Smoothing } from "../codec/factors.ts";
import type { Asked, Resolved } from "../codec/inputs.ts";
import { resolveAll } from "../codec/resolve.ts";
import { coreKernels } from "../kernels/core.ts";
import { CHUNK_BYTES, type Kernels, loadKernels } from "../kernels.ts";
import { type Plan, printSteps, type Step } from "../plan.ts";
import { elementCount, type Model } from "../tensor.ts";
import { askedFile, chunkCount, describeFile, type FileOptions } from "./asked.ts";
import { type ChunkCost, type CostOptions, groupCosts } from "./cost.ts";
import { headerLength } from "./format.ts";
import { type Group, type Grouped, groupTensors } from "./grouping.ts";
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
  /** Chunks that were encoded so far. */
  readonly encoded: number;
}

/** A table of what the tensors of a model cost, empty at first. @param kernels - some that encode */
export function costTable(kernels: Kernels, model: Model): CostTable {
  kernels.arena(0, "encode");
  const [resolved, costs] = [new Map<string, Resolved>(), new Map<string, readonly ChunkCost[]>()];
  const keysOf = keyMaker();
  let readers: Promise<Kernels> | undefined;
  let encoded = 0;

  async function resolve(asked: readonly Asked[], keys: readonly string[], signal?: AbortSignal): Promise<Resolved[]> {
    // Those that have a threshold in common are all known or all unknown: their names are in the key.
    const unknown = asked.filter((_, i) => !resolved.has(keys[i] as string));
    const found = new Map((await resolveAll(kernels, unknown, signal)).map((one) => [one.tensor.name, one]));
    return asked.map(({ tensor, stage }, i) => {
      const key = keys[i] as string;
      const one = found.get(tensor.name) ?? (resolved.get(key) as Resolved);
      resolved.set(key, one);
      return { ...one, stage };
    });
  }

  async function fill(groups: readonly Group[], keys: readonly string[], options: EstimateOptions): Promise<void> {
    const keyOf = new Map(groups.map((group, i) => [group, keys[i] as string]));
    const unknown = groups.filter((group) => !costs.has(keyOf.get(group) as string));
    const place = { kernels, workers: options.workers };
    for (const [group, chunks] of await groupCosts(place, unknown, options)) {
      costs.set(keyOf.get(group) as string, chunks);
      encoded += chunks.length;
    }
  }

  return {
    async estimate(plan, options = {}) {
      const file = askedFile(model, plan, options);
      const keys = keysOf(file.asked);
      const all = await resolve(file.asked, keys, options.signal);
      const grouped = groupTensors(all);
      // What no header can hold is refused before anything is encoded.
      const header = headerLength(describeFile(file, grouped), file.records, chunkCount(grouped.groups));
      const tensorKeys = new Map(all.map(({ tensor }, i) => [tensor.name, keys[i] as string]));
      const groupKeys = grouped.groups.map((group) => groupKey(group, tensorKeys));
      await fill(grouped.groups, groupKeys, options);
      readers ??= readingKernels();
      const chunks = groupKeys.map((key) => costs.get(key) as readonly ChunkCost[]);
      return composed(await readers, header, grouped, chunks, options.window);
    },
    get encoded() {
      return encoded;
    },
  };
}

/** The kernels that open takes. */
async function readingKernels(): Promise<Kernels> {
  return (await coreKernels()) ?? loadKernels({ encode: false });
}

/** What the costs of each tensor follow from, besides its elements. */
function keyMaker() {
  const smoothings = numbering<Smoothing>(new WeakMap());
  const together = numbering<string>(new Map());
  return (asked: readonly Asked[]): string[] => {
    const owns = asked.map(({ tensor, steps, smoothing }) => {
      const smooth = steps[0]?.op === "smooth" && smoothing ? smoothings(smoothing) : null;
      return [tensor.name, printSteps(steps), smooth] as const;
    });
    const alike = new Map<readonly Step[], string[]>();
    for (const [i, { steps }] of asked.entries()) {
      const others = alike.get(steps) ?? [];
      others.push(JSON.stringify(owns[i]));
      alike.set(steps, others);
    }
    return asked.map(({ steps }, i) => {
      // Their threshold is one over all that have these steps.
      const shared = steps.some((step) => step.op === "prune" && step.by === "magnitude" && step.over === "model");
      return JSON.stringify([owns[i], shared ? together(String(alike.get(steps))) : null]);
    });
  };
}

/** Numbers for what comes, the same for the same. */
function numbering<T>(known: { get(key: T): number | undefined; set(key: T, number: number): unknown }) {
  let next = 0;
  return (key: T): number => {
    const number = known.get(key) ?? next++;
    known.set(key, number);
    return number;
  };
}

function groupKey({ names, source }: Group, keys: ReadonlyMap<string, string>): string {
  const [first] = names as [string];
  return names.length === 1 ? (keys.get(first) as string) : JSON.stringify([names, printSteps(source.steps)]);
}

function composed(
  kernels: Kernels,
  headerBytes: number,
  grouped: Grouped,
  costs: readonly (readonly ChunkCost[])[],
  window = 2 * CHUNK_BYTES,
): FileEstimate {
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
