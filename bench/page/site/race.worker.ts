import { ZSTDDecoder } from "zstddec";
import { readStream } from "../../../src/codec/planes.ts";
import { demandHash, xxh64 } from "../../../src/container/checksum.ts";
import { CHUNK_BYTES, loadKernels } from "../../../src/kernels.ts";
import type { RaceChunk } from "../codes.ts";

// Decodes the same codes as three codecs store them, in turns, and tells the best time of each.

export interface RaceAsked {
  readonly chunks: readonly RaceChunk[];
  readonly bytes: Uint8Array;
}

export interface Racer {
  readonly name: string;
  /** Bytes stored. */
  readonly stored: number;
  /** Milliseconds for all chunks, the best of all turns. */
  readonly best: number;
}

export type RaceTold =
  | { readonly kind: "same" }
  | {
      readonly kind: "over";
      readonly racers: readonly Racer[];
      readonly decoded: number;
      readonly turns: number;
      readonly sink: number;
    }
  | { readonly kind: "failed"; readonly message: string };

type Decode = (stored: Uint8Array, chunk: RaceChunk) => Uint8Array | Promise<Uint8Array>;
type Codec = "pivot" | "zstd" | "gzip";

interface Contender {
  readonly name: string;
  readonly decode: Decode;
  readonly stored: readonly Uint8Array[];
  best: number;
}

const WARM = 10;
const TURNS = 40;
const PLACE = { offset: 0, field: "chunk" };

globalThis.onmessage = async ({ data }: MessageEvent<RaceAsked>) => {
  try {
    await race(data);
  } catch (error) {
    postMessage({ kind: "failed", message: `${error}` } satisfies RaceTold);
  }
};

async function race({ chunks, bytes }: RaceAsked): Promise<void> {
  const parts = cut(chunks, bytes);
  const contender = (name: string, codec: Codec, decode: Decode): Contender => {
    return { name, decode, stored: parts.map((part) => part[codec]), best: Infinity };
  };
  const contenders = [
    contender("quern, pivot", "pivot", await pivot()),
    contender("zstd -19, zstddec (WASM)", "zstd", await zstd()),
    contender("gzip -9, DecompressionStream", "gzip", gzip),
  ];
  for (const { name, decode, stored } of contenders)
    for (const [i, chunk] of chunks.entries())
      demandSame(await decode(stored[i] as Uint8Array, chunk), (parts[i] as Part).plain, name);
  postMessage({ kind: "same" } satisfies RaceTold);
  // What is decoded has to be of use to somebody, or it need not be decoded.
  let sink = 0;
  for (let turn = 0; turn < WARM + TURNS; turn++) {
    for (const racer of contenders) {
      const start = performance.now();
      for (const [i, chunk] of chunks.entries())
        sink += (await racer.decode(racer.stored[i] as Uint8Array, chunk))[i] as number;
      if (turn >= WARM) racer.best = Math.min(racer.best, performance.now() - start);
    }
  }
  const racers = contenders.map(({ name, stored, best }) => ({ name, best, stored: sumOf(stored) }));
  const decoded = sumOf(parts.map(({ plain }) => plain));
  postMessage({ kind: "over", racers, decoded, turns: TURNS, sink } satisfies RaceTold);
}

type Part = Record<"plain" | Codec, Uint8Array>;

function cut(chunks: readonly RaceChunk[], bytes: Uint8Array): Part[] {
  let at = 0;
  const next = (length: number): Uint8Array => {
    at += length;
    return bytes.slice(at - length, at);
  };
  return chunks.map(({ size, pivot, zstd, gzip }) => {
    return { plain: next(size), pivot: next(pivot), zstd: next(zstd), gzip: next(gzip) };
  });
}

// As the reader does it: in, checksum, codes, out.
async function pivot(): Promise<Decode> {
  const kernels = await loadKernels({ encode: false });
  return (stored, { size, xxh64: hash }) => {
    const { stored: at, plain } = kernels.arena(CHUNK_BYTES, "decode");
    kernels.bytes().set(stored, at);
    demandHash(xxh64(kernels, at, stored.length), Uint8Array.from(hash), "XXH64", 0, "chunk");
    const content = { width: 1, float: false, nibbles: 0 } as const;
    readStream(kernels, at, at + stored.length, { at: plain, n: size, content }, PLACE);
    return kernels.bytes().slice(plain, plain + size);
  };
}

// zstddec fetches its module from a data: URL, which this page's policy forbids. Without fetch it asks Node's Buffer for it.
async function zstd(): Promise<Decode> {
  const from = (text: string) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  Object.assign(globalThis, { fetch: undefined, Buffer: { from } });
  const decoder = new ZSTDDecoder();
  await decoder.init();
  return (stored, { size }) => decoder.decode(stored, size);
}

async function gzip(stored: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([stored as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function demandSame(found: Uint8Array, expected: Uint8Array, name: string): void {
  const same = found.length === expected.length && found.every((byte, i) => byte === expected[i]);
  if (!same) throw new Error(`${name} gives other codes`);
}

function sumOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}
