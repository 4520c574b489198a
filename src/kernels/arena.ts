import type { DecodeExports, KernelExports } from "./abi.ts";

// Kernels over a memory, and how it is laid out.

/** WebAssembly with SIMD or without, or plain JavaScript, which only decodes. */
export type Tier = "simd" | "scalar" | "js";

/** Offsets of the regions of a decoder's memory. Each is followed by at least SLACK bytes that belong to it. */
export interface Arena {
  /** Decoded bytes that a chunk may have with this arena. */
  readonly capacity: number;
  readonly histogram: number;
  /** A histogram of each block, to encode. */
  readonly counts: number;
  /** A table of code lengths, 260 bytes. */
  readonly lengths: number;
  readonly scratch: number;
  /** The chunk as it lies in the file. */
  readonly stored: number;
  /** The chunk decoded: scales, zero points, codes; or elements. */
  readonly plain: number;
  /** Byte planes of elements. */
  readonly planes: number;
  /** Codes one to a byte, where plain has two to a byte. */
  readonly values: number;
  /** Symbols of zrl. */
  readonly symbols: number;
  /** The bitmap and the bytes of a mask. */
  readonly mask: number;
  readonly kept: number;
  /** Tree and lists of pivot. */
  readonly work: number;
  /** f32 elements: a piece when decoding, a whole chunk (and the raw bits of zrl) when encoding. */
  readonly floats: number;
  readonly end: number;
}

export interface Kernels {
  readonly tier: Tier;
  readonly run: KernelExports;
  /** The arena, grown to hold chunks of at least `capacity` decoded bytes. */
  arena(capacity: number, purpose: "decode" | "encode"): Arena;
  /** The memory as bytes. Growing replaces it: take it anew after every call of arena(). */
  bytes(): Uint8Array;
  view(): DataView;
}

/** Decoded bytes of a chunk that the writer cuts, and what the arena is laid out for unless a file needs more. */
export const CHUNK_BYTES = 256 * 1024;
/** f32 elements that are dequantized at a time. */
export const PIECE = 16 * 1024;

const SLACK = 1024;
// Where regions begin. Copies from one place to another that lies less than 16 bytes behind it modulo 4096 take sixteen times as long on
// some processors (AMD Zen 3: 2 instead of 36 GB/s), and large buffers of JavaScript mostly begin 16 bytes into a page.
const COPY_PAGE = 4096;
const HALF_PAGE = 2048;
const PAGE = 65536;
const SCRATCH_BYTES = 128 * 1024;
const WORK_BYTES = 80 * 1024;

/** Kernels over their memory. @param check - called before an arena is laid out to encode with; it throws where there are no kernels for it */
export function kernelsOver(
  tier: Tier,
  exports: DecodeExports,
  memory: Pick<WebAssembly.Memory, "buffer" | "grow">,
  check?: (run: DecodeExports, tier: Tier) => void,
): Kernels {
  const run = exports as KernelExports;
  let arena: Arena | undefined;
  let encodes = false;
  return {
    tier,
    run,
    arena(capacity, purpose) {
      const encode = purpose === "encode";
      if (encode) check?.(run, tier);
      const larger = Math.max(capacity, arena?.capacity ?? CHUNK_BYTES);
      if (!arena || larger > arena.capacity || encode > encodes) {
        encodes ||= encode;
        // Core kernels know no zrl.
        arena = layOut(run.heapBase(), larger, encodes, "zrlValues" in run);
        const missing = Math.ceil(arena.end / PAGE) - memory.buffer.byteLength / PAGE;
        if (missing > 0) memory.grow(missing);
      }
      return arena;
    },
    bytes: () => new Uint8Array(memory.buffer),
    view: () => new DataView(memory.buffer),
  };
}

function layOut(base: number, capacity: number, encode: boolean, zrl: boolean): Arena {
  let next = base;
  const region = (size: number): number => {
    const at = Math.ceil((next - HALF_PAGE) / COPY_PAGE) * COPY_PAGE + HALF_PAGE;
    next = at + size + SLACK;
    return at;
  };
  return {
    capacity,
    histogram: region(1024),
    counts: region(encode ? capacity / 32 + 1024 : 0),
    lengths: region(260),
    scratch: region(encode ? SCRATCH_BYTES : 1024),
    work: region(WORK_BYTES),
    stored: region(capacity),
    plain: region(capacity),
    planes: region(capacity),
    values: region(capacity),
    symbols: region(zrl ? capacity : 0),
    mask: region(capacity / 8),
    kept: region(capacity),
    floats: region(4 * (encode ? capacity : PIECE)),
    end: next,
  };
}
