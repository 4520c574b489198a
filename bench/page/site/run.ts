import { parseHeader, parsePrelude } from "../../../src/container/format.ts";
import { type Header, PRELUDE_BYTES, restLength } from "../../../src/container/prelude.ts";
import {
  type ChunkStore,
  FormatError,
  type IndexEntry,
  type Kernels,
  type LoadProgress,
  loadKernels,
  open,
  type QuernFile,
} from "../../../src/read.ts";
import { type Book, newBook } from "./chunks.ts";
import { hexOf } from "./numbers.ts";
import { type Request, type Watcher, watchedBlob, watchedFetch, watchedStore } from "./watch.ts";

// Loads one file, and keeps account of it.

export interface Job {
  readonly name: string;
  /** An address, or a file of the user's. */
  readonly input: string | Blob;
  readonly integrity?: string | undefined;
  readonly store?: ChunkStore | undefined;
  readonly signal: AbortSignal;
}

export interface ReadyTensor {
  readonly entry: IndexEntry;
  /** Milliseconds from the start; undefined while it is not there. */
  ready?: number;
  /** Of its floats, when loading is over. */
  sha256?: string;
}

/** All that is known of a run; whoever draws reads it. Times in milliseconds from the start. */
export interface Run {
  readonly job: Job;
  readonly started: number;
  readonly book: Book;
  readonly requests: Request[];
  tensors: ReadyTensor[];
  file?: QuernFile;
  progress?: LoadProgress;
  headerAt?: number;
  firstAt?: number;
  endedAt?: number;
  /** SHA-256 over those of all tensors' floats. */
  floats?: string;
  error?: unknown;
  /** Bytes from a request or a Blob, and from the cache. */
  fetched: number;
  cached: number;
  /** Bytes: at most at once, of what had arrived and was not verified. */
  inFlight: number;
  kernelBytes: number;
  heapGrowth?: number;
}

/** A run of which nothing has happened yet. */
export function newRun(job: Job): Run {
  const counts = { fetched: 0, cached: 0, inFlight: 0, kernelBytes: 0 };
  return { job, started: performance.now(), book: newBook(), requests: [], tensors: [], ...counts };
}

/** Runs to the end. Never rejects: what goes wrong is part of the run. @param changed - is called whenever there is news */
export async function toEnd(run: Run, changed: () => void): Promise<void> {
  try {
    await load(run, changed);
  } catch (error) {
    run.endedAt = now(run);
    run.error = error;
    if (error instanceof FormatError) run.book.damaged(error.offset);
  }
  changed();
}

function now(run: Run): number {
  return performance.now() - run.started;
}

async function load(run: Run, changed: () => void): Promise<void> {
  const { input, integrity, store, signal } = run.job;
  const head = headTap();
  const watcher = watcherOf(run, head.push, changed);
  const kernels = await loadKernels({ encode: false });
  const heap = heapBytes();
  const file = await open(typeof input === "string" ? input : watchedBlob(input, watcher), {
    kernels,
    integrity,
    signal,
    cache: store && watchedStore(store, watcher),
    request: { fetch: watchedFetch(watcher) },
    onProgress(progress) {
      run.progress = progress;
      run.inFlight = Math.max(run.inFlight, progress.stored.done - progress.verified.done);
      run.kernelBytes = kernels.bytes().length;
      run.heapGrowth = Math.max(run.heapGrowth ?? 0, heapBytes() - heap);
      run.book.progress(progress);
      changed();
    },
  });
  run.file = file;
  run.headerAt = now(run);
  run.book.open(head.parse(kernels));
  run.tensors = file.index.map((entry) => ({ entry }));
  changed();
  const floats: Float32Array[] = [];
  try {
    for await (const { data } of file.stream({ signal })) {
      const tensor = run.tensors[floats.length] as ReadyTensor;
      floats.push(data);
      tensor.ready = now(run);
      run.firstAt ??= tensor.ready;
      changed();
    }
    run.endedAt = now(run);
  } finally {
    file.close();
  }
  await hashAll(run, floats);
}

function watcherOf(run: Run, pushHead: (from: number, bytes: Uint8Array) => void, changed: () => void): Watcher {
  return {
    request(request) {
      run.requests.push(request);
      if (request.again) run.book.again(request.start);
      changed();
    },
    arrived(from, bytes) {
      run.fetched += bytes.length;
      pushHead(from, bytes);
      run.book.arrived(from, from + bytes.length);
      changed();
    },
    cached(entry, bytes) {
      run.cached += bytes.length;
      if (entry < 0) pushHead(0, bytes);
      else run.book.cached(entry);
      changed();
    },
  };
}

// The header as it comes by. The index has no places of chunks, so it is parsed once more here.
function headTap() {
  let head = new Uint8Array(0);
  let parsed = false;
  return {
    push(from: number, bytes: Uint8Array): void {
      if (parsed || from > head.length || from + bytes.length <= head.length) return;
      const longer = new Uint8Array(from + bytes.length);
      longer.set(head);
      longer.set(bytes, from);
      head = longer;
    },
    parse(kernels: Kernels): Header {
      parsed = true;
      const start = head.subarray(0, PRELUDE_BYTES);
      const prelude = parsePrelude(start, null);
      return parseHeader(kernels, prelude, start, head.subarray(PRELUDE_BYTES, PRELUDE_BYTES + restLength(prelude)));
    },
  };
}

async function hashAll(run: Run, floats: readonly Float32Array[]): Promise<void> {
  const all = new Uint8Array(32 * floats.length);
  for (const [i, data] of floats.entries()) {
    const hash = await sha256(data as Float32Array<ArrayBuffer>);
    all.set(hash, 32 * i);
    (run.tensors[i] as ReadyTensor).sha256 = hexOf(hash);
  }
  run.floats = hexOf(await sha256(all));
}

async function sha256(bytes: BufferSource): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/** What Chromium alone tells, of buffers too; NaN elsewhere. */
function heapBytes(): number {
  const { memory } = performance as { memory?: { usedJSHeapSize: number } };
  return memory?.usedJSHeapSize ?? Number.NaN;
}
