import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cutLayout } from "../src/codec/cut.ts";

import { bytesSource, type Kernels, type Model, parsePlan, quantize, readSafetensors, stepsFor } from "../src/index.ts";
import { CHUNK_BYTES } from "../src/kernels.ts";
import { elementCount, widen } from "../src/tensor.ts";

// What is compressed: seeded codes, and the codes of real models where there are any.

export const SEED = 20260214;

/** Codes of a chunk, as the container cuts them. */
export const CHUNK = CHUNK_BYTES;

/** Codes as an entropy coder gets them. */
export interface DataSet {
  readonly name: string;
  readonly bits: 4 | 8;
  /** One to a byte. */
  readonly codes: Int8Array;
  /** What is stored, and what every peer gets: int8 codes as they are, int4 codes two to a byte. */
  readonly bytes: Uint8Array;
}

// mulberry32: uniform in [0, 1).
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

// Box and Muller's normal distribution.
function gauss(seed: number): () => number {
  const next = random(seed);
  return () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

/** Codes as quantized weights have them, of which the share `pruned` is zero at random places. */
export function gaussCodes(n: number, sigma: number, largest = 127, pruned = 0): Int8Array {
  const [level, keep] = [gauss(SEED), random(SEED + 1)];
  return new Int8Array(n).map(() => {
    const code = Math.max(-largest, Math.min(largest, Math.round(sigma * level())));
    return keep() < pruned ? 0 : code;
  });
}

/** Weights of trained layers: Gaussian, with a spread of its own for every 1024. */
export function gaussWeights(n: number): Float32Array {
  const [level, spread] = [gauss(SEED + 2), random(SEED + 3)];
  let scale = 0;
  return new Float32Array(n).map((_, i) => {
    if (i % 1024 === 0) scale = 0.01 + 0.1 * spread();
    return scale * level();
  });
}

export const SIGMAS = [30, 10, 4, 1];
export const PRUNED_PERCENT = [50, 80, 90, 95];
const PRUNED_SIGMA = 30;
// 3.5 bits, about what group-wise int4 codes of real weights have.
const INT4_SIGMA = 2.7;

/** A chunk of codes of each kind, for kernels. */
export function kernelCodes(): [data: string, codes: Int8Array][] {
  const gaussian = SIGMAS.map((sigma): [string, Int8Array] => [`int8 sigma ${sigma}`, gaussCodes(CHUNK, sigma)]);
  const pruned = PRUNED_PERCENT.map((percent): [string, Int8Array] => [
    `int8 sigma ${PRUNED_SIGMA}, pruned ${percent} %`,
    gaussCodes(CHUNK, PRUNED_SIGMA, 127, percent / 100),
  ]);
  return [...gaussian, ...pruned];
}

/** Seeded codes: 4 Mi of each kind; a chunk if quick. */
export function* seededSets(quick: boolean): Generator<DataSet> {
  const n = (quick ? 1 : 16) * CHUNK;
  for (const sigma of SIGMAS) yield dataSet(`int8 sigma ${sigma}`, 8, gaussCodes(n, sigma));
  for (const percent of PRUNED_PERCENT) {
    yield dataSet(`int8 pruned ${percent} %`, 8, gaussCodes(n, PRUNED_SIGMA, 127, percent / 100));
  }
  yield dataSet(`int4 sigma ${INT4_SIGMA}`, 4, gaussCodes(n, INT4_SIGMA, 7));
}

function dataSet(name: string, bits: 4 | 8, codes: Int8Array): DataSet {
  const bytes = bits === 4 ? packPairs(codes) : new Uint8Array(codes.buffer, codes.byteOffset, codes.length);
  return { name, bits, codes, bytes };
}

function packPairs(codes: Int8Array): Uint8Array {
  const pairs = new Uint8Array(Math.ceil(codes.length / 2));
  for (let i = 0; i < codes.length; i++) pairs[i >> 1] |= (codes[i] & 15) << (4 * (i & 1));
  return pairs;
}

export interface NamedModel {
  readonly name: string;
  readonly model: Model;
}

/** The real models, in the order of their names; none, and a note on stderr, where their folder is absent. */
export async function readModels(): Promise<NamedModel[]> {
  const folder = process.env.QUERN_DATA ?? fileURLToPath(new URL("../../shared/data/models", import.meta.url));
  const files = await readdir(folder).catch(() => null);
  if (!files) process.stderr.write(`bench: no folder ${folder} (QUERN_DATA): rows of real models are left out\n`);
  const names = (files ?? []).filter((file) => file.endsWith(".safetensors")).sort();
  return Promise.all(
    names.map(async (file) => {
      const model = await readSafetensors(bytesSource(await readFile(join(folder, file))));
      return { name: file.replace(".safetensors", ""), model };
    }),
  );
}

/** Codes of the tensors that a plan quantizes, one tensor after the other. */
const MODEL_PLANS = [
  { kind: "int8 channel", bits: 8, plan: parsePlan("int8 channel > auto") },
  { kind: "int4 group 32", bits: 4, plan: parsePlan("int4 group 32 > auto") },
] as const;

/** The codes of the models as int8 per channel and as int4 in groups of 32; if quick, only a chunk each and int8. */
export async function* modelSets(
  kernels: Kernels,
  models: readonly NamedModel[],
  quick: boolean,
): AsyncGenerator<DataSet> {
  for (const { kind, bits, plan } of quick ? MODEL_PLANS.slice(0, 1) : MODEL_PLANS) {
    for (const { name, model } of models) {
      const parts: Int8Array[] = [];
      for (const tensor of model.tensors) {
        const { quantize: step, grid } = cutLayout(tensor, stepsFor(plan, tensor));
        if (!step) continue;
        const values = widen(tensor.dtype, await tensor.read(0, elementCount(tensor.shape)));
        parts.push(quantize(kernels, values, { bits, cols: grid.cols }).codes);
      }
      const codes = concat(parts);
      yield dataSet(`${name} ${kind}`, bits, quick ? codes.subarray(0, CHUNK) : codes);
    }
  }
}

function concat(parts: readonly Int8Array[]): Int8Array {
  const whole = new Int8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
