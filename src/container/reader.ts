import { type ByteSource, blobSource, bytesSource, hex, readExactly } from "../bytes.ts";
import type { CodeName } from "../codec/entropy.ts";
import { chunkFloats, chunkShape, type DecodedChunk, decodeChunk } from "../codec/tensor.ts";
import { argument, demand } from "../errors.ts";
import { type Kernels, loadKernels, type Tier } from "../kernels.ts";
import { printSteps } from "../plan.ts";
import { type DType, dtypeWidth, type LazyTensor, type Model, narrow } from "../tensor.ts";
import { checksums, demandHash, xxh64 } from "./checksum.ts";
import {
  type ChunkEntry,
  type Entry,
  type Header,
  PRELUDE_BYTES,
  parseHeader,
  parsePrelude,
  restLength,
} from "./format.ts";

export interface OpenOptions {
  kernels?: Kernels | undefined;
  signal?: AbortSignal | undefined;
}

/** A tensor of the index. */
export interface IndexEntry {
  readonly name: string;
  /** Before packing. */
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly plan: string;
  readonly elements: number;
  readonly chunks: number;
  readonly storedBytes: number;
  readonly decodedBytes: number;
  /** Chunks by the code of their last stream. */
  readonly codes: Readonly<Partial<Record<CodeName, number>>>;
}

/** Sizes in bytes, known before any chunk is read. */
export interface Totals {
  readonly file: number;
  readonly header: number;
  readonly chunks: number;
  readonly decoded: number;
  readonly largestStored: number;
  readonly largestDecoded: number;
}

/** A tensor as f32: dequantized, widened, or converted from integers (rounded to the nearest f32). */
export interface FloatTensor {
  readonly name: string;
  readonly dtype: "F32";
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A tensor as it was stored: elements of its dtype, or codes with their scales. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly plan: string;
  /** Elements (little endian), or codes: int8 one to a byte, int4 two to a byte (low nibble first). */
  readonly bytes: Uint8Array;
  /** null if the bytes are elements of dtype. cols = elements per scale. */
  readonly quantization: null | {
    readonly bits: 4 | 8;
    readonly cols: number;
    readonly scales: Float32Array;
    readonly zeroPoints: Int8Array | null;
  };
}

export interface FloatOptions {
  as?: "f32";
  /** Exactly as many elements as the tensor. */
  into?: Float32Array;
  signal?: AbortSignal | undefined;
}

export interface StoredOptions {
  as: "stored";
  signal?: AbortSignal | undefined;
}

/** An open file. Only its header has been read; tensors are fetched, verified and decoded when asked for. */
export interface QuernFile {
  readonly index: readonly IndexEntry[];
  readonly metadata: Readonly<Record<string, string>> | null;
  /** The plan of the model, as printed. */
  readonly plan: string;
  /** Names the file; lower-case hexadecimal. */
  readonly sha256: string;
  readonly tier: Tier;
  readonly totals: Totals;
  /** One tensor, by its ranges only. @throws FormatError; RangeError if there is no such tensor */
  tensor(name: string, options: StoredOptions): Promise<StoredTensor>;
  tensor(name: string, options?: FloatOptions): Promise<FloatTensor>;
  /** Tensors in execution order, each when its last chunk is verified. @param names - default: all */
  stream(options: StoredOptions & { names?: readonly string[] }): AsyncGenerator<StoredTensor>;
  stream(options?: Omit<FloatOptions, "into"> & { names?: readonly string[] }): AsyncGenerator<FloatTensor>;
  /**
   * The file as a model again, for the writers of other formats and for comparison.
   * @param as - "original": every tensor in the dtype it had; "f32": quantized tensors as the f32 they dequantize to
   */
  model(as?: "original" | "f32"): Model;
  /** Fetches, checks (XXH64 and SHA-256) and decodes chunk `index` of the whole file, and gives its stored size. */
  check(index: number): Promise<number>;
}

/** What `open` takes. */
export type OpenInput = ByteSource | Uint8Array | ArrayBuffer | Blob;

/**
 * Opens a .quern file: reads its prelude and header and checks both against the header's SHA-256.
 * @throws FormatError if the file is malformed, damaged, or needs a newer reader
 */
export async function open(input: OpenInput, options: OpenOptions = {}): Promise<QuernFile> {
  const source = sourceOf(input);
  const kernels = options.kernels ?? (await loadKernels());
  const head = await readExactly(source, 0, Math.min(PRELUDE_BYTES, source.byteLength));
  options.signal?.throwIfAborted();
  const prelude = parsePrelude(head, source.byteLength);
  const rest = await readExactly(source, PRELUDE_BYTES, PRELUDE_BYTES + restLength(prelude));
  options.signal?.throwIfAborted();
  return fileOver(kernels, source, parseHeader(kernels, prelude, head, rest));
}

