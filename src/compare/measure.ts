import { memorySink } from "../bytes.ts";
import type { Budget } from "../container/budget.ts";
import type { QuernFile } from "../container/reader.ts";
import type { Workers } from "../container/workers.ts";
import { pack } from "../container/writer.ts";
import type { Kernels } from "../kernels.ts";
import { open } from "../load/open.ts";
import { diffModels, type ModelDiff } from "../model/diff.ts";
import type { Plan } from "../plan.ts";
import { elementCount, type Model } from "../tensor.ts";
import type { Figures } from "./comparison.ts";

// A model packed to memory, and what comes out of it.

/** What is measured, and with what. */
export interface Bench {
  readonly model: Model;
  readonly kernels: Kernels;
  readonly workers?: Workers | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A packed file with its figures. */
export interface Measured extends Figures {
  readonly file: QuernFile;
  readonly diff: ModelDiff;
}

/** Packs, decodes to f32 and compares. @throws DataError, PlanError, the signal's reason */
export async function measure(
  { model, kernels, workers, signal }: Bench,
  plan: Plan,
  budget?: Budget,
  onProgress?: (share: number) => void,
): Promise<Measured> {
  const sink = memorySink();
  const { fileBytes: bytes } = await pack(model, plan, sink, {
    kernels,
    workers,
    signal,
    budget,
    onProgress: ({ phase, done, total }) => phase === "packing" && onProgress?.(done / Math.max(total, 1)),
  });
  const file = await open(sink.bytes(), { kernels, workers, signal });
  const diff = await diffModels(model, file.model("f32"), signal && { signal });
  return { bytes, bits: bitsOf(model, bytes), snr: diff.total.snr, file, diff };
}

/** Bits of a file by elements of the model; 0 if it has none. */
export function bitsOf({ tensors }: Model, bytes: number): number {
  const elements = tensors.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  return elements === 0 ? 0 : (8 * bytes) / elements;
}

/** Sums of squared differences by name of tensor. */
export function squaredErrors({ tensors }: ModelDiff): ReadonlyMap<string, number> {
  return new Map(tensors.map(({ name, rmse, elements }) => [name, rmse ** 2 * elements]));
}

/** Largest squared error of a tensor by that of the other; 0 where both are without. */
export function worstRatio(errors: ModelDiff, than: ModelDiff): number {
  const others = squaredErrors(than);
  const ratios = [...squaredErrors(errors)].map(([name, error]) => (error === 0 ? 0 : error / (others.get(name) ?? 0)));
  return Math.max(0, ...ratios);
}

/** Names among these of tensors without any error. */
export function exactOf({ tensors }: ModelDiff, names: ReadonlySet<string>): string[] {
  return tensors.filter(({ name, rmse }) => rmse === 0 && names.has(name)).map(({ name }) => name);
}
