import { argument } from "../errors/base.ts";
import { type PlainDType, plainFloats } from "../tensor/plain.ts";
import type { TensorInfo } from "../tensor.ts";
import { type Assembly, assemble, type LoadOptions } from "./assemble.ts";
import type { Reader } from "./chunks.ts";
import type { Entry } from "./sections.ts";

// Tensors of an open file as f32.

/** Elements of a tensor that one task decodes whole: the worker's buffer becomes the tensor's, and nothing is copied here. */
const WHOLE = 4 * 1024 * 1024;

/** A tensor as f32: dequantized, widened, or converted from integers (rounded to the nearest f32). */
export interface FloatTensor {
  readonly name: string;
  readonly dtype: "F32";
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Where f32 elements go: an array of exactly as many, or what gives it, asked anew whenever something is written. */
export type Into = Float32Array | ((tensor: TensorInfo) => Float32Array);

export interface FloatOptions extends LoadOptions {
  as?: "f32";
  /** The caller's memory, written as chunks are decoded. A function, where that may move: the heap of a module that grows. */
  into?: Into | undefined;
}

/** Whole tensors to f32, in the order of the entries. @throws FormatError, LoadError, RangeError if `into` has another size */
export function streamFloats(
  reader: Reader,
  entries: readonly Entry[],
  options: FloatOptions,
): AsyncGenerator<FloatTensor> {
  const { into } = options;
  // Chunks of a tensor that is alone are spread over the workers.
  const side = reader.workers && !into && entries.length > 1;
  const decodedWhole = ({ section: { layout } }: Entry) => side && layout.elements <= WHOLE;
  const size = (entry: Entry) => (decodedWhole(entry) ? entry.section.layout.chunks : 1);
  return assemble(reader, entries, size, options, (entry) => floatAssembly(reader, entry, into));
}

function floatAssembly(
  { workers, whole }: Reader,
  { section: { layout, steps }, tensor, elements: all }: Entry,
  into: Into | undefined,
): Assembly<"floats", FloatTensor> {
  const { elements, chunkElements } = layout;
  let made: Float32Array | undefined;
  const target = (): Float32Array => {
    if (!into) {
      made ??= new Float32Array(all);
      return made;
    }
    const given = typeof into === "function" ? into(tensor) : into;
    argument(given.length === all, "into", `${all} elements`, given.length);
    return given;
  };
  return {
    task(span) {
      const start = span.first * chunkElements;
      const end = Math.min(start + span.chunks.length * chunkElements, elements);
      const complete = !into && end - start === all;
      if (workers) return { kind: "floats", span, into: null, copied: complete ? 0 : end - start };
      return { kind: "floats", span, into: target().subarray(start, end), copied: 0 };
    },
    put(span, result) {
      // Without workers it was decoded in place; a whole tensor from a worker needs no copy.
      if (!workers) return;
      if (!into && result.length === all) {
        made = result;
        return;
      }
      target().set(result, span.first * chunkElements);
      workers.recycle(result.buffer as ArrayBuffer);
    },
    fill(bytes) {
      const values = plainFloats(tensor.dtype as PlainDType, bytes);
      if (into) target().set(values);
      else made = values;
    },
    async finish() {
      const data = target();
      if (elements < all) {
        const { expand, removedChannels } = await whole();
        expand(data, tensor, removedChannels(steps));
      }
      return { name: tensor.name, dtype: "F32", shape: tensor.shape, data };
    },
  };
}
