import type { IndexEntry } from "../container/entries.ts";
import type { QuernFile } from "../container/reader.ts";
import { elementCount, type LazyTensor } from "../tensor.ts";
import type { TensorEqual, TensorFigures } from "./comparison.ts";
import type { Bench, Measured } from "./measure.ts";
import { histogramOf } from "./weights.ts";

/** Tensors that get a histogram: the largest. */
export const HISTOGRAMS = 40;

/** What each tensor is like, and what it takes in the file that is followed. */
export async function tensorFigures(
  { model, signal }: Bench,
  quantized: ReadonlySet<string>,
  limits: ReadonlyMap<string, number>,
  followed: Measured | null,
): Promise<TensorFigures[]> {
  const drawn = largestOf(model.tensors.filter(({ name }) => quantized.has(name)));
  const figures: TensorFigures[] = [];
  for (const [i, tensor] of model.tensors.entries()) {
    signal?.throwIfAborted();
    const { name, dtype, shape } = tensor;
    const isQuantized = quantized.has(name);
    figures.push({
      ...{ name, dtype, shape },
      elements: elementCount(shape),
      quantized: isQuantized,
      equal: followed && (await equalFigures(followed, i, isQuantized)),
      histogram: drawn.has(name) ? await histogramOf(tensor, limits.get(name) ?? 0, signal) : null,
    });
  }
  return figures;
}

function largestOf(tensors: readonly LazyTensor[]): ReadonlySet<string> {
  const sized = tensors.map(({ name, shape }) => ({ name, elements: elementCount(shape) }));
  const sorted = sized.sort((a, b) => b.elements - a.elements).slice(0, HISTOGRAMS);
  return new Set(sorted.map(({ name }) => name));
}

async function equalFigures({ file, diff }: Measured, index: number, quantized: boolean): Promise<TensorEqual> {
  const entry = file.index[index] as IndexEntry;
  const { storedBytes: bytes, elements } = entry;
  // Without a step it was kept, and may share its chunk.
  const step = quantized ? await stepOf(file, entry) : null;
  return {
    bytes,
    codes: step === null ? (quantized ? bytes : 0) : await codeBytes(file, entry),
    bits: elements === 0 ? 0 : (8 * bytes) / elements,
    snr: diff.tensors[index]?.snr ?? Number.POSITIVE_INFINITY,
    step,
  };
}

async function codeBytes(file: QuernFile, { firstChunk, chunks }: IndexEntry): Promise<number> {
  let bytes = 0;
  for (let chunk = firstChunk; chunk < firstChunk + chunks; chunk++) {
    for (const { part, stored } of await file.explain(chunk)) if (part === "codes") bytes += stored;
  }
  return bytes;
}

async function stepOf(file: QuernFile, { name }: IndexEntry): Promise<number | null> {
  const { quantization } = await file.tensor(name, { as: "stored" });
  return quantization?.scales[0] ?? null;
}
