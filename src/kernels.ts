import { argument, FormatError } from "./errors.ts";
import type { DecodeExports } from "./kernels/abi.ts";
import { type Kernels, kernelsOver, type Tier } from "./kernels/arena.ts";
import { inflated, instantiated } from "./kernels/instance.ts";

export type { DecodeExports, KernelExports } from "./kernels/abi.ts";
export { type Arena, CHUNK_BYTES, type Kernels, kernelsOver, PIECE, type Tier } from "./kernels/arena.ts";

// All kernels: picks a tier and instantiates it, turns statuses into errors. Only this file and those of its folder know WebAssembly.

const TIERS: readonly Tier[] = ["simd", "scalar", "js"];

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
    return kernelsOver(tier, plainExports(memory), memory, checkEncodes);
  }
  return instantiated(tier, given ?? (await embedded(tier, encode)), checkEncodes);
}

/** Compiled once for all kernels of a kind: a file that needs these is opened in a tenth of the time. */
const compiled = new Map<string, Promise<WebAssembly.Module>>();

async function embedded(tier: "simd" | "scalar", encode: boolean): Promise<WebAssembly.Module> {
  const kind = `${tier} ${encode}`;
  const known = compiled.get(kind);
  if (known) return known;
  const module = embeddedBytes(tier, encode).then((bytes) => WebAssembly.compile(bytes));
  compiled.set(kind, module);
  // What refused it may allow it later.
  module.catch(() => compiled.delete(kind));
  return module;
}

/** Throws a RangeError for kernels that only decode. */
export function checkEncodes(run: DecodeExports, tier: Tier): void {
  const others =
    tier === "js" ? "those of another tier: the js tier only decodes" : "those of loadKernels() without encode: false";
  argument("histogram" in run, "kernels", others, tier);
}

/** A module that validates only where 128-bit SIMD is known: a function that drops v128.const 0. */
const SIMD_PROBE = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 9, 1, 7, 0, 65, 0, 253, 15, 26, 11];

async function embeddedBytes(tier: "simd" | "scalar", encode: boolean): Promise<BufferSource> {
  if (tier === "scalar") return base64Bytes((await import("./embedded/scalar.ts")).default);
  if (encode) return base64Bytes((await import("./embedded/simd.ts")).default);
  // Engines that have DecompressionStream have atob.
  return inflated(atob((await import("./embedded/read.ts")).default));
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
