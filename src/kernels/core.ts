import type { Kernels } from "./arena.ts";
import { inflated, instantiated } from "./instance.ts";

// The kernels that most files need, in a module of their own. All others: kernels.ts.

/** Compiled once for all files. */
let compiled: Promise<WebAssembly.Module> | undefined;

/**
 * Kernels with what the common readers call (codec/common.ts), in their own memory; null where they cannot run, or another tier is asked for
 * by the environment variable QUERN_TIER.
 */
export async function coreKernels(): Promise<Kernels | null> {
  // Also because to touch the class Response, which inflates, ends Node 20 and 22 where WebAssembly is switched off.
  if (typeof WebAssembly !== "object") return null;
  try {
    const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
    if ((process?.env?.QUERN_TIER || "simd") !== "simd") return null;
    compiled ??= compile();
    return await instantiated("simd", await compiled);
  } catch {
    // Whatever the reason, kernels.ts looks for another tier.
    return null;
  }
}

async function compile(): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await inflated(atob((await import("../embedded/core.ts")).default)));
}

/** Whether these are core kernels. */
export function isCore({ run }: Kernels): boolean {
  return !("huffmanDecode" in run);
}
