import { scaleCount } from "../codec/grid.ts";
import { chunkShape } from "../codec/layout.ts";
import { expand, keptChannels, removedChannels } from "../codec/removed.ts";
import { argument } from "../errors.ts";
import { printSteps } from "../plan.ts";
import { type DType, dtypeWidth, toFloat32, widen } from "../tensor.ts";
import { type Reader, readSpan } from "./chunks.ts";
import type { Entry } from "./sections.ts";
import { sharedElements } from "./shared.ts";
import type { DecodeKind, Gives, Parts, Span, Task } from "./tasks.ts";
import { inOrder, perform, tasksAhead } from "./workers.ts";

// Tensors of an open file, put together from their chunks.

/** Elements of a tensor that one task decodes whole: the worker's buffer becomes the tensor's, and nothing is copied here. */
const WHOLE = 4 * 1024 * 1024;

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
  /** Elements, or signed codes: 4 bits two to a byte (low nibble first), 8 bits one to a byte, 16 bits in two. Little endian. Of uint8: code - 128. */
  readonly bytes: Uint8Array;
  /** The indices of the first dimension that `bytes` holds, where channels were removed (those are zero); null: all. */
  readonly channels: Uint32Array | null;
  /**
   * Factors of the input channels (indices of dimension 1) that the dequantized elements are still to be divided by; null: none. With these
   * the smoothed weights can be used as they are, if activations are divided by the same factors.
   */
  readonly smooth: Float32Array | null;
  /** null if the bytes are elements of dtype. */
  readonly quantization: null | {
    readonly bits: 4 | 8 | 16;
    /** Neighbours that share a scale. */
    readonly cols: number;
    /** f32, or f16 widened. */
    readonly scales: Float32Array;
    /** Of uint8 - 128, of nbits4 - 8, as the codes. */
    readonly zeroPoints: Int8Array | null;
    /** Of q4_1, one for each scale: f16 widened. */
    readonly minima: Float32Array | null;
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

/** Whole tensors to f32, in the order of the entries. @throws FormatError */
export function streamFloats(reader: Reader, entries: Iterable<Entry>, options: Signal): AsyncGenerator<FloatTensor> {
  const whole = ({ section: { layout } }: Entry) => (reader.workers && layout.elements <= WHOLE ? layout.chunks : 1);
  return assemble(reader, entries, whole, options.signal, (entry) => floatAssembly(reader, entry, undefined));
}

/** A whole tensor as f32. @throws FormatError, RangeError if `into` has another size */
export function loadFloats(reader: Reader, entry: Entry, { into, signal }: FloatOptions): Promise<FloatTensor> {
  const { elements } = entry;
  argument(into === undefined || into.length === elements, "into", `${elements} elements`, into?.length);
  return only(
    assemble(
      reader,
      [entry],
      () => 1,
      signal,
      () => floatAssembly(reader, entry, into),
    ),
  );
}

/** Whole tensors as they were stored, in the order of the entries. @throws FormatError */
export function streamStored(reader: Reader, entries: Iterable<Entry>, options: Signal): AsyncGenerator<StoredTensor> {
  return assemble(reader, entries, () => 1, options.signal, storedAssembly);
}

/** A whole tensor as it was stored. @throws FormatError */
export function loadStored(reader: Reader, entry: Entry, options: Signal): Promise<StoredTensor> {
  return only(streamStored(reader, [entry], options));
}

type Signal = { readonly signal?: AbortSignal | undefined };

async function only<T>(tensors: AsyncGenerator<T>): Promise<T> {
  const { value } = await tensors.next();
  await tensors.return(undefined);
  return value;
}

/** A tensor that is being put together from the results of tasks. */
interface Assembly<K extends DecodeKind, T> {
  task(span: Span): Task<K>;
  put(span: Span, result: Gives<K>): void;
  /** Takes the elements of a tensor that shares its chunk. */
  fill(elements: Uint8Array): void;
  finish(): T;
}

// Reads and decodes the tensors in pieces of as many chunks as `size` says, several at once if there are workers.
async function* assemble<K extends DecodeKind, T>(
  reader: Reader,
  entries: Iterable<Entry>,
  size: (entry: Entry) => number,
  signal: AbortSignal | undefined,
  begin: (entry: Entry) => Assembly<K, T>,
): AsyncGenerator<T> {
  function* pieces() {
    for (const entry of entries) {
      const assembly = begin(entry);
      const { chunks } = entry.section.layout;
      const count = Math.max(size(entry), 1);
      // A tensor without elements has one piece without chunks.
      for (let first = 0; first === 0 || first < chunks; first += count) {
        yield { entry, assembly, first, count: Math.min(count, chunks - first), last: first + count >= chunks };
      }
    }
  }
  const decoded = inOrder(pieces(), tasksAhead(reader.workers?.size), signal, async (piece, stop) => {
    const { assembly, entry, first, count } = piece;
    if (count === 0) return { piece, place: null };
    if (entry.section.shared) {
      const elements = await sharedElements(reader, entry, stop);
      return { piece, place: () => assembly.fill(elements) };
    }
    const span = await readSpan(reader, entry.section, first, count, stop);
    const place = await perform(reader, assembly.task(span), stop, (result) => {
      if (reader.workers) return () => assembly.put(span, result);
      // What lies in the arena must be taken out of it in this turn.
      assembly.put(span, result);
      return null;
    });
    return { piece, place };
  });
  for await (const { piece, place } of decoded) {
    place?.();
    if (piece.last) yield piece.assembly.finish();
  }
}

function floatAssembly(
  { workers }: Reader,
  { section: { layout, steps }, tensor, elements: all }: Entry,
  into: Float32Array | undefined,
): Assembly<"floats", FloatTensor> {
  const { elements, chunkElements } = layout;
  const removed = removedChannels(steps);
  let data = into;
  return {
    task(span) {
      const start = span.first * chunkElements;
      const end = Math.min(start + span.chunks.length * chunkElements, elements);
      const whole = !into && end - start === all;
      if (workers) return { kind: "floats", span, into: null, copied: whole ? 0 : end - start };
      data ??= new Float32Array(all);
      return { kind: "floats", span, into: data.subarray(start, end), copied: 0 };
    },
    put(span, result) {
      // Without workers it was decoded in place; a whole tensor from a worker needs no copy.
      if (result.buffer === data?.buffer) return;
      if (!data && result.length === all) data = result;
      data ??= new Float32Array(all);
      if (result === data) return;
      data.set(result, span.first * chunkElements);
      workers?.recycle(result.buffer as ArrayBuffer);
    },
    fill(bytes) {
      const values = toFloat32(tensor.dtype, bytes);
      if (data) data.set(values);
      else data = values;
    },
    finish() {
      if (data && removed.length > 0) expand(data, tensor, removed);
      return { name: tensor.name, dtype: "F32", shape: tensor.shape, data: data ?? new Float32Array(0) };
    },
  };
}

function storedAssembly({ section, tensor, elements: all }: Entry): Assembly<"parts", StoredTensor> {
  const { layout } = section;
  const { coding, grid, smooth } = layout;
  const elements = section.shared ? all : layout.elements;
  const { name, dtype, shape } = tensor;
  const width = coding ? coding.bits / 8 : dtypeWidth(dtype);
  const rows = coding ? scaleCount(grid, elements) : 0;
  const empty = (bytes: Uint8Array = new Uint8Array(Math.ceil(elements * width))) => ({
    bytes,
    factors: smooth && new Float32Array(smooth.channels),
    scales: new Float32Array(rows),
    zeroPoints: coding?.offsets && coding.rule === "linear" ? new Int8Array(rows) : null,
    minima: coding?.rule === "minimum" ? new Float32Array(rows) : null,
  });
  const wide = (halves: boolean, bytes: Uint8Array) => widen(halves ? "F16" : "F32", new Uint8Array(bytes));
  let made: ReturnType<typeof empty> | undefined;
  return {
    task: (span) => ({ kind: "parts", span }),
    put({ first }, parts: Parts) {
      made ??= empty();
      const { firstRow, start } = chunkShape(layout, first);
      putCodes(made.bytes, start * width, parts.codes);
      if (smooth && made.factors) putFactors(made.factors, Math.floor(start / smooth.inner), parts.factors);
      if (coding) made.scales.set(wide(coding.scales.width === 2, parts.scales), firstRow);
      made.zeroPoints?.set(new Int8Array(new Uint8Array(parts.zeros).buffer), firstRow);
      made.minima?.set(wide(true, parts.zeros), firstRow);
    },
    fill(bytes) {
      made = empty(bytes);
    },
    finish() {
      const { bytes, factors, ...rest } = made ?? empty();
      if (coding?.bits === 16) plainLevels(bytes);
      const quantization = coding ? { bits: coding.bits, cols: grid.cols, ...rest } : null;
      const { steps } = section;
      const removed = removedChannels(steps);
      const channels = removed.length > 0 ? keptChannels(tensor, removed) : null;
      return { name, dtype, shape, plan: printSteps(steps), bytes, channels, smooth: factors, quantization };
    },
  };
}

// Levels lie in a chunk as (level + 128) ^ 128 (docs/FORMAT.md, "A chunk").
function plainLevels(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length; at += 2) view.setInt16(at, (view.getUint16(at, true) ^ 128) - 128, true);
}

// The factors of a chunk that begins in this row of the input axis.
function putFactors(factors: Float32Array, row: number, part: Uint8Array): void {
  const own = new Float32Array(new Uint8Array(part).buffer);
  for (const [i, factor] of own.entries()) factors[(row + i) % factors.length] = factor;
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
