import { keptRuns, removedChannels } from "../codec/removed.ts";
import {
  BLOCK_ELEMENTS,
  type BlockDType,
  bytesOf,
  type DType,
  isBlocks,
  isDType,
  type LazyTensor,
  type Model,
} from "../tensor.ts";
import { decodeSpan, type Reader, readSpan } from "./chunks.ts";
import type { Entry, Section } from "./sections.ts";
import { sharedElements } from "./shared.ts";
import { tasksAhead } from "./workers.ts";

// An open file as a model, read by ranges of elements.

/** In which dtype tensors of codes come: see QuernFile.model. */
export type ModelAs = "original" | "f32" | "quantized";

/** The file as a model. Readers go forward, so the latest chunk is kept, and workers decode those that follow. */
export function lazyModel(reader: Reader, as: ModelAs): Model {
  const { sections, entries, metadata } = reader.header;
  const own = sections.filter(({ layout, shared }) => layout.chunks > 0 && !shared);
  const numbers = new Map(own.map((section, i) => [section, i]));
  const cache = chunkCache(reader, as, own);
  const tensors = entries.map((entry) =>
    entry.section.shared ? sharedEntry(reader, entry) : lazyEntry(cache, entry, as, numbers.get(entry.section) ?? -1),
  );
  return { metadata, tensors };
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
    const dtype = dtypeOf(section, as);
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

function dtypeOf(section: Section, as: ModelAs): DType {
  const { layout } = section;
  const { dtype } = layout.tensor;
  const made = as === "quantized" ? blocksMade(section) : null;
  if (made) return made;
  // What was made of blocks has no blocks any more.
  const lost = isBlocks(dtype) && !layout.blocks;
  return lost || (layout.coding && as === "f32") ? "F32" : dtype;
}

// The dtype of blocks that the codes of a format step are, where rows and chunks are whole blocks, and nothing was removed between them.
function blocksMade({ layout, steps }: Section): BlockDType | null {
  const { quantize, tensor, chunkElements, chunks } = layout;
  const dtype = quantize?.op === "format" ? quantize.format.toUpperCase() : "";
  const whole = (tensor.shape.at(-1) ?? 1) % BLOCK_ELEMENTS === 0;
  const apart = chunks > 1 && chunkElements % BLOCK_ELEMENTS > 0;
  if (!whole || apart || removedChannels(steps).length > 0) return null;
  return isDType(dtype) && isBlocks(dtype) ? dtype : null;
}

function sharedEntry(reader: Reader, entry: Entry): LazyTensor {
  const { name, dtype, shape } = entry.tensor;
  const read = async (start: number, end: number): Promise<Uint8Array> =>
    (await sharedElements(reader, entry)).subarray(bytesOf(dtype, start), bytesOf(dtype, end));
  return { name, dtype, shape, read };
}

function lazyEntry(cache: ChunkCache, entry: Entry, as: ModelAs, nth: number): LazyTensor {
  const { tensor, section } = entry;
  const dtype = dtypeOf(section, as);
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
