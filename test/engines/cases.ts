import { readdirSync, readFileSync } from "node:fs";
import { bytesSource, loadKernels, open } from "../../src/read.ts";
import { codeLengths, histogram, huffmanEncode, maskSplit, PIVOT_LIMIT, pivotEncode } from "../reference.ts";
import { fnv } from "./programs/fnv.ts";

// What every engine decodes: the frozen files, tensor by tensor, and payloads for single kernels.

const VECTORS = new URL("../vectors/", import.meta.url);

/** A tensor of a file, as decodeTensor takes it. Bytes are hexadecimal. */
export interface TensorCase {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly plan: string;
  readonly chunks: readonly string[];
}

/** A payload of a single kernel. */
export interface PayloadCase {
  readonly name: string;
  readonly kernel: "huffman" | "pivot" | "mask";
  readonly n: number;
  readonly payload: string;
}

export interface Cases {
  readonly tensors: readonly TensorCase[];
  readonly payloads: readonly PayloadCase[];
  /** Whole files, for engines with promises, by name. */
  readonly files: Readonly<Record<string, string>>;
}

/** Hash of what a case decodes to, by its name. */
export type Hashes = Record<string, string>;

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** The cases, and what they decode to: tensors by the SIMD tier of this Node, payloads by what was coded. */
export async function casesAndHashes(): Promise<{ cases: Cases; expected: Hashes }> {
  const expected: Hashes = {};
  const tensors: TensorCase[] = [];
  const files: Record<string, string> = {};
  const kernels = await loadKernels({ tier: "simd" });
  for (const name of readdirSync(VECTORS).filter((file) => file.endsWith(".quern"))) {
    const bytes = new Uint8Array(readFileSync(new URL(name, VECTORS)));
    files[name] = hex(bytes);
    const file = await open(bytesSource(bytes), { kernels });
    const chunks = chunksOf(bytes);
    for (const entry of file.index) {
      const own = chunks.slice(entry.firstChunk, entry.firstChunk + entry.chunks).map(hex);
      const { data } = await file.tensor(entry.name);
      const key = `${name} ${entry.name}`;
      const shared = file.index.some(
        (other) => other !== entry && other.chunks > 0 && other.firstChunk === entry.firstChunk,
      );
      // decodeTensor knows no chunks that tensors share: readers of whole files do.
      if (!shared) tensors.push({ name: key, dtype: entry.dtype, shape: entry.shape, plan: entry.plan, chunks: own });
      expected[key] = fnv(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
  }
  const payloads = payloadCases(expected);
  return { cases: { tensors, payloads, files }, expected };
}

// The stored bytes of all chunks, in order, found through the chunk table (docs/FORMAT.md).
function chunksOf(file: Uint8Array): Uint8Array[] {
  const view = new DataView(file.buffer);
  const table = 88 + view.getUint32(20, true) + view.getUint32(24, true);
  const count = view.getUint32(28, true);
  let end = table + 32 * count;
  return Array.from({ length: count }, (_, i) => {
    const start = end;
    end += view.getUint32(table + 32 * i, true);
    return file.slice(start, end);
  });
}

function payloadCases(expected: Hashes): PayloadCase[] {
  const values = (n: number, sigma: number, zeros: number): Uint8Array =>
    Uint8Array.from({ length: n }, (_, i) => {
      // Sums of four uniform numbers from a multiplicative hash: near enough to a normal distribution.
      const part = (k: number) => (Math.imul(4 * i + k + 1, 0x9e3779b1) >>> 8) / 2 ** 24 - 0.5;
      return part(7) + 0.5 < zeros ? 0 : Math.round(sigma * 1.7 * (part(0) + part(1) + part(2) + part(3)));
    });
  const dense = values(40_000, 30, 0);
  const sparse = values(33_000, 20, 0.8);
  const lengths = (bytes: Uint8Array) => codeLengths(histogram(bytes), PIVOT_LIMIT);
  const masked = maskSplit(sparse);
  const all: [string, PayloadCase["kernel"], Uint8Array, Uint8Array][] = [
    ["dense huffman", "huffman", dense, huffmanEncode(dense)],
    ["short huffman", "huffman", dense.subarray(0, 900), huffmanEncode(dense.subarray(0, 900))],
    ["dense pivot", "pivot", dense, pivotEncode(dense, lengths(dense))],
    ["sparse pivot", "pivot", sparse, pivotEncode(sparse, lengths(sparse))],
    ["sparse mask", "mask", sparse, Uint8Array.from([...masked.mask, ...masked.values])],
  ];
  return all.map(([name, kernel, bytes, payload]) => {
    expected[name] = fnv(bytes);
    return { name, kernel, n: bytes.length, payload: hex(payload) };
  });
}
