import { gzipSync } from "node:zlib";
import { compress, init } from "@bokuweb/zstd-wasm";
import { NO_GEOMETRY, writeStream } from "../../src/codec/planes.ts";
import { xxh64 } from "../../src/container/checksum.ts";
import { loadKernels } from "../../src/index.ts";
import type { Kernels } from "../../src/kernels.ts";
import { CHUNK, gaussCodes } from "../data.ts";

// What the page's race decodes: the same int8 codes in the same chunks, stored by each codec.

/** A chunk as every codec has it; lengths of what lies one behind the other in `bytes`. */
export interface RaceChunk {
  readonly size: number;
  readonly pivot: number;
  readonly zstd: number;
  readonly gzip: number;
  /** XXH64 of the chunk of pivot, which the reader checks too. */
  readonly xxh64: readonly number[];
}

export interface RaceCodes {
  readonly sigma: number;
  readonly chunks: readonly RaceChunk[];
  /** For each chunk: its codes, then as pivot, zstd and gzip store them. */
  readonly bytes: Uint8Array;
}

const SIGMA = 10;
const CHUNKS = 8;

export async function raceCodes(): Promise<RaceCodes> {
  await init();
  const kernels = await loadKernels();
  const codes = new Uint8Array(gaussCodes(CHUNKS * CHUNK, SIGMA).buffer);
  const parts: Uint8Array[] = [];
  const chunks = Array.from({ length: CHUNKS }, (_, i): RaceChunk => {
    const plain = codes.subarray(i * CHUNK, (i + 1) * CHUNK);
    const [pivot, hash] = pivotOf(kernels, plain);
    const [zstd, gzip] = [compress(plain, 19), gzipSync(plain, { level: 9 })];
    parts.push(plain, pivot, zstd, gzip);
    const lengths = { size: plain.length, pivot: pivot.length, zstd: zstd.length, gzip: gzip.length };
    return { ...lengths, xxh64: [...hash] };
  });
  return { sigma: SIGMA, chunks, bytes: new Uint8Array(Buffer.concat(parts)) };
}

function pivotOf(kernels: Kernels, codes: Uint8Array): [stored: Uint8Array, xxh64: Uint8Array] {
  const { plain, stored } = kernels.arena(CHUNK, "encode");
  kernels.bytes().set(codes, plain);
  const content = { width: 1, float: false, nibbles: 0 } as const;
  const step = { op: "code", code: "pivot", grouping: { by: "chunk", size: 0 } } as const;
  const { bytes } = writeStream(kernels, { at: plain, n: codes.length, content }, step, NO_GEOMETRY, stored);
  return [kernels.bytes().slice(stored, stored + bytes), xxh64(kernels, stored, bytes)];
}
