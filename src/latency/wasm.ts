// What WebAssembly has here, told by modules that only validate where it is there.

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
/** One function without parameters and results. */
const FUNCTION = [1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0];
/** Its code: `body` without locals, up to the end. */
const code = (...body: number[]): number[] => [10, body.length + 4, 1, body.length + 2, 0, ...body, 0x0b];

const I32_CONST_0 = [0x41, 0];
/** i8x16.splat */
const SPLAT = [...I32_CONST_0, 0xfd, 0x0f];
const DROP = 0x1a;

const MODULES = {
  simd: [...HEADER, ...FUNCTION, ...code(...SPLAT, DROP)],
  // i8x16.relaxed_swizzle: 0x100 in LEB128.
  relaxedSimd: [...HEADER, ...FUNCTION, ...code(...SPLAT, ...SPLAT, 0xfd, 0x80, 0x02, DROP)],
  // A shared memory of one page at most, and i32.atomic.load from it.
  threads: [...HEADER, ...FUNCTION, 5, 4, 1, 3, 1, 1, ...code(...I32_CONST_0, 0xfe, 0x10, 2, 0, DROP)],
};

/** Threads need memory that is shared, too, which pages get where they are cross-origin isolated. */
export function wasmFeatures(): { simd: boolean; relaxedSimd: boolean; threads: boolean } {
  const has = (bytes: readonly number[]): boolean =>
    typeof WebAssembly === "object" && WebAssembly.validate(Uint8Array.from(bytes));
  const { crossOriginIsolated } = globalThis as { crossOriginIsolated?: boolean };
  const shared = typeof SharedArrayBuffer === "function" && crossOriginIsolated !== false;
  return { simd: has(MODULES.simd), relaxedSimd: has(MODULES.relaxedSimd), threads: shared && has(MODULES.threads) };
}
