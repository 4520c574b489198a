import { type ClosableSource, hex, joined, readExactly } from "../bytes.ts";
import type { StreamReport } from "../codec/explain.ts";
import { argument, FormatError } from "../errors/base.ts";
import { CHUNK_BYTES, type Kernels, type Tier } from "../kernels/arena.ts";
import { coreKernels, isCore } from "../kernels/core.ts";
import type { LazyTensor, Model } from "../tensor.ts";
import { only } from "./assemble.ts";
import type { CheckOptions } from "./check.ts";
import type { Reader } from "./chunks.ts";
import { commonTask } from "./common.ts";
import { type IndexEntry, indexEntry } from "./entries.ts";
import { commonHeader, commonPrelude } from "./header.ts";
import { integrityOf } from "./integrity.ts";
import { demandBudget, peakBeside } from "./peak.ts";
import { type Header, PRELUDE_BYTES, restLength, type StageEntry, type UnitActivations } from "./prelude.ts";
import type { ProgressListener } from "./progress.ts";
import type { Entry, ModelAs } from "./sections.ts";
import { type ChunkStore, HEADER_ENTRY } from "./store.ts";
import type { StoredOptions, StoredTensor } from "./stored.ts";
import { type FloatOptions, type FloatTensor, streamFloats } from "./tensors.ts";
import type { Workers } from "./workers.ts";

export interface OpenOptions {
  kernels?: Kernels | undefined;
  /** Decode chunks on other threads, several at once. They stay open when the file is not used any more. */
  workers?: Workers | undefined;
  /** Ends opening; later, closes the source of an address or a stream. */
  signal?: AbortSignal | undefined;
  /** Hears of everything that is loaded from the file later, unless the call has its own. */
  onProgress?: ProgressListener | undefined;
  /**
   * The file that it must be: its SHA-256 as "sha256-" and base64, as `QuernFile.integrity` says it. Chunks must then have their SHA-256 too,
   * not only their XXH64, so nobody on the way can exchange them.
   */
  integrity?: string | undefined;
  /** Bytes of memory that loading may take. What would take more is refused before it is downloaded. */
  budget?: number | undefined;
  /** Keeps verified chunks, so that they need not be fetched again. With `integrity`, a file that is kept whole is opened without its source. */
  cache?: ChunkStore | undefined;
  /** Hears why the cache keeps nothing more, such as for want of room. Loading goes on. Default: a warning on the console. */
  onCacheError?: ((error: unknown) => void) | undefined;
  /** Stored bytes that are fetched ahead of what is decoded, or of what the caller takes. Default: two chunks of 256 KiB. */
  window?: number | undefined;
}

/** Sizes in bytes, known before any chunk is read. */
export interface Totals {
  readonly file: number;
  readonly header: number;
  readonly chunks: number;
  readonly decoded: number;
  readonly largestStored: number;
  readonly largestDecoded: number;
  /** The most memory that reading takes beside the tensors: header, kernels, and chunks on their way. */
  readonly peak: number;
}

interface Selection {
  /** Default: all. They come in execution order all the same. */
  names?: readonly string[] | undefined;
  /** Stages of the file, all of whose tensors are wanted too. */
  stages?: readonly string[] | undefined;
}

