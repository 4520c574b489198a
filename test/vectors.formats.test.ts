import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { makeCodes } from "../src/codec/codes.ts";
import { cutLayout } from "../src/codec/cut.ts";
import { chunkShape } from "../src/codec/layout.ts";
import { decodeTensor, encodeTensor, type Kernels, lazyTensor, parseSteps } from "../src/index.ts";
import type { FormatStep, QuantizeStep } from "../src/plan.ts";
import { elementCount } from "../src/tensor.ts";
import { DECODERS, SCALAR, SIMD } from "./files.ts";
import { bytesOf } from "./helpers.ts";
import {
  FNV_START,
  fnv,
  inputs,
  KINDS,
  NBITS_ROWS,
  ONNX_GRAINS,
  ONNX_KINDS,
  ONNX_TYPES,
  onnxPlan,
  SIZES,
} from "./vectors/inputs.ts";

// Hashes that others have made of the same inputs: a C program from the formulas (vectors/gguf.c), and ONNX Runtime (vectors/onnx/make.mjs).

type Tier = readonly [name: string, encoder: Kernels, decoder: Kernels];

const TIERS: readonly Tier[] = [
  ["simd", SIMD, SIMD],
  ["scalar", SCALAR, SCALAR],
  ["simd, decoded by plain JavaScript", SIMD, DECODERS[3]],
];

function tierOf(wanted: string): Tier {
  return TIERS.find(([name]) => name === wanted) as Tier;
}

function hashesOf(name: string): Uint32Array {
  return new Uint32Array(new Uint8Array(readFileSync(new URL(`./vectors/${name}`, import.meta.url))).buffer);
}

/** What a step makes of a tensor: scales, offsets and codes as they are streamed, but codes one to a byte. */
function partsOf(kernels: Kernels, values: Float32Array, shape: readonly number[], text: string): Uint8Array[] {
  const layout = cutLayout({ name: "w", dtype: "F32", shape }, parseSteps(text));
  expect(layout.chunks).toBe(1);
  const chunk = chunkShape(layout, 0);
  makeCodes(kernels, layout, layout.quantize as FormatStep | QuantizeStep, chunk, values, null);
  const arena = kernels.arena(0, "encode");
  const offsets = arena.plain + chunk.scaleBytes;
  const codes = layout.coding?.bits === 4 ? arena.values : offsets + chunk.zeroBytes;
  const take = (at: number, n: number) => kernels.bytes().slice(at, at + n);
  return [take(arena.plain, chunk.scaleBytes), take(offsets, chunk.zeroBytes), take(codes, chunk.count)];
}

