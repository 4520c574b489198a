import { chunkFloats, type DecodedChunk } from "../codec/tensor.ts";
import { argument } from "../errors.ts";
import type { Kernels } from "../kernels.ts";
import { printSteps } from "../plan.ts";
import { type DType, dtypeWidth, type LazyTensor, narrow } from "../tensor.ts";
import { type Reader, withChunk } from "./chunks.ts";
import type { Entry } from "./description.ts";

// Tensors of an open file, put together from their chunks.

/** A tensor as f32: dequantized, widened, or converted from integers (rounded to the nearest f32). */
export interface FloatTensor {
  readonly name: string;
  readonly dtype: "F32";
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A tensor as it was stored: elements of its dtype, or codes with their scales. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly plan: string;
  /** Elements (little endian), or codes: int8 one to a byte, int4 two to a byte (low nibble first). */
  readonly bytes: Uint8Array;
  /** null if the bytes are elements of dtype. cols = elements per scale. */
  readonly quantization: null | {
    readonly bits: 4 | 8;
    readonly cols: number;
    readonly scales: Float32Array;
    readonly zeroPoints: Int8Array | null;
  };
}

export interface FloatOptions {
  as?: "f32";
  /** Exactly as many elements as the tensor. */
  into?: Float32Array;
  signal?: AbortSignal | undefined;
}

export interface StoredOptions {
  as: "stored";
  signal?: AbortSignal | undefined;
}

/** A whole tensor as f32. @throws FormatError, RangeError if `into` has another size */
export async function loadFloats(reader: Reader, entry: Entry, options: FloatOptions): Promise<FloatTensor> {
  const { layout, tensor } = entry;
  const { into, signal } = options;
  const { elements } = layout;
  argument(into === undefined || into.length === elements, "into", `${elements} elements`, into?.length);
  const data = into ?? new Float32Array(elements);
  for (let i = 0; i < layout.chunks; i++) {
    await withChunk(reader, entry, i, signal, (chunk) => {
      const { start, count } = chunk.shape;
      chunkFloats(reader.kernels, layout, chunk, data.subarray(start, start + count));
    });
  }
  return { name: tensor.name, dtype: "F32", shape: tensor.shape, data };
}

/** A whole tensor as it was stored. @throws FormatError */
export async function loadStored(reader: Reader, entry: Entry, { signal }: StoredOptions): Promise<StoredTensor> {
  const { layout, tensor, steps } = entry;
  const { quantize, cols, elements } = layout;
  const width = quantize ? quantize.bits / 8 : dtypeWidth(tensor.dtype);
  const bytes = new Uint8Array(Math.ceil(elements * width));
  const rows = quantize && elements > 0 ? Math.ceil(elements / cols) : 0;
  const scales = new Float32Array(rows);
  const zeroPoints = quantize?.asymmetric ? new Int8Array(rows) : null;
  for (let i = 0; i < layout.chunks; i++) {
    await withChunk(reader, entry, i, signal, ({ shape, codes, scales: scaleAt, zeros }) => {
      const memory = reader.kernels.bytes();
      putCodes(bytes, shape.start * width, memory.subarray(codes, codes + shape.codeBytes));
      const row = Math.floor(shape.start / cols);
      if (quantize) scales.set(new Float32Array(memory.slice(scaleAt, scaleAt + shape.scaleBytes).buffer), row);
      zeroPoints?.set(new Int8Array(memory.slice(zeros, zeros + shape.zeroBytes).buffer), row);
    });
  }
  const quantization = quantize ? { bits: quantize.bits, cols, scales, zeroPoints } : null;
  return { name: tensor.name, dtype: tensor.dtype, shape: tensor.shape, plan: printSteps(steps), bytes, quantization };
}

// Codes of a chunk to their place; a chunk that starts at an odd int4 code starts within a byte.
function putCodes(bytes: Uint8Array, at: number, codes: Uint8Array): void {
  if (Number.isInteger(at)) {
    bytes.set(codes, at);
    return;
  }
  let byte = Math.floor(at);
  for (const pair of codes) {
    bytes[byte] = (bytes[byte] as number) | ((pair & 15) << 4);
    if (++byte < bytes.length) bytes[byte] = pair >> 4;
  }
}

/** A tensor read by ranges of elements. Readers go forward, so the latest chunk is kept. */
export function lazyEntry(reader: Reader, entry: Entry, as: "original" | "f32"): LazyTensor {
  const { tensor, layout } = entry;
  const dtype = layout.quantize && as === "f32" ? "F32" : tensor.dtype;
  const width = dtypeWidth(dtype);
  let latest = { index: -1, bytes: new Uint8Array(0) };
  const chunkBytes = async (index: number): Promise<Uint8Array> => {
    if (latest.index !== index) {
      const copy = (chunk: DecodedChunk) => elementBytes(reader.kernels, entry, chunk, dtype);
      latest = { index, bytes: await withChunk(reader, entry, index, undefined, copy) };
    }
    return latest.bytes;
  };
  const read = async (start: number, end: number): Promise<Uint8Array> => {
    const out = new Uint8Array((end - start) * width);
    for (let at = start; at < end; ) {
      const index = Math.floor(at / layout.chunkElements);
      const first = index * layout.chunkElements;
      const stop = Math.min(end, first + layout.chunkElements);
      const bytes = await chunkBytes(index);
      out.set(bytes.subarray((at - first) * width, (stop - first) * width), (at - start) * width);
      at = stop;
    }
    return out;
  };
  return { name: tensor.name, dtype, shape: tensor.shape, read };
}

function elementBytes(kernels: Kernels, { layout }: Entry, chunk: DecodedChunk, dtype: DType): Uint8Array<ArrayBuffer> {
  const { codes, shape } = chunk;
  if (!layout.quantize) return kernels.bytes().slice(codes, codes + shape.codeBytes) as Uint8Array<ArrayBuffer>;
  const values = new Float32Array(shape.count);
  chunkFloats(kernels, layout, chunk, values);
  return narrow(dtype, values) as Uint8Array<ArrayBuffer>;
}