/** An open file. Only its header has been read; tensors are fetched, verified and decoded when asked for. */
export interface QuernFile {
  readonly index: readonly IndexEntry[];
  /** Names of tensors that are used together, in execution order, as the writer has said; null: it has not. */
  readonly stages: readonly StageEntry[] | null;
  readonly metadata: Readonly<Record<string, string>> | null;
  /** The plan of the model, as printed. */
  readonly plan: string;
  /** The graph that the weights belong to, as it was given to pack: a view, not to be written to. null: the file has none. */
  readonly graph: Uint8Array | null;
  /** What is done to the inputs of the graph's units, to run it in integers; null: the file says nothing of that. */
  readonly activations: readonly UnitActivations[] | null;
  /** Names the file; lower-case hexadecimal. */
  readonly sha256: string;
  /** The same as open's option `integrity` takes it. */
  readonly integrity: string;
  readonly tier: Tier;
  /** Worker threads that decode; 0 if chunks are decoded in the caller's thread. */
  readonly threads: number;
  readonly totals: Totals;
  /** One tensor, by its ranges only. @throws FormatError, LoadError; RangeError if there is no such tensor */
  tensor(name: string, options: StoredOptions): Promise<StoredTensor>;
  tensor(name: string, options?: FloatOptions): Promise<FloatTensor>;
  /** Tensors in execution order, each when its last chunk is verified. To leave the loop ends what is requested. */
  stream(options: StoredOptions & Selection): AsyncGenerator<StoredTensor>;
  stream(options?: FloatOptions & Selection): AsyncGenerator<FloatTensor>;
  /**
   * The file as a model again, for the writers of other formats and for comparison.
   * @param as - "original": every tensor in the dtype it had; "f32": quantized tensors as the f32 they dequantize to; "quantized": tensors
   * of q8_0, q4_0 or q4_1 whose last dimension is a multiple of 32 as blocks of that dtype, with just the codes and scales stored, all others
   * as "original"
   */
  model(as?: ModelAs): Model;
  /** Fetches, checks (XXH64 and SHA-256) and decodes chunk `index` of the whole file, and gives its stored size. */
  check(index: number, options?: CheckOptions): Promise<number>;
  /** As check, and tells what the streams of the chunk are and what decoding them costs. Needs kernels that encode. */
  explain(index: number): Promise<readonly StreamReport[]>;
  /** Ends what the source has open, such as the connection to a server that knows no ranges. */
  close(): void;
}

/**
 * Opens the file of a source: reads its prelude and header and checks both against the header's SHA-256.
 * @param connect - makes the source, of so many bytes (0: not known); not called until something has to be read from it
 * @throws FormatError if the file is malformed, damaged, or needs a newer reader; LoadError if it does not fit the budget
 */
export async function openSource(
  connect: (byteLength: number) => Promise<ClosableSource>,
  options: OpenOptions = {},
): Promise<QuernFile> {
  const { integrity, cache } = options;
  if (integrity !== undefined && cache) {
    try {
      const kept = await (await extras()).keptSource(cache, integrity, connect);
      if (kept) return await openOver(kept, options, false);
    } catch (error) {
      // A header that is there but was not taken is damaged.
      if (!(error instanceof FormatError)) throw error;
    }
  }
  return openOver(connect(0), options, true);
}

/** What most pages never need: for files that are not common, or not right, and for rare calls. */
const whole = () => import("./whole.ts");
const extras = () => import("./extras.ts");

async function openOver(
  connecting: ClosableSource | Promise<ClosableSource>,
  options: OpenOptions,
  keep: boolean,
): Promise<QuernFile> {
  const { integrity, budget, signal, workers, window = 2 * CHUNK_BYTES } = options;
  const pinned = integrity !== undefined;
  // The first bytes are on their way while kernels are compiled.
  const first = Promise.resolve(connecting);
  first.catch(() => {});
  try {
    argument(window >= 1, "window", "at least 1 byte", window);
    const kernels = options.kernels ?? (await coreKernels()) ?? (await (await whole()).loadKernels({ encode: false }));
    const source = await first;
    const read = (start: number, end: number) => readExactly(source, start, end, { signal });
    const head = await read(0, Math.min(PRELUDE_BYTES, source.byteLength));
    const prelude =
      (await commonPrelude(head, source.byteLength)) ?? (await whole()).parsePrelude(head, source.byteLength);
    if (pinned) (await extras()).demandIntegrity(integrity, integrityOf(prelude.sha256));
    const stop = PRELUDE_BYTES + restLength(prelude);
    const beside = peakBeside(kernels, prelude, stop, window);
    demandBudget(budget, beside, "reading the file");
    const rest = await read(PRELUDE_BYTES, stop);
    const header =
      (await commonHeader(prelude, head, rest)) ?? (await (await whole()).anyHeader(kernels, prelude, head, rest));
    const cache = options.cache
      ? await (await extras()).cacheOver(options.cache, prelude.sha256, options.onCacheError)
      : null;
    if (cache && keep && (pinned || !cache.has(HEADER_ENTRY))) await cache.put(HEADER_ENTRY, joined(head, rest));
    signal?.throwIfAborted();
    const reader: Reader = {
      ...{ kernels, source, header, kept: new Map(), workers, cache, pinned, window, whole, extras },
      // With the first task that is not common it learns to do all, and nothing is tried twice any more.
      decode: (task) => commonTask(kernels, task),
      async learn() {
        const decode = await (await whole()).anyDecoder(kernels);
        reader.decode = decode;
        return decode;
      },
    };
    if (!isCore(kernels)) await reader.learn();
    return fileOver(reader, options, beside);
  } catch (error) {
    first.then((source) => source.close?.()).catch(() => {});
    throw error;
  }
}

