import { argument, FormatError } from "./errors.ts";
import type { DecodeExports, KernelExports } from "./kernels/abi.ts";

export type { DecodeExports, KernelExports } from "./kernels/abi.ts";

// The only file that knows WebAssembly: picks a tier, instantiates it, lays out its memory, turns statuses into errors.

const TIERS = ["simd", "scalar", "js"] as const;
/** WebAssembly with SIMD or without, or plain JavaScript, which only decodes. */
export type Tier = (typeof TIERS)[number];

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

/** Options of loadKernels. */
export interface KernelOptions {
  /** False: kernels that only decode, in a module half as large, are enough. Default: true. The js tier never encodes. */
  encode?: boolean | undefined;
  /**
   * Insists on one tier. Default: what the environment variable QUERN_TIER says, else the first of simd, scalar and js that
   * the engine lets run.
   */
  tier?: Tier | undefined;
  /** A compiled kernel module, for places that may not compile from bytes. Its tier must be told. */
  module?: WebAssembly.Module | undefined;
}

/**
 * Instantiates the kernels with a memory of their own.
 * @throws RangeError if there is no such tier; an Error that names the tier if it was insisted on and cannot run here
 */
export async function loadKernels(options: KernelOptions = {}): Promise<Kernels> {
  const [name, wanted] = options.tier ? ["tier", options.tier] : ["QUERN_TIER", environmentTier()];
  const known = wanted === undefined || (TIERS as readonly string[]).includes(wanted);
  argument(known, name, '"simd", "scalar" or "js"', wanted);
  const possible = tiersHere();
  // A module that was handed over is meant to run: nothing else takes its place.
  const insisted = wanted ?? (options.module && possible[0]);
  let failure: unknown;
  for (const tier of insisted ? [insisted as Tier] : possible) {
    try {
      return await loadTier(tier, options);
    } catch (error) {
      failure = error;
    }
  }
  throw new Error(`the ${insisted ?? "js"} tier cannot run here: ${failure}`, { cause: failure });
}

// Where WebAssembly is, compiling may still be refused: by the policy of a page, or on platforms that compile beforehand.
function tiersHere(): readonly Tier[] {
  if (typeof WebAssembly !== "object") return ["js"];
  return WebAssembly.validate(Uint8Array.from(SIMD_PROBE)) ? TIERS : ["scalar", "js"];
}

function environmentTier(): string | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  try {
    return process?.env?.QUERN_TIER || undefined;
  } catch {
    // Deno asks for permission, and may not get it.
    return undefined;
  }
}

async function loadTier(tier: Tier, { module: given, encode = true }: KernelOptions): Promise<Kernels> {
  if (tier === "js") {
    const { plainExports, plainMemory } = await import("./plain/index.ts");
    const memory = plainMemory();
    return kernelsOver(tier, plainExports(memory), memory);
  }
  const module = given ?? (await WebAssembly.compile(await embeddedBytes(tier, encode)));
  const memory = new WebAssembly.Memory({ initial: 2 });
  const instance = await WebAssembly.instantiate(module, { env: { memory } });
  return kernelsOver(tier, instance.exports as unknown as KernelExports, memory);
}

/** Kernels over their memory. An arena to encode with is refused where there are no kernels for it. */
export function kernelsOver(
  tier: Tier,
  exports: DecodeExports,
  memory: Pick<WebAssembly.Memory, "buffer" | "grow">,
): Kernels {
  const run = exports as KernelExports;
  let arena: Arena | undefined;
  let purposeSeen: "decode" | "encode" = "decode";
  return {
    tier,
    run,
    arena(capacity, purpose) {
      if (purpose === "encode") argument("histogram" in run, "kernels", encoding(tier), tier);
      const larger = Math.max(capacity, arena?.capacity ?? CHUNK_BYTES);
      if (!arena || larger > arena.capacity || (purpose === "encode" && purposeSeen === "decode")) {
        if (purpose === "encode") purposeSeen = purpose;
        arena = layOut(run.heapBase(), larger, purposeSeen);
        const missing = Math.ceil(arena.end / PAGE) - memory.buffer.byteLength / PAGE;
        if (missing > 0) memory.grow(missing);
      }
      return arena;
    },
    bytes: () => new Uint8Array(memory.buffer),
    view: () => new DataView(memory.buffer),
  };
}