function sourceOf(input: OpenInput): ByteSource {
  if (input instanceof Uint8Array || input instanceof ArrayBuffer) return bytesSource(input);
  if (typeof Blob !== "undefined" && input instanceof Blob) return blobSource(input);
  const source = input as Partial<ByteSource> | null;
  const valid = typeof source?.slice === "function" && Number.isSafeInteger(source.byteLength);
  argument(
    valid,
    "input",
    "bytes, a Blob, or a ByteSource { byteLength, slice } (for a URL or a path make one)",
    input,
  );
  return source as ByteSource;
}

interface Reader {
  readonly kernels: Kernels;
  readonly source: ByteSource;
  readonly header: Header;
}

function fileOver(kernels: Kernels, source: ByteSource, header: Header): QuernFile {
  const reader = { kernels, source, header };
  const byName = new Map(header.entries.map((entry) => [entry.tensor.name, entry]));
  const find = (name: string): Entry => {
    const entry = byName.get(name);
    argument(entry !== undefined, "name", "a tensor of the file", name);
    return entry;
  };
  const load = (entry: Entry, options: FloatOptions | StoredOptions) =>
    options.as === "stored" ? loadStored(reader, entry, options) : loadFloats(reader, entry, options);
  async function* stream(options: (FloatOptions | StoredOptions) & { names?: readonly string[] } = {}) {
    const wanted = options.names && new Set(options.names.map((name) => find(name).tensor.name));
    for (const entry of header.entries) {
      if (!wanted || wanted.has(entry.tensor.name)) yield await load(entry, options);
    }
  }
  const { prelude } = header;
  return {
    index: header.entries.map((entry) => indexEntry(header, entry)),
    metadata: header.metadata,
    plan: header.plan,
    sha256: hex(prelude.sha256),
    tier: kernels.tier,
    totals: {
      file: prelude.fileBytes,
      header: header.headerBytes,
      chunks: prelude.chunks,
      decoded: prelude.decodedBytes,
      largestStored: prelude.largestStored,
      largestDecoded: prelude.largestDecoded,
    },
    tensor: (async (name: string, options: FloatOptions | StoredOptions = {}) =>
      load(find(name), options)) as QuernFile["tensor"],
    stream: stream as QuernFile["stream"],
    model: (as = "original") => ({
      metadata: header.metadata,
      tensors: header.entries.map((entry) => lazyEntry(reader, entry, as)),
    }),
    check: (index) => checkChunk(reader, index),
  };
}

function indexEntry(header: Header, { tensor, steps, layout, firstChunk }: Entry): IndexEntry {
  const codes: Partial<Record<CodeName, number>> = {};
  let [storedBytes, decodedBytes] = [0, 0];
  for (let i = 0; i < layout.chunks; i++) {
    const { code, bytes } = header.chunk(firstChunk + i);
    codes[code] = (codes[code] ?? 0) + 1;
    storedBytes += bytes;
    decodedBytes += chunkShape(layout, i).decodedBytes;
  }
  const { name, dtype, shape } = tensor;
  const { elements, chunks } = layout;
  return { name, dtype, shape, plan: printSteps(steps), elements, chunks, storedBytes, decodedBytes, codes };
}

// Fetches the index-th chunk of a tensor, checks it and leaves it decoded in the arena; no await may follow before use.
async function fetchChunk(reader: Reader, entry: Entry, index: number, signal?: AbortSignal): Promise<DecodedChunk> {
  const { kernels, source, header } = reader;
  const chunk = header.chunk(entry.firstChunk + index);
  signal?.throwIfAborted();
  const bytes = await readExactly(source, chunk.offset, chunk.offset + chunk.bytes);
  signal?.throwIfAborted();
  const field = `chunk ${index} of tensor ${JSON.stringify(entry.tensor.name)}`;
  const { stored } = kernels.arena(header.prelude.largestDecoded, "decode");
  kernels.bytes().set(bytes, stored);
  demandHash(xxh64(kernels, stored, bytes.length), chunk.xxh64, "XXH64", chunk.offset, field);
  return decodeStored(reader, entry, index, chunk, field);
}

function decodeStored(reader: Reader, entry: Entry, index: number, chunk: ChunkEntry, field: string): DecodedChunk {
  const place = { offset: chunk.offset, field };
  const decoded = decodeChunk(reader.kernels, entry.layout, index, chunk.bytes, place);
  const same = decoded.code === chunk.code;
  demand(same, "code", chunk.offset, `${field}, code`, `${chunk.code}, as the chunk table says`, decoded.code);
  return decoded;
}

async function loadFloats(reader: Reader, entry: Entry, options: FloatOptions): Promise<FloatTensor> {
  const { layout, tensor } = entry;
  const { into, signal } = options;
  const { elements } = layout;
  argument(into === undefined || into.length === elements, "into", `${elements} elements`, into?.length);
  const data = into ?? new Float32Array(elements);
  for (let i = 0; i < layout.chunks; i++) {
    const chunk = await fetchChunk(reader, entry, i, signal);
    const { start, count } = chunk.shape;
    chunkFloats(reader.kernels, layout, chunk, data.subarray(start, start + count));
  }
  return { name: tensor.name, dtype: "F32", shape: tensor.shape, data };
}

