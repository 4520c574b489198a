import { joinBlocks } from "../codec/blocks.ts";
import type { ChunkInput } from "../codec/inputs.ts";
import { type ChunkShape, chunkShape, type Layout } from "../codec/layout.ts";
import type { CodeName } from "../codec/stream.ts";
import { chunkFloats, type DecodedChunk, decodeChunk, decodeChunkFloats, encodeChunk } from "../codec/tensor.ts";
import { demand } from "../errors.ts";
import type { Kernels } from "../kernels.ts";
import { BLOCK_ELEMENTS, type DType, isBlocks, narrow } from "../tensor.ts";
import { type Checksums, checksums, demandHash, type Sha256, xxh64 } from "./checksum.ts";
import type { ChunkEntry } from "./prelude.ts";

// What is done to chunks, as plain data and functions of it: the same in-process and on a worker, so output and errors are too.

/** Consecutive chunks of a tensor as they lie in the file. */
export interface Span {
  readonly layout: Layout;
  /** Index of the first chunk in its tensor. */
  readonly first: number;
  readonly chunks: readonly ChunkEntry[];
  readonly bytes: Uint8Array;
  /** Whether the bytes come from a cache. */
  readonly cached: boolean;
}

/** Parts of a decoded chunk: views of the kernels' memory, valid until the next kernel call, unless a worker copied them. */
export interface Parts {
  readonly codes: Uint8Array;
  readonly factors: Uint8Array;
  readonly scales: Uint8Array;
  readonly zeros: Uint8Array;
}

/** A chunk ready to be written. */
export interface Sealed {
  readonly bytes: Uint8Array;
  readonly code: CodeName;
  readonly shape: ChunkShape;
  /** Elements that decode to zero. */
  readonly zeros: number;
  readonly sums: Checksums;
}

/** The tasks by kind: what each takes and what it gives. */
interface Kinds {
  /** Chunks to f32, into `into` if there is one. `copied`: elements of a result that is copied out of a worker's, or 0. */
  floats: { takes: { span: Span; into: Float32Array | null; copied: number }; gives: Float32Array };
  /** One chunk to its parts. */
  parts: { takes: { span: Span }; gives: Parts };
  /** One chunk to elements of a dtype; one of blocks only if its codes are such. */
  elements: { takes: { span: Span; dtype: DType }; gives: Uint8Array };
  /** That one chunk has both its checksums and decodes. Gives its stored size. */
  check: { takes: { span: Span }; gives: number };
  encode: { takes: { layout: Layout; input: ChunkInput }; gives: Sealed };
}

export type Kind = keyof Kinds;
export type Task<K extends Kind = Kind> = { [P in K]: { readonly kind: P } & Readonly<Kinds[P]["takes"]> }[K];
export type Gives<K extends Kind> = Kinds[K]["gives"];

type Work<K extends Kind> = (kernels: Kernels, task: Task<K>, sha256?: Sha256) => Gives<K> | Promise<Gives<K>>;
/** Kinds that reading a file needs. */
export type DecodeKind = Exclude<Kind, "encode">;

const DECODE: { [K in DecodeKind]: Work<K> } = {
  floats: (kernels, { span, into }) => toFloats(kernels, span, into),
  parts: (kernels, { span }) => toParts(kernels, decodeFirst(kernels, span)),
  elements: (kernels, { span, dtype }) => toElements(kernels, span, dtype),
  check: (kernels, { span }, sha256) => check(kernels, span, sha256),
};

/** Does a task of decoding, done when this returns: views of the arena would not outlive an await. `check` takes longer. */
export function decodeTask<K extends DecodeKind>(
  kernels: Kernels,
  task: Task<K>,
  sha256?: Sha256,
): Gives<K> | Promise<Gives<K>> {
  return (DECODE[task.kind as K] as Work<K>)(kernels, task, sha256);
}

/** Does a task of encoding. Apart from the others, for pages that only decode. */
export async function encodeTask(
  kernels: Kernels,
  { layout, input }: Task<"encode">,
  sha256?: Sha256,
): Promise<Sealed> {
  const chunk = encodeChunk(kernels, layout, input);
  return { ...chunk, sums: await checksums(kernels, chunk.bytes, sha256) };
}

/** What errors call the chunk, or the first of the chunks, that a task is about. */
export function taskName(task: Task): string {
  return task.kind === "encode"
    ? chunkName(task.layout, task.input.index)
    : chunkName(task.span.layout, task.span.first);
}

