import type { Dataset } from "../data/dataset.ts";
import type { Values } from "../engine/engine.ts";
import { elementCount, type Model, readElements } from "../tensor.ts";

// What a run depends on, in few characters: enough to tell by mistake from on purpose, not to keep anybody from anything.

/** Takes what is hashed, and ends in 16 hexadecimal digits. */
export interface Digest {
  add(bytes: Uint8Array | string): Digest;
  text(): string;
}

/** Two FNV-1a of 32 bits with other primes: fast without BigInt. */
export function digest(): Digest {
  let [a, b] = [0x811c9dc5, 0x2f0b4c47];
  const self: Digest = {
    add(bytes) {
      const all = typeof bytes === "string" ? new TextEncoder().encode(`${bytes.length}:${bytes}`) : bytes;
      for (let i = 0; i < all.length; i++) {
        const byte = all[i] as number;
        a = Math.imul(a ^ byte, 0x01000193);
        b = Math.imul(b ^ byte, 0x85ebca6b) + i;
      }
      return self;
    },
    text: () => [a, b].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join(""),
  };
  return self;
}

/** Elements that are read at once. */
const PART = 1 << 20;

/** Names, dtypes, shapes and elements. */
export async function modelDigest({ tensors }: Model, signal?: AbortSignal): Promise<string> {
  const sum = digest();
  for (const tensor of tensors) {
    const { name, dtype, shape } = tensor;
    sum.add(JSON.stringify([name, dtype, shape]));
    const count = elementCount(shape);
    for (let at = 0; at < count; at += PART) {
      signal?.throwIfAborted();
      sum.add(await readElements(tensor, at, Math.min(at + PART, count)));
    }
  }
  return sum.text();
}

/** The samples that are looked at. */
export async function dataDigest(data: Dataset, indices: readonly number[], signal?: AbortSignal): Promise<string> {
  const sum = digest().add(JSON.stringify([data.count, data.shape, data.labelled]));
  for (let at = 0; at < indices.length; at += 64) {
    signal?.throwIfAborted();
    const { inputs, labels } = await data.read(indices.slice(at, at + 64));
    for (const values of [inputs.data, labels])
      if (values) sum.add(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return sum.text();
}

/** What a model gives: graphs of the same units may yet have other settings. */
export function outputsDigest(outputs: Values): string {
  const sum = digest();
  for (const [name, { shape, data }] of outputs)
    sum.add(JSON.stringify([name, shape])).add(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return sum.text();
}
