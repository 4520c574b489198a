import type { DecodeExports } from "./abi.ts";
import { type Kernels, kernelsOver } from "./arena.ts";

// A module of kernels, from the text that it is embedded as to an instance.

/** Kernels of a module, over a memory that it does not share. */
export async function instantiated(
  tier: "simd" | "scalar",
  module: BufferSource | WebAssembly.Module,
  check?: Parameters<typeof kernelsOver>[3],
): Promise<Kernels> {
  const memory = new WebAssembly.Memory({ initial: 2 });
  const compiled = module instanceof WebAssembly.Module ? module : await WebAssembly.compile(module);
  const { exports } = await WebAssembly.instantiate(compiled, { env: { memory } });
  return kernelsOver(tier, exports as unknown as DecodeExports, memory, check);
}

/** What raw Deflate made of bytes. @param deflated - a character for each byte */
export async function inflated(deflated: string): Promise<ArrayBuffer> {
  const bytes = Uint8Array.from(deflated, (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Response(stream).arrayBuffer();
}
