import { type ByteSink, hex } from "../bytes.ts";
import type { Resolved } from "../codec/inputs.ts";
import { resolveAll } from "../codec/resolve.ts";
import type { CodeName } from "../codec/stream.ts";
import { type Kernels, loadKernels } from "../kernels.ts";
import { type Plan, printPlan, printSteps } from "../plan.ts";
import { bytesOf, type LazyTensor, type Model } from "../tensor.ts";
import { type AskedFile, askedFile, chunkCount, describeFile, type FileOptions } from "./asked.ts";
import { type Budget, spendBudget } from "./budget.ts";
import { encodedChunks } from "./encoded.ts";
import { headerBuilder, headerLength } from "./format.ts";
import { type Group, type Grouped, groupTensors } from "./grouping.ts";
import { portion } from "./sections.ts";
import type { Sealed } from "./tasks.ts";
import type { Place, Workers } from "./workers.ts";

/** How far a long task is. Bytes are those of the source's elements. */
export interface Progress {
  /** With a budget, step sizes are chosen and measured before the file is written; each phase goes from 0 to its total. */
  readonly phase: "choosing" | "packing";
  /** The name of the tensor, or of the first of those that share a chunk and how many they are. */
  readonly tensor: string;
  readonly done: number;
  readonly total: number;
}

export interface PackOptions extends FileOptions {
  onProgress?: ((progress: Progress) => void) | undefined;
  /** Stops before the next chunk; pack then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  kernels?: Kernels | undefined;
  /** What the whole file may take. Steps of int8 are then chosen so that the error of all tensors together is least. */
  budget?: Budget | undefined;
  /** Encode chunks on other threads, several at once; the file's bytes are the same. */
  workers?: Workers | undefined;
}

/** What pack did to one tensor. */
export interface PackedTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly plan: string;
  readonly elements: number;
  readonly sourceBytes: number;
  readonly decodedBytes: number;
  readonly storedBytes: number;
  /** Share of the elements that are zero when decoded; of a chunk that tensors share, the chunk's. */
  readonly sparsity: number;
  /** Chunks by the code of their last stream. */
  readonly codes: Readonly<Partial<Record<CodeName, number>>>;
}

export interface PackReport {
  readonly plan: string;
  /** Names the file; lower-case hexadecimal. */
  readonly sha256: string;
  readonly fileBytes: number;
  readonly headerBytes: number;
  readonly sourceBytes: number;
  readonly tensors: readonly PackedTensor[];
}

interface Job extends Group {
  readonly sums: { codes: Partial<Record<CodeName, number>>; zeros: number; storedBytes: number; decodedBytes: number };
}

/**
 * Packs a model under a plan and closes the sink. Holds one chunk of the source at a time; chunks are written as they are
 * made, the header last, at position 0.
 * @param given - the model
 * @param plan - a plan, or its text such as "int8 channel > auto"
 * @throws PlanError, DataError, the signal's reason, or what the sink throws
 */
export async function pack(
  given: Model,
  plan: Plan | string,
  sink: ByteSink,
  options: PackOptions = {},
): Promise<PackReport> {
  const file = askedFile(given, plan, options);
  const { model, records } = file;
  const kernels = options.kernels ?? (await loadKernels());
  // Kernels that only decode are refused here, before anything is read.
  kernels.arena(0, "encode");
  const place = { kernels, workers: options.workers };
  const grouped = groupTensors(await resolve(place, file, options));
  const { groups, placed } = grouped;
  const sums = () => ({ codes: {}, zeros: 0, storedBytes: 0, decodedBytes: 0 });
  const jobs = groups.map((group): Job => ({ ...group, sums: sums() }));
  const header = headerBuilder(describeFile(file, grouped), records, chunkCount(groups));
  const total = jobs.reduce((sum, { layout }) => sum + bytesOf(layout.tensor.dtype, layout.elements), 0);
  let done = 0;
  for await (const { group: job, chunk } of encodedChunks(place, jobs, options.signal)) {
    options.signal?.throwIfAborted();
    await sink.write(chunk.bytes, header.add(chunk, chunk.sums));
    note(job.sums, chunk);
    done += bytesOf(job.layout.tensor.dtype, chunk.shape.count);
    options.onProgress?.({ phase: "packing", tensor: job.source.tensor.name, done, total });
  }
  const tensors = packedTensors(model, placed, jobs);
  const { bytes, sha256 } = header.finish(kernels);
  options.signal?.throwIfAborted();
  await sink.write(bytes, 0);
  await sink.close();
  const fileBytes = bytes.length + tensors.reduce((sum, tensor) => sum + tensor.storedBytes, 0);
  return {
    plan: printPlan(file.plan),
    sha256: hex(sha256),
    fileBytes,
    headerBytes: bytes.length,
    sourceBytes: tensors.reduce((sum, tensor) => sum + tensor.sourceBytes, 0),
    tensors,
  };
}

// What is done to each tensor.
function resolve(place: Place, file: AskedFile, options: PackOptions): Promise<Resolved[]> {
  const { asked, records } = file;
  if (!options.budget) return resolveAll(place.kernels, asked, options.signal);
  const header = (grouped: Grouped) => headerLength(describeFile(file, grouped), records, chunkCount(grouped.groups));
  return spendBudget(place, asked, options.budget, header, options);
}

function note(sums: Job["sums"], { code, bytes, shape, zeros }: Sealed): void {
  sums.codes[code] = (sums.codes[code] ?? 0) + 1;
  sums.zeros += zeros;
  sums.storedBytes += bytes.length;
  sums.decodedBytes += shape.decodedBytes;
}

// In the order of the model. Of a chunk that tensors share each has its share by elements.
function packedTensors({ tensors }: Model, placed: Grouped["placed"], jobs: readonly Job[]): PackedTensor[] {
  const filled = jobs.map(() => 0);
  return placed.map(({ name, shape, elements, section }, i) => {
    const { source, layout, sums } = jobs[section] as Job;
    const { dtype } = tensors[i] as LazyTensor;
    const start = filled[section] as number;
    filled[section] = start + elements;
    // A tensor that has its section alone may be without the channels that were removed, which are zero too.
    const alone = elements >= layout.elements;
    const share = (count: number) => (alone ? count : portion(count, start, start + elements, layout.elements));
    const zeros = share(sums.zeros) + (alone ? elements - layout.elements : 0);
    return {
      name,
      dtype,
      shape,
      plan: printSteps(source.steps),
      elements,
      sourceBytes: bytesOf(dtype, elements),
      decodedBytes: share(sums.decodedBytes),
      storedBytes: share(sums.storedBytes),
      sparsity: elements > 0 ? zeros / elements : 0,
      codes: sums.codes,
    };
  });
}
