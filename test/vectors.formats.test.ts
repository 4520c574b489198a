import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { makeCodes } from "../src/codec/codes.ts";
import { chunkShape, layoutOf } from "../src/codec/layout.ts";
import { decodeTensor, encodeTensor, type Kernels, lazyTensor, parseSteps } from "../src/index.ts";
import type { FormatStep } from "../src/plan.ts";
import { DECODERS, SCALAR, SIMD } from "./files.ts";
import { bytesOf, random } from "./helpers.ts";

// The hashes that test/vectors/gguf.c has made of the same inputs: an independent reckoning in C.

const FILE = new Uint8Array(readFileSync(new URL("./vectors/formats.bin", import.meta.url)));
const STEPS = ["q8_0", "q4_0", "q4_1", "nf4 group 64", "nbits4 group 32", "nbits4 group 32 asymmetric"];
const SIZES = [...Array.from({ length: 300 }, (_, i) => i + 1), 4095, 4096, 4097];
const KINDS = 8;

const fromBits = (bits: number) => new Float32Array(Uint32Array.of(bits).buffer)[0];

/** The inputs, as in gguf.c. */
function inputs(n: number, kind: number): Float32Array<ArrayBuffer> {
  const uniform = random(1000 * n + kind);
  const next = () => uniform() * 2 ** 32;
  return new Float32Array(n).map((_, i) => {
    const r = next();
    const first = i % 32 === 0;
    if (kind === 0) return ((r + next() + next() + next() - 2 ** 33) / 2 ** 33) * 0.1;
    if (kind === 1) return first ? (r & 1 ? 127 : -127) : ((r % 509) - 254) * 0.5;
    if (kind === 2) return first ? (r & 1 ? 8 : -8) : ((r % 33) - 16) * 0.5;
    if (kind === 3) return first ? 0 : i % 32 === 1 ? 15 : (r % 31) * 0.5;
    if (kind === 4) return fromBits(r & 0x807fffff);
    if (kind === 5) return (r | 0) * 2 ** (-43 - (next() % 15));
    if (kind === 6) return fromBits((r & 0x807fffff) | ((117 + (next() % 20)) << 23));
    return r % 50 === 0 ? fromBits(1) : r % 3 === 0 ? -0 : 0;
  });
}

const INPUTS = SIZES.map((n) => Array.from({ length: KINDS }, (_, kind) => inputs(n, kind)));

function fnv(hash: number, bytes: Uint8Array): number {
  let h = hash;
  for (const byte of bytes) h = Math.imul(h ^ byte, 16777619);
  return h >>> 0;
}

/** What a step makes of the values: its parts as they are streamed, codes one to a byte. */
function partsOf(kernels: Kernels, values: Float32Array, text: string): Uint8Array[] {
  const layout = layoutOf({ name: "w", dtype: "F32", shape: [values.length] }, parseSteps(text));
  const shape = chunkShape(layout, 0);
  makeCodes(kernels, layout, layout.quantize as FormatStep, shape, values, null);
  const arena = kernels.arena(0, "encode");
  const offsets = arena.plain + shape.scaleBytes;
  const codes = layout.coding?.bits === 4 ? arena.values : offsets + shape.zeroBytes;
  const take = (at: number, n: number) => kernels.bytes().slice(at, at + n);
  return [take(arena.plain, shape.scaleBytes), take(offsets, shape.zeroBytes), take(codes, shape.count)];
}

/** Whole blocks as a GGUF file holds them, from the parts. */
function blocksOf([scales, minima, codes]: Uint8Array[], text: string): Uint8Array {
  const bytes: number[] = [];
  for (let g = 0; g < Math.floor(codes.length / 32); g++) {
    bytes.push(...scales.subarray(2 * g, 2 * g + 2));
    if (text === "q4_1") bytes.push(...minima.subarray(2 * g, 2 * g + 2));
    const block = codes.subarray(32 * g, 32 * g + 32);
    if (text === "q8_0") bytes.push(...block);
    else for (let j = 0; j < 16; j++) bytes.push(((block[j] + 8) & 15) | (((block[j + 16] + 8) & 15) << 4));
  }
  return Uint8Array.from(bytes);
}

async function valuesOf(kernels: Kernels, decoder: Kernels, values: Float32Array, text: string): Promise<Uint8Array> {
  const info = { name: "w", dtype: "F32", shape: [values.length] } as const;
  const tensor = lazyTensor({ ...info, bytes: bytesOf(values) });
  const chunks: Uint8Array[] = [];
  for await (const { bytes } of encodeTensor(kernels, tensor, parseSteps(`${text} > raw`))) chunks.push(bytes);
  return bytesOf(decodeTensor(decoder, info, parseSteps(`${text} > raw`), chunks));
}

describe.each(STEPS.map((text, format) => [text, format] as const))("%s", (text, format) => {
  test.each([
    ["simd", SIMD, SIMD],
    ["scalar", SCALAR, SCALAR],
    ["simd, decoded by plain JavaScript", SIMD, DECODERS[3]],
  ] as const)("equals what C makes of it, on %s, for all 303 sizes", async (_, kernels, decoder) => {
    const view = new DataView(FILE.buffer);
    const wrong: number[] = [];
    for (const [s, n] of SIZES.entries()) {
      let hash = 2166136261;
      for (const values of INPUTS[s]) {
        const parts = partsOf(kernels, values, text);
        for (const part of parts) hash = fnv(hash, part);
        hash = fnv(hash, await valuesOf(kernels, decoder, values, text));
        if (text.startsWith("q")) hash = fnv(hash, blocksOf(parts, text));
      }
      if (hash !== view.getUint32(4 * (SIZES.length * format + s), true)) wrong.push(n);
    }
    expect(wrong).toEqual([]);
  });
});

test("there is one hash for each format and size, and no two are the same", () => {
  const hashes = new Uint32Array(FILE.buffer);
  expect(hashes.length).toBe(STEPS.length * SIZES.length);
  expect(new Set(hashes).size).toBe(hashes.length);
});
