import { keptRuns, removedChannels } from "../codec/removed.ts";
import { bytesOf, type DType, type LazyTensor } from "../tensor.ts";
import { decodeSpan, type Reader, readSpan } from "./chunks.ts";
import type { Entry, ModelAs, Section } from "./sections.ts";
import { elementsIn, loadedChunk } from "./shared.ts";
import { tasksAhead } from "./workers.ts";

// An open file as a model, read by ranges of elements.

/** The tensors of the file. Readers go forward, so the latest chunk is kept, and workers decode those that follow. */
export function lazyTensors(reader: Reader, as: ModelAs): readonly LazyTensor[] {
  const { sections, entries } = reader.header;
  const own = sections.filter(({ layout, shared }) => layout.chunks > 0 && !shared);
  const numbers = new Map(own.map((section, i) => [section, i]));
  const cache = chunkCache(reader, as, own);
  return entries.map((entry) =>
    entry.section.shared ? sharedEntry(reader, entry) : lazyEntry(cache, entry, as, numbers.get(entry.section) ?? -1),
  );
}

type ChunkCache = (nth: number, index: number) => Promise<Uint8Array>;

interface Wanted {
  readonly section: Section;
  readonly index: number;
  /** In the file. */
  readonly number: number;
}

// Elements of chunk `index` of the nth of the sections.
function chunkCache(reader: Reader, as: ModelAs, sections: readonly Section[]): ChunkCache {
  const ahead = tasksAhead(reader.workers?.size);
  const cache = new Map<number, Promise<Uint8Array>>();
  const fetch = async ({ section, index }: Wanted): Promise<Uint8Array> => {
    const span = await readSpan(reader, section, index, 1);
    const dtype = section.dtypes[as];
    return decodeSpan(
      reader,
      section,
      span,
      (bytes) => ({ kind: "elements", span: bytes, dtype }),
      undefined,
      (all) => all,
    );
  };
  return (nth, index) => {
    const wanted = following(sections, nth, index, ahead);
    for (const known of cache.keys()) if (!wanted.some(({ number }) => number === known)) cache.delete(known);
    for (const chunk of wanted) {
      if (cache.has(chunk.number)) continue;
      const bytes = fetch(chunk);
      // A chunk that was fetched ahead fails when it is asked for, or never.
      bytes.catch(() => cache.delete(chunk.number));
      cache.set(chunk.number, bytes);
    }
    return cache.get((wanted[0] as Wanted).number) as Promise<Uint8Array>;
  };
}

// `count` chunks from chunk `index` of the nth section on, as far as there are any.
function following(sections: readonly Section[], nth: number, index: number, count: number): Wanted[] {
  const found: Wanted[] = [];
  let [at, chunk] = [nth, index];
  while (found.length < count && at < sections.length) {
    const section = sections[at] as Section;
    found.push({ section, index: chunk, number: section.firstChunk + chunk });
    if (++chunk === section.layout.chunks) [at, chunk] = [at + 1, 0];
  }
  return found;
}

function sharedEntry(reader: Reader, entry: Entry): LazyTensor {
  const { name, dtype, shape } = entry.tensor;
  const read = async (start: number, end: number): Promise<Uint8Array> =>
    elementsIn(await loadedChunk(reader, entry.section, {}), entry).subarray(
      bytesOf(dtype, start),
      bytesOf(dtype, end),
    );
  return { name, dtype, shape, read };
}

function lazyEntry(cache: ChunkCache, entry: Entry, as: ModelAs, nth: number): LazyTensor {
  const { tensor, section } = entry;
  const dtype = section.dtypes[as];
  const removed = removedChannels(section.steps);
  const read = async (start: number, end: number): Promise<Uint8Array> => {
    const out = new Uint8Array(bytesOf(dtype, end - start));
    for (const { at, from, count } of keptRuns(tensor, removed)) {
      const [first, last] = [Math.max(at, start), Math.min(at + count, end)];
      if (first >= last) continue;
      const part = out.subarray(bytesOf(dtype, first - start), bytesOf(dtype, last - start));
      await readKept(cache, entry, nth, from + first - at, from + last - at, part, dtype);
    }
    return out;
  };
  return { name: tensor.name, dtype, shape: tensor.shape, read };
}

// Fills `out` with elements [start, end) of what the chunks hold.
async function readKept(
  cache: ChunkCache,
  { section: { layout } }: Entry,
  nth: number,
  start: number,
  end: number,
  out: Uint8Array,
  dtype: DType,
): Promise<void> {
  for (let at = start; at < end; ) {
    const index = Math.floor(at / layout.chunkElements);
    const first = index * layout.chunkElements;
    const stop = Math.min(end, first + layout.chunkElements);
    const bytes = await cache(nth, index);
    out.set(bytes.subarray(bytesOf(dtype, at - first), bytesOf(dtype, stop - first)), bytesOf(dtype, at - start));
    at = stop;
  }
}