function chunkName({ tensor }: Layout, index: number): string {
  return `chunk ${index} of tensor ${JSON.stringify(tensor.name)}`;
}

// Puts a chunk of the span into the arena, checks its XXH64, decodes it, and checks that its code is the table's.
function decodeChecked<T>(
  kernels: Kernels,
  { layout, first, chunks, bytes }: Span,
  nth: number,
  decode: (index: number, size: number, place: { offset: number; field: string }) => T,
  codeOf: (decoded: T) => CodeName,
): T {
  const chunk = chunks[nth] as ChunkEntry;
  const start = chunk.offset - (chunks[0] as ChunkEntry).offset;
  const index = first + nth;
  const place = { offset: chunk.offset, field: chunkName(layout, index) };
  const { stored } = kernels.arena(chunkShape(layout, index).room, "decode");
  kernels.bytes().set(bytes.subarray(start, start + chunk.bytes), stored);
  demandHash(xxh64(kernels, stored, chunk.bytes), chunk.xxh64, "XXH64", chunk.offset, place.field);
  const decoded = decode(index, chunk.bytes, place);
  const code = codeOf(decoded);
  const same = code === chunk.code;
  demand(same, "code", chunk.offset, `${place.field}, code`, `${chunk.code}, as in the chunk table`, code);
  return decoded;
}

function toFloats(kernels: Kernels, span: Span, into: Float32Array | null): Float32Array {
  const { layout, first, chunks } = span;
  const start = first * layout.chunkElements;
  const out = into ?? new Float32Array(Math.min(chunks.length * layout.chunkElements, layout.elements - start));
  for (const nth of chunks.keys()) {
    const { start: at, count } = chunkShape(layout, first + nth);
    const part = out.subarray(at - start, at - start + count);
    const decode = (index: number, size: number, place: { offset: number; field: string }) =>
      decodeChunkFloats(kernels, layout, index, size, place, part);
    decodeChecked(kernels, span, nth, decode, (code) => code);
  }
  return out;
}

function decodeFirst(kernels: Kernels, span: Span): DecodedChunk {
  const { layout } = span;
  const decode = (index: number, size: number, place: { offset: number; field: string }) =>
    decodeChunk(kernels, layout, index, size, place);
  return decodeChecked(kernels, span, 0, decode, ({ code }) => code);
}

function toParts(kernels: Kernels, { shape, codes, factors, scales, zeros }: DecodedChunk): Parts {
  const memory = kernels.bytes();
  return {
    codes: memory.subarray(codes, codes + shape.codeBytes),
    factors: memory.subarray(factors, factors + shape.factorBytes),
    scales: memory.subarray(scales, scales + shape.scaleBytes),
    zeros: memory.subarray(zeros, zeros + shape.zeroBytes),
  };
}

function toElements(kernels: Kernels, span: Span, dtype: DType): Uint8Array {
  const { layout } = span;
  const chunk = decodeFirst(kernels, span);
  const { codes, shape, scales, zeros } = chunk;
  if (!layout.coding) return kernels.bytes().slice(codes, codes + shape.codeBytes);
  if (isBlocks(dtype)) {
    const { planes } = kernels.arena(shape.room, "decode");
    const parts = { scales, offsets: zeros, codes };
    const size = joinBlocks(kernels, dtype, parts, shape.count / BLOCK_ELEMENTS, planes);
    return kernels.bytes().slice(planes, planes + size);
  }
  const values = new Float32Array(shape.count);
  chunkFloats(kernels, layout, chunk, values);
  return narrow(dtype, values);
}

async function check(kernels: Kernels, span: Span, platform?: Sha256): Promise<number> {
  decodeFirst(kernels, span);
  await demandSha256(kernels, span, platform);
  return span.bytes.length;
}

/** That every chunk of a span has its SHA-256. @throws FormatError */
export async function demandSha256(kernels: Kernels, span: Span, platform?: Sha256): Promise<void> {
  const { layout, first, chunks, bytes } = span;
  const base = (chunks[0] as ChunkEntry).offset;
  for (const [nth, { offset, bytes: size, sha256 }] of chunks.entries()) {
    const found = await checksums(kernels, bytes.subarray(offset - base, offset - base + size), platform);
    demandHash(found.sha256, sha256, "SHA-256", offset, chunkName(layout, first + nth));
  }
}
