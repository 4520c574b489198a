import { scaleCount } from "../codec/grid.ts";
import { chunkShape } from "../codec/layout.ts";
import { keptChannels, removedChannels } from "../codec/removed.ts";
import { type DType, dtypeWidth, widen } from "../tensor.ts";
import { type Assembly, assemble, type LoadOptions } from "./assemble.ts";
import type { Reader } from "./chunks.ts";
import type { Entry } from "./sections.ts";
import type { Parts } from "./tasks.ts";

// Tensors of an open file as they were stored.

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

export interface StoredOptions extends LoadOptions {
  as: "stored";
}

/** Whole tensors as they were stored, in the order of the entries. @throws FormatError, LoadError */
export function streamStored(
  reader: Reader,
  entries: readonly Entry[],
  options: LoadOptions,
): AsyncGenerator<StoredTensor> {
  return assemble(reader, entries, () => 1, options, storedAssembly);
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
      const { steps, plan } = section;
      const removed = removedChannels(steps);
      const channels = removed.length > 0 ? keptChannels(tensor, removed) : null;
      return { name, dtype, shape, plan, bytes, channels, smooth: factors, quantization };
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