/** What comes back of a tensor that is encoded and decoded. */
async function valuesOf(
  [, encoder, decoder]: Tier,
  values: Float32Array,
  shape: readonly number[],
  text: string,
): Promise<Float32Array> {
  const info = { name: "w", dtype: "F32", shape } as const;
  const tensor = lazyTensor({ ...info, bytes: bytesOf(values) });
  const chunks: Uint8Array[] = [];
  for await (const { bytes } of encodeTensor(encoder, tensor, parseSteps(`${text} > raw`))) chunks.push(bytes);
  return decodeTensor(decoder, info, parseSteps(`${text} > raw`), chunks);
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

const isOneOfFew = (n: number): boolean => n <= 3 || (n >= 31 && n <= 33) || n === 64 || n >= 299;

/** The sizes whose hash is another than the file's. All on the first tier; on the others, which agree with it by tests of their own, some. */
async function wrongSizes(tier: Tier, hashes: Uint32Array, first: number, hashOf: (n: number) => Promise<number>) {
  const wrong: number[] = [];
  for (const [s, n] of SIZES.entries()) {
    if (tier !== TIERS[0] && !isOneOfFew(n)) continue;
    if ((await hashOf(n)) !== hashes[first + s]) wrong.push(n);
  }
  return wrong;
}

const C_STEPS = ["q8_0", "q4_0", "q4_1", "nf4 group 64", "nbits4 group 32", "nbits4 group 32 asymmetric"];
const C_HASHES = hashesOf("formats.bin");

describe.each(C_STEPS.map((text, format) => [text, format] as const))("%s", (text, format) => {
  test.each(TIERS.map(([name]) => name))("equals what C makes of it, on %s", async (name) => {
    const tier = tierOf(name);
    const hashOf = async (n: number) => {
      let hash = FNV_START;
      for (let kind = 0; kind < KINDS; kind++) {
        const values = inputs(n, kind);
        const parts = partsOf(tier[1], values, [n], text);
        for (const part of parts) hash = fnv(hash, part);
        hash = fnv(hash, bytesOf(await valuesOf(tier, values, [n], text)));
        if (text.startsWith("q")) hash = fnv(hash, blocksOf(parts, text));
      }
      return hash;
    };
    expect(await wrongSizes(tier, C_HASHES, SIZES.length * format, hashOf)).toEqual([]);
  });
});

const ONNX_HASHES = hashesOf("onnx.bin");
const ONNX_CASES = ONNX_TYPES.flatMap((type) =>
  ONNX_GRAINS.map((grain) => ({ ...grain, text: onnxPlan(type, grain.words) })),
);

describe.each(ONNX_CASES.map(({ text, shape }, i) => [text, shape, i] as const))("%s", (text, shapeOf, index) => {
  test.each(TIERS.map(([name]) => name))(
    "equals ONNX Runtime's QuantizeLinear and DequantizeLinear, on %s",
    async (name) => {
      const tier = tierOf(name);
      // Quern keeps unsigned codes - 128; zero points are part of the hash also where all are 0.
      const flip = text.startsWith("uint8") ? 0x80 : 0;
      const hashOf = async (n: number) => {
        let hash = FNV_START;
        for (const kind of ONNX_KINDS) {
          const shape = shapeOf(n);
          const values = inputs(elementCount(shape), kind);
          const [scales, zeros, codes] = partsOf(tier[1], values, shape, text);
          const allZeros = zeros.length > 0 ? zeros : new Uint8Array(scales.length / 4);
          for (const part of [scales, allZeros.map((z) => z ^ flip), codes.map((c) => c ^ flip)])
            hash = fnv(hash, part);
          hash = fnv(hash, bytesOf(await valuesOf(tier, values, shape, text)));
        }
        return hash;
      };
      expect(await wrongSizes(tier, ONNX_HASHES, SIZES.length * index, hashOf)).toEqual([]);
    },
  );
});

describe.each(["nbits4 group 32", "nbits4 group 32 asymmetric"].map((text, i) => [text, i] as const))(
  "%s",
  (text, i) => {
    test.each(TIERS.map(([name]) => name))("equals ONNX Runtime's MatMulNBits of an identity, on %s", async (name) => {
      const tier = tierOf(name);
      const hashOf = async (n: number) => {
        let hash = FNV_START;
        for (let kind = 0; kind < KINDS; kind++) {
          const shape = [NBITS_ROWS, n];
          const values = inputs(NBITS_ROWS * n, kind);
          const [scales, zeros] = partsOf(tier[1], values, shape, text);
          const stored = zeros.length > 0 ? zeros : new Uint8Array(scales.length / 4);
          // A sum turns -0 into 0.
          const back = (await valuesOf(tier, values, shape, text)).map((x) => x + 0);
          for (const part of [scales, stored.map((z) => z + 8), bytesOf(back)]) hash = fnv(hash, part);
        }
        return hash;
      };
      expect(await wrongSizes(tier, ONNX_HASHES, SIZES.length * (ONNX_CASES.length + i), hashOf)).toEqual([]);
    });
  },
);

test("there is one hash for each case and size, and hardly two are the same", () => {
  expect(C_HASHES.length).toBe(C_STEPS.length * SIZES.length);
  expect(new Set(C_HASHES).size).toBe(C_HASHES.length);
  expect(ONNX_HASHES.length).toBe((ONNX_CASES.length + 2) * SIZES.length);
  // Of one element or two, granularities give the same.
  expect(new Set(ONNX_HASHES).size).toBeGreaterThan(0.95 * ONNX_HASHES.length);
});
