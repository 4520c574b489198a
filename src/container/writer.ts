import { type ByteSink, hex } from "../bytes.ts";
import { type Layout, layoutOf } from "../codec/layout.ts";
import type { CodeName } from "../codec/stream.ts";
import { encodeTensor } from "../codec/tensor.ts";
import { argument } from "../errors.ts";
import { type Kernels, loadKernels } from "../kernels.ts";
import { type Plan, parsePlan, parseSteps, printPlan, printSteps, type Step, stepsFor } from "../plan.ts";
import { dtypeWidth, type LazyTensor, type Model } from "../tensor.ts";
import { checksums } from "./checksum.ts";
import { encodeDescription } from "./description.ts";
import { headerBuilder } from "./format.ts";

/** How far a long task is. Bytes are those of the source's elements. */
export interface Progress {
  readonly tensor: string;
  readonly done: number;
  readonly total: number;
}

export interface PackOptions {
  onProgress?: ((progress: Progress) => void) | undefined;
  /** Stops before the next chunk; pack then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  kernels?: Kernels | undefined;
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

interface Job {
  readonly tensor: LazyTensor;
  readonly steps: readonly Step[];
  readonly layout: Layout;
}

/**
 * Packs a model under a plan and closes the sink. Holds one chunk of the source at a time; chunks are written as they are
 * made, the header last, at position 0.
 * @param plan - a plan, or its text such as "int8 channel > auto"
 * @throws PlanError, DataError, the signal's reason, or what the sink throws
 */
export async function pack(
  model: Model,
  plan: Plan | string,
  sink: ByteSink,
  options: PackOptions = {},
): Promise<PackReport> {
  const rules = typeof plan === "string" ? parsePlan(plan) : plan;
  for (const { steps } of rules) parseSteps(printSteps(steps));
  const jobs = model.tensors.map((tensor) => jobOf(rules, tensor));
  const names = new Set(model.tensors.map((tensor) => tensor.name));
  argument(names.size === jobs.length, "model", "tensors with unique names", `${jobs.length - names.size} repeated`);
  const kernels = options.kernels ?? (await loadKernels());
  // Kernels that only decode are refused here, before anything is read.
  kernels.arena(0, "encode");
  const json = encodeDescription(printPlan(rules), model.metadata, jobs);
  const chunks = jobs.reduce((sum, { layout }) => sum + layout.chunks, 0);
  const header = headerBuilder(json, chunks);
  const total = jobs.reduce((sum, job) => sum + sourceBytes(job), 0);
  const tensors: PackedTensor[] = [];
  let done = 0;
  for (const job of jobs) {
    const report = (bytes: number): void => {
      done += bytes;
      options.onProgress?.({ tensor: job.tensor.name, done, total });
    };
    tensors.push(await packTensor(kernels, job, header, sink, report, options.signal));
  }
  const { bytes, sha256 } = header.finish(kernels);
  options.signal?.throwIfAborted();
  await sink.write(bytes, 0);
  await sink.close();
  const fileBytes = bytes.length + tensors.reduce((sum, tensor) => sum + tensor.storedBytes, 0);
  return {
    plan: printPlan(rules),
    sha256: hex(sha256),
    fileBytes,
    headerBytes: bytes.length,
    sourceBytes: total,
    tensors,
  };
}

function jobOf(rules: Plan, tensor: LazyTensor): Job {
  const steps = stepsFor(rules, tensor);
  return { tensor, steps, layout: layoutOf(tensor, steps) };
}

function sourceBytes({ tensor, layout }: Job): number {
  return layout.elements * dtypeWidth(tensor.dtype);
}

async function packTensor(
  kernels: Kernels,
  job: Job,
  header: ReturnType<typeof headerBuilder>,
  sink: ByteSink,
  report: (bytes: number) => void,
  signal: AbortSignal | undefined,
): Promise<PackedTensor> {
  const { tensor, steps, layout } = job;
  const codes: Partial<Record<CodeName, number>> = {};
  let [storedBytes, decodedBytes] = [0, 0];
  signal?.throwIfAborted();
  for await (const chunk of encodeTensor(kernels, tensor, steps)) {
    signal?.throwIfAborted();
    const sums = await checksums(kernels, chunk.bytes);
    await sink.write(chunk.bytes, header.add(chunk, sums));
    codes[chunk.code] = (codes[chunk.code] ?? 0) + 1;
    storedBytes += chunk.bytes.length;
    decodedBytes += chunk.shape.decodedBytes;
    report(chunk.shape.count * dtypeWidth(tensor.dtype));
  }
  const { name, dtype, shape } = tensor;
  const plan = printSteps(steps);
  return {
    name,
    dtype,
    shape,
    plan,
    elements: layout.elements,
    sourceBytes: sourceBytes(job),
    decodedBytes,
    storedBytes,
    codes,
  };
}