function fileOver(reader: Reader, { budget, onProgress }: OpenOptions, beside: number): QuernFile {
  const { kernels, header, workers, source } = reader;
  const byName = new Map(header.entries.map((entry) => [entry.tensor.name, entry]));
  const find = (name: string): Entry => {
    const entry = byName.get(name);
    argument(entry !== undefined, "name", "a tensor of the file", name);
    return entry;
  };
  const load = async (entries: readonly Entry[], options: FloatOptions | StoredOptions) => {
    // Of tensors that follow each other, one is held at a time: the others are the caller's.
    const largest = "into" in options ? 0 : Math.max(0, ...entries.map(({ elements }) => 4 * elements));
    demandBudget(budget, beside + largest, `reading ${entries.length === 1 ? entries[0]?.tensor.name : "the tensors"}`);
    const all = { onProgress, ...options };
    if (all.as !== "stored") return { tensors: streamFloats(reader, entries, all) };
    return { tensors: (await whole()).streamStored(reader, entries, all) };
  };
  async function* stream(options: (FloatOptions | StoredOptions) & Selection = {}) {
    const named = options.stages && (await whole()).namesIn(header.stages, options.stages);
    const names = named ? [...named, ...(options.names ?? [])] : options.names;
    const wanted = names && new Set(names.map((name) => find(name).tensor.name));
    const entries = header.entries.filter(({ tensor }) => !wanted || wanted.has(tensor.name));
    yield* (await load(entries, options)).tensors;
  }
  const { prelude } = header;
  return {
    index: header.entries.map((entry) => indexEntry(header, entry)),
    stages: header.stages,
    metadata: header.metadata,
    plan: header.plan,
    graph: header.graph,
    activations: header.activations,
    sha256: hex(prelude.sha256),
    get integrity() {
      return integrityOf(prelude.sha256);
    },
    tier: kernels.tier,
    threads: workers?.size ?? 0,
    totals: totalsOf(header, beside),
    tensor: (async (name: string, options: FloatOptions | StoredOptions = {}) =>
      only<FloatTensor | StoredTensor>((await load([find(name)], options)).tensors)) as QuernFile["tensor"],
    stream: stream as QuernFile["stream"],
    model: (as = "original") => modelOver(reader, as),
    check: async (index, options = {}) => (await whole()).checkChunk(reader, index, options),
    explain: async (index) => (await whole()).explainAt(reader, index),
    close: () => source.close?.(),
  };
}

// What reads its elements is loaded with the first that are asked for.
function modelOver(reader: Reader, as: ModelAs): Model {
  const { entries, metadata } = reader.header;
  let loaded: Promise<readonly LazyTensor[]> | undefined;
  const load = async () => (await whole()).lazyTensors(reader, as);
  const tensors = entries.map(({ tensor: { name, shape }, section: { dtypes } }, i): LazyTensor => {
    const read = async (start: number, end: number): Promise<Uint8Array> => {
      loaded ??= load();
      return ((await loaded)[i] as LazyTensor).read(start, end);
    };
    return { name, dtype: dtypes[as], shape, read };
  });
  return { metadata, tensors };
}

function totalsOf({ prelude, headerBytes }: Header, peak: number): Totals {
  return {
    file: prelude.fileBytes,
    header: headerBytes,
    chunks: prelude.chunks,
    decoded: prelude.decodedBytes,
    largestStored: prelude.largestStored,
    largestDecoded: prelude.largestDecoded,
    peak,
  };
}
