import { keptRuns, removedChannels } from "../codec/removed.ts";
import { dtypeWidth, type LazyTensor, type Model } from "../tensor.ts";
import { type Reader, readSpan } from "./chunks.ts";
import type { Entry } from "./description.ts";
import { perform, tasksAhead } from "./workers.ts";

// An open file as a model, read by ranges of elements.

/** The file as a model. Readers go forward, so the latest chunk is kept, and workers decode those that follow. */
export function lazyModel(reader: Reader, as: "original" | "f32"): Model {
  const { entries, metadata } = reader.header;
  const filled = entries.filter(({ layout }) => layout.chunks > 0);
  const cache = chunkCache(reader, as, filled);
  return { metadata, tensors: entries.map((entry) => lazyEntry(cache, entry, as, filled.indexOf(entry))) };
}

type ChunkCache = (nth: number, index: number) => Promise<Uint8Array>;

// Elements of chunk `index` of the nth of the entries with chunks.
function chunkCache(reader: Reader, as: "original" | "f32", entries: readonly Entry[]): ChunkCache {
  const ahead = tasksAhead(reader.workers?.size);
  const cache = new Map<number, Promise<Uint8Array>>();
  const fetch = async (entry: Entry, index: number): Promise<Uint8Array> => {
    const span = await readSpan(reader, entry, index, 1, undefined);
    return perform(reader, { kind: "elements", span, dtype: dtypeOf(entry, as) }, undefined, (bytes) => bytes);
  };
  return (nth, index) => {
    const wanted = (entries[nth] as Entry).firstChunk + index;
    for (const number of cache.keys()) if (number < wanted || number >= wanted + ahead) cache.delete(number);
    let [at, chunk] = [nth, index];
    for (let number = wanted; number < wanted + ahead && at < entries.length; number++) {
      const entry = entries[at] as Entry;
      if (!cache.has(number)) {
        const bytes = fetch(entry, chunk);
        // A chunk that was fetched ahead fails when it is asked for, or never.
        bytes.catch(() => cache.delete(number));
        cache.set(number, bytes);
      }
      if (++chunk === entry.layout.chunks) [at, chunk] = [at + 1, 0];
    }
    return cache.get(wanted) as Promise<Uint8Array>;
  };
}

function dtypeOf({ tensor, layout }: Entry, as: "original" | "f32") {
  return layout.quantize && as === "f32" ? "F32" : tensor.dtype;
}

function lazyEntry(cache: ChunkCache, entry: Entry, as: "original" | "f32", nth: number): LazyTensor {
  const { tensor, steps } = entry;
  const dtype = dtypeOf(entry, as);
  const width = dtypeWidth(dtype);
  const removed = removedChannels(steps);
  const read = async (start: number, end: number): Promise<Uint8Array> => {
    const out = new Uint8Array((end - start) * width);
    for (const { at, from, count } of keptRuns(tensor, removed)) {
      const [first, last] = [Math.max(at, start), Math.min(at + count, end)];
      const part = out.subarray((first - start) * width, (last - start) * width);
      if (first < last) await readKept(cache, entry, nth, from + first - at, part, width);
    }
    return out;
  };
  return { name: tensor.name, dtype, shape: tensor.shape, read };
}

// Fills `out` with what the chunks hold from element `start` on.
async function readKept(
  cache: ChunkCache,
  { layout }: Entry,
  nth: number,
  start: number,
  out: Uint8Array,
  width: number,
): Promise<void> {
  const end = start + out.length / width;
  for (let at = start; at < end; ) {
    const index = Math.floor(at / layout.chunkElements);
    const first = index * layout.chunkElements;
    const stop = Math.min(end, first + layout.chunkElements);
    const bytes = await cache(nth, index);
    out.set(bytes.subarray((at - first) * width, (stop - first) * width), (at - start) * width);
    at = stop;
  }
}
