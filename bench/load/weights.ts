import { type LazyTensor, type Model, memorySink, pack } from "../../src/index.ts";

// Seeded models whose int8 codes are known: about Gaussian, with the spread that is asked for.

const COLUMNS = 4096;

/** A tensor to make. Elements are rounded up to whole rows. */
export interface Wanted {
  readonly name: string;
  readonly elements: number;
}

/** Elements [start, end): sums of four bytes of a generator, centred; the first of a row is 127, which makes the step of int8 exactly 1. */
function weights(start: number, end: number, sigma: number): Uint8Array {
  const values = new Float32Array(end - start);
  // The sum of four bytes has a deviation of 147.8.
  const scale = sigma / 147.8;
  for (let i = 0; i < values.length; i++) {
    let x = Math.imul(start + i + 1, 0x9e3779b1);
    x = Math.imul(x ^ (x >>> 15), 0x85ebca77);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    x ^= x >>> 16;
    const sum = (x & 255) + ((x >>> 8) & 255) + ((x >>> 16) & 255) + (x >>> 24) - 510;
    values[i] = (start + i) % COLUMNS === 0 ? 127 : Math.max(-127, Math.min(127, sum * scale));
  }
  return new Uint8Array(values.buffer);
}

/** @param sigma - of the codes, 1 to 40 */
export function seededModel(tensors: readonly Wanted[], sigma: number): Model {
  let base = 0;
  const made = tensors.map(({ name, elements }): LazyTensor => {
    const rows = Math.ceil(elements / COLUMNS);
    const first = base;
    base += rows * COLUMNS;
    const read = async (start: number, end: number) => weights(first + start, first + end, sigma);
    return { name, dtype: "F32", shape: [rows, COLUMNS], read };
  });
  return { metadata: { made: "by bench/load" }, tensors: made };
}

/** The .quern file of a model with int8 codes, a scale per channel. */
export async function packedModel(tensors: readonly Wanted[], sigma: number): Promise<Uint8Array> {
  const sink = memorySink();
  await pack(seededModel(tensors, sigma), "int8 channel > auto", sink);
  return sink.bytes();
}

/** Tensors of unequal sizes that have `elements` together. */
export function unequal(elements: number, count: number): Wanted[] {
  const parts = (count * (count + 1)) / 2;
  return Array.from({ length: count }, (_, i) => ({
    name: `layer.${i}`,
    elements: Math.floor((elements * (i + 1)) / parts / COLUMNS) * COLUMNS,
  }));
}