async function loadStored(reader: Reader, entry: Entry, { signal }: StoredOptions): Promise<StoredTensor> {
  const { layout, tensor, steps } = entry;
  const { quantize, cols, elements } = layout;
  const width = quantize ? quantize.bits / 8 : dtypeWidth(tensor.dtype);
  const bytes = new Uint8Array(Math.ceil(elements * width));
  const rows = quantize && elements > 0 ? Math.ceil(elements / cols) : 0;
  const scales = new Float32Array(rows);
  const zeroPoints = quantize?.asymmetric ? new Int8Array(rows) : null;
  for (let i = 0; i < layout.chunks; i++) {
    const { shape, codes, scales: scaleAt, zeros } = await fetchChunk(reader, entry, i, signal);
    const memory = reader.kernels.bytes();
    putCodes(bytes, shape.start * width, memory.subarray(codes, codes + shape.codeBytes));
    const row = Math.floor(shape.start / cols);
    if (quantize) scales.set(new Float32Array(memory.slice(scaleAt, scaleAt + shape.scaleBytes).buffer), row);
    zeroPoints?.set(new Int8Array(memory.slice(zeros, zeros + shape.zeroBytes).buffer), row);
  }
  const quantization = quantize ? { bits: quantize.bits, cols, scales, zeroPoints } : null;
  return { name: tensor.name, dtype: tensor.dtype, shape: tensor.shape, plan: printSteps(steps), bytes, quantization };
}

// Codes of a chunk to their place; a chunk that starts at an odd int4 code starts within a byte.
function putCodes(bytes: Uint8Array, at: number, codes: Uint8Array): void {
  if (Number.isInteger(at)) {
    bytes.set(codes, at);
    return;
  }
  let byte = Math.floor(at);
  for (const pair of codes) {
    bytes[byte] = (bytes[byte] as number) | ((pair & 15) << 4);
    if (++byte < bytes.length) bytes[byte] = pair >> 4;
  }
}

async function checkChunk(reader: Reader, index: number): Promise<number> {
  const { header, kernels, source } = reader;
  const entry = header.entries.findLast((candidate) => candidate.firstChunk <= index && candidate.layout.chunks > 0);
  argument(entry !== undefined && index >= 0 && index < header.prelude.chunks, "index", "a chunk of the file", index);
  const chunk = header.chunk(index);
  await fetchChunk(reader, entry, index - entry.firstChunk);
  const bytes = await readExactly(source, chunk.offset, chunk.offset + chunk.bytes);
  const field = `chunk ${index - entry.firstChunk} of tensor ${JSON.stringify(entry.tensor.name)}`;
  const { sha256 } = await checksums(kernels, bytes);
  demandHash(sha256, chunk.sha256, "SHA-256", chunk.offset, field);
  return chunk.bytes;
}

// A tensor read by ranges of elements. Readers go forward, so the latest chunk is kept.
function lazyEntry(reader: Reader, entry: Entry, as: "original" | "f32"): LazyTensor {
  const { tensor, layout } = entry;
  const dtype = layout.quantize && as === "f32" ? "F32" : tensor.dtype;
  const width = dtypeWidth(dtype);
  let latest = { index: -1, bytes: new Uint8Array(0) };
  const chunkBytes = async (index: number): Promise<Uint8Array> => {
    if (latest.index !== index) {
      const chunk = await fetchChunk(reader, entry, index);
      latest = { index, bytes: elementBytes(reader.kernels, entry, chunk, dtype) };
    }
    return latest.bytes;
  };
  const read = async (start: number, end: number): Promise<Uint8Array> => {
    const out = new Uint8Array((end - start) * width);
    for (let at = start; at < end; ) {
      const index = Math.floor(at / layout.chunkElements);
      const first = index * layout.chunkElements;
      const stop = Math.min(end, first + layout.chunkElements);
      const bytes = await chunkBytes(index);
      out.set(bytes.subarray((at - first) * width, (stop - first) * width), (at - start) * width);
      at = stop;
    }
    return out;
  };
  return { name: tensor.name, dtype, shape: tensor.shape, read };
}

function elementBytes(kernels: Kernels, { layout }: Entry, chunk: DecodedChunk, dtype: DType): Uint8Array<ArrayBuffer> {
  const { codes, shape } = chunk;
  if (!layout.quantize) return kernels.bytes().slice(codes, codes + shape.codeBytes) as Uint8Array<ArrayBuffer>;
  const values = new Float32Array(shape.count);
  chunkFloats(kernels, layout, chunk, values);
  return narrow(dtype, values) as Uint8Array<ArrayBuffer>;
}
