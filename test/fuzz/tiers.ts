import { readFileSync } from "node:fs";
import { plainExports, plainMemory } from "../../src/plain/index.ts";

export type Kernels = Record<string, (...args: number[]) => number>;

/** What the fuzzer needs of a build of the kernels. */
export interface FuzzTier {
  name: string;
  exports: Kernels;
  /** Its whole memory: offsets given to the kernels are indices of it. */
  memory(): Uint8Array;
}

const PAGES = 64;

function wasm(name: "simd" | "scalar"): FuzzTier {
  const memory = new WebAssembly.Memory({ initial: PAGES });
  const file = new URL(`../../build/quern.${name}.wasm`, import.meta.url);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(file)), { env: { memory } });
  const bytes = new Uint8Array(memory.buffer);
  return { name, exports: instance.exports as Kernels, memory: () => bytes };
}

function plain(name: string, compiled: boolean): FuzzTier {
  const memory = plainMemory();
  memory.grow(PAGES - 1);
  const bytes = new Uint8Array(memory.buffer);
  return { name, exports: plainExports(memory, compiled) as unknown as Kernels, memory: () => bytes };
}

/** All that must agree. */
export function fuzzTiers(): FuzzTier[] {
  return [wasm("simd"), wasm("scalar"), plain("js", true), plain("js, interpreted", false)];
}
