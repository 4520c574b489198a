import { encodeText } from "../model/gguf/text.ts";
import { TENSOR_TYPES } from "../model/gguf/types.ts";
import { writeGguf } from "../model/gguf/write.ts";
import { writeSafetensors } from "../model/safetensors.ts";
import { bytesOf, type DType, elementCount, isBlocks, type LazyTensor, type Model } from "../tensor.ts";
import type { Format } from "./formats.ts";

// Sizes of the files of other formats: written in full, with zeros, to nowhere.

const NOWHERE = { write: async () => {}, close: async () => {} };
const MAX_NAME = 63;
const GGUF_TYPES = new Set<DType>(TENSOR_TYPES.values());

/**
 * Bytes of the file that a format takes for a model, with all names and metadata. Tensors that are not quantized keep their dtype.
 * @param quantized - names of the tensors that the format stores
 */
export async function formatBytes(
  model: Model,
  { file, stored }: Format,
  quantized: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<number> {
  const freeName = nameGiver(model);
  const tensors = model.tensors.flatMap((tensor) => {
    const { name, shape } = tensor;
    if (!quantized.has(name)) return [zeros(name, plain(file, tensor.dtype), shape)];
    return stored(tensor).map(({ suffix, dtype, elements }) => {
      const whole = elements === elementCount(shape) && (!isBlocks(dtype) || (shape.at(-1) ?? 1) % 32 === 0);
      return zeros(suffix ? freeName(name + suffix) : name, dtype, whole ? shape : [elements]);
    });
  });
  const { metadata } = model;
  if (file === "safetensors") return writeSafetensors({ tensors, metadata }, NOWHERE, { signal });
  return writeGguf({ tensors: tensors.map(forGguf), metadata: metadataForGguf(metadata) }, NOWHERE, { signal });
}

// Names that no other tensor has.
function nameGiver({ tensors }: Model): (name: string) => string {
  const taken = new Set(tensors.map(({ name }) => name));
  return (name) => {
    let free = name;
    while (taken.has(free)) free += "_";
    taken.add(free);
    return free;
  };
}

function zeros(name: string, dtype: DType, shape: readonly number[]): LazyTensor {
  return { name, dtype, shape, read: async (start, end) => new Uint8Array(bytesOf(dtype, end - start)) };
}

// A dtype of the same width that the file has.
function plain(file: Format["file"], dtype: DType): DType {
  if (file === "gguf") return GGUF_TYPES.has(dtype) ? dtype : "I8";
  return isBlocks(dtype) ? "F32" : dtype;
}

// What GGUF cannot hold would have to be renamed or reshaped: here to the longest that it takes.
function forGguf(tensor: LazyTensor, index: number): LazyTensor {
  const { name, shape } = tensor;
  const text = encodeText(name);
  const fits = text !== null && text.length <= MAX_NAME;
  return {
    ...tensor,
    name: fits ? name : `${index}`.padEnd(MAX_NAME, "x"),
    shape: shape.length <= 4 ? shape : [elementCount(shape.slice(0, -3)), ...shape.slice(-3)],
  };
}

function metadataForGguf(metadata: Model["metadata"]): Model["metadata"] {
  // Those of a GGUF file are as they were.
  if (metadata === null || Object.hasOwn(metadata, "GGUF")) return metadata;
  const length = (text: string) => new TextEncoder().encode(text).length;
  const entries = Object.entries(metadata).map(([key, value], i) => {
    return [`${i}`.padEnd(length(key), "x"), "x".repeat(length(value))];
  });
  return Object.fromEntries(entries);
}
