import { type ByteSource, blobSource, bytesSource, hex, readExactly } from "../bytes.ts";
import type { StreamReport } from "../codec/explain.ts";
import { chunkShape } from "../codec/layout.ts";
import type { CodeName } from "../codec/stream.ts";
import { argument } from "../errors.ts";
import { type Kernels, loadKernels, type Tier } from "../kernels.ts";
import { printSteps } from "../plan.ts";
import type { DType, Model } from "../tensor.ts";
import { checkChunk, type Reader } from "./chunks.ts";
import { type Header, parseHeader, parsePrelude, restLength } from "./format.ts";
import { PRELUDE_BYTES } from "./json.ts";
import { lazyModel, type ModelAs } from "./lazy.ts";
import { type Entry, portion } from "./sections.ts";
import {
  type FloatOptions,
  type FloatTensor,
  loadFloats,
  loadStored,
  type StoredOptions,
  type StoredTensor,
  streamFloats,
  streamStored,
} from "./tensors.ts";
import type { Workers } from "./workers.ts";

export interface OpenOptions {
  kernels?: Kernels | undefined;
  /** Decode chunks on other threads, several at once. They stay open when the file is not used any more. */
  workers?: Workers | undefined;
  signal?: AbortSignal | undefined;
}

/** A tensor of the index. */
export interface IndexEntry {
  readonly name: string;
  /** Before packing. */
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly plan: string;
  /** With those of removed channels, which no chunk holds. */
  readonly elements: number;
  /** The chunks of the file that hold it: `chunks` from `firstChunk` on. Small tensors may share one. */
  readonly firstChunk: number;
  readonly chunks: number;
  /** Bytes of its chunks; of a chunk that it shares, its share by elements. */
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

/** An open file. Only its header has been read; tensors are fetched, verified and decoded when asked for. */
export interface QuernFile {
  readonly index: readonly IndexEntry[];
  readonly metadata: Readonly<Record<string, string>> | null;
  /** The plan of the model, as printed. */
  readonly plan: string;
  /** Names the file; lower-case hexadecimal. */
  readonly sha256: string;
  readonly tier: Tier;
  /** Worker threads that decode; 0 if chunks are decoded in the caller's thread. */
  readonly threads: number;
  readonly totals: Totals;
  /** One tensor, by its ranges only. @throws FormatError; RangeError if there is no such tensor */
  tensor(name: string, options: StoredOptions): Promise<StoredTensor>;
  tensor(name: string, options?: FloatOptions): Promise<FloatTensor>;
  /** Tensors in execution order, each when its last chunk is verified. @param names - default: all */
  stream(options: StoredOptions & { names?: readonly string[] }): AsyncGenerator<StoredTensor>;
  stream(options?: Omit<FloatOptions, "into"> & { names?: readonly string[] }): AsyncGenerator<FloatTensor>;
  /**
   * The file as a model again, for the writers of other formats and for comparison.
   * @param as - "original": every tensor in the dtype it had; "f32": quantized tensors as the f32 they dequantize to; "quantized": tensors
   * of q8_0, q4_0 or q4_1 whose last dimension is a multiple of 32 as blocks of that dtype, with just the codes and scales stored, all others
   * as "original"
   */
  model(as?: ModelAs): Model;
  /** Fetches, checks (XXH64 and SHA-256) and decodes chunk `index` of the whole file, and gives its stored size. */
  check(index: number, options?: { signal?: AbortSignal | undefined }): Promise<number>;
  /** As check, and tells what the streams of the chunk are and what decoding them costs. Needs kernels that encode. */
  explain(index: number): Promise<readonly StreamReport[]>;
}

/** What `open` takes. */
export type OpenInput = ByteSource | Uint8Array | ArrayBuffer | Blob;

/**
 * Opens a .quern file: reads its prelude and header and checks both against the header's SHA-256.
 * @throws FormatError if the file is malformed, damaged, or needs a newer reader
 */
export async function open(input: OpenInput, options: OpenOptions = {}): Promise<QuernFile> {
  const source = sourceOf(input);
  const kernels = options.kernels ?? (await loadKernels({ encode: false }));
  const head = await readExactly(source, 0, Math.min(PRELUDE_BYTES, source.byteLength));
  options.signal?.throwIfAborted();
  const prelude = parsePrelude(head, source.byteLength);
  const rest = await readExactly(source, PRELUDE_BYTES, PRELUDE_BYTES + restLength(prelude));
  options.signal?.throwIfAborted();
  const header = parseHeader(kernels, prelude, head, rest);
  return fileOver({ kernels, source, header, kept: new Map(), workers: options.workers });
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

function fileOver(reader: Reader): QuernFile {
  const { kernels, header, workers } = reader;
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
    const entries = header.entries.filter(({ tensor }) => !wanted || wanted.has(tensor.name));
    yield* options.as === "stored" ? streamStored(reader, entries, options) : streamFloats(reader, entries, options);
  }
  const { prelude } = header;
  return {
    index: header.entries.map((entry) => indexEntry(header, entry)),
    metadata: header.metadata,
    plan: header.plan,
    sha256: hex(prelude.sha256),
    tier: kernels.tier,
    threads: workers?.size ?? 0,
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
    model: (as = "original") => lazyModel(reader, as),
    check: (index, options = {}) => checkChunk(reader, index, options.signal),
    // On demand: a page that loads weights never asks.
    explain: async (index) => (await import("./explain.ts")).explainAt(reader, index),
  };
}

function indexEntry(header: Header, { tensor, elements, section, start }: Entry): IndexEntry {
  const { steps, layout, firstChunk, shared } = section;
  const codes: Partial<Record<CodeName, number>> = {};
  let [storedBytes, decodedBytes] = [0, 0];
  for (let i = 0; i < layout.chunks; i++) {
    const { code, bytes } = header.chunk(firstChunk + i);
    codes[code] = (codes[code] ?? 0) + 1;
    storedBytes += bytes;
    decodedBytes += chunkShape(layout, i).decodedBytes;
  }
  const { name, dtype, shape } = tensor;
  const { chunks } = layout;
  const share = (bytes: number) => (shared ? portion(bytes, start, start + elements, layout.elements) : bytes);
  return {
    name,
    dtype,
    shape,
    plan: printSteps(steps),
    elements,
    firstChunk,
    chunks,
    storedBytes: share(storedBytes),
    decodedBytes: share(decodedBytes),
    codes,
  };
}