function encoding(tier: Tier): string {
  return tier === "js"
    ? "those of another tier: the js tier only decodes"
    : "those of loadKernels() without encode: false";
}

function layOut(base: number, capacity: number, purpose: "decode" | "encode"): Arena {
  let next = base;
  const region = (size: number): number => {
    const at = Math.ceil((next - HALF_PAGE) / COPY_PAGE) * COPY_PAGE + HALF_PAGE;
    next = at + size + SLACK;
    return at;
  };
  return {
    capacity,
    histogram: region(1024),
    counts: region(purpose === "encode" ? capacity / 32 + 1024 : 0),
    lengths: region(260),
    scratch: region(purpose === "encode" ? SCRATCH_BYTES : 1024),
    work: region(WORK_BYTES),
    stored: region(capacity),
    plain: region(capacity),
    planes: region(capacity),
    values: region(capacity),
    symbols: region(capacity),
    mask: region(capacity / 8),
    kept: region(capacity),
    floats: region(4 * (purpose === "encode" ? capacity : PIECE)),
    end: next,
  };
}

/** A module that validates only where 128-bit SIMD is known: a function that drops v128.const 0. */
const SIMD_PROBE = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 9, 1, 7, 0, 65, 0, 253, 15, 26, 11];

async function embeddedBytes(tier: "simd" | "scalar", encode: boolean): Promise<Uint8Array<ArrayBuffer>> {
  if (tier === "scalar") return base64Bytes((await import("./embedded/scalar.ts")).default);
  if (encode) return base64Bytes((await import("./embedded/simd.ts")).default);
  const deflated = base64Bytes((await import("./embedded/read.ts")).default);
  const stream = new Blob([deflated]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Written out because engines of the embedded class lack atob.
function base64Bytes(text: string): Uint8Array<ArrayBuffer> {
  const digits = text.replace(/=+$/, "");
  const out = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let acc = 0;
  for (let i = 0, at = 0; i < digits.length; i++) {
    acc = ((acc << 6) | BASE64.indexOf(digits[i] as string)) & 0xffffff;
    if (i % 4 > 0) out[at++] = (acc >> (6 - 2 * (i % 4))) & 0xff;
  }
  return out;
}

/** What each negative status of assembly/status.ts means: code, what was expected, what was found. */
const STATUSES: Record<number, readonly [code: string, expected: string, actual: string]> = {
  [-1]: ["not-finite", "finite values", "a NaN or an infinity"],
  [-2]: ["code-lengths", "a table of code lengths", "an undefined or missing entry"],
  [-3]: ["kraft", "code lengths that fill the code space exactly", "too many codes"],
  [-4]: ["stream-sizes", "stream sizes within the payload", "a stream beyond its end"],
  [-5]: ["bits", "a bit stream that is used up exactly", "bits missing or left over"],
  [-6]: ["padding", "zero fill bits", "a set bit"],
  [-7]: ["symbol", "a symbol of the alphabet", "a symbol beyond it"],
  [-8]: ["run", "a run inside its group", "a run past its end"],
  [-9]: ["count", "values that fill the chunk exactly", "too few or too many"],
  [-10]: ["level", "a value in the range of the type", "a value beyond it"],
  [-11]: ["kind", "a known kind of block", "an unknown one, or no code lengths before it"],
};

/** A kernel's result if it is not a status, else a FormatError for the field at the file offset. */
export function checked(result: number, offset: number, field: string): number {
  if (result >= 0) return result;
  const [code, expected, actual] = STATUSES[result] ?? ["status", "a known status", String(result)];
  throw new FormatError({ code, offset, field, expected, actual });
}
