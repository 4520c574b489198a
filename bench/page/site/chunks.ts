import { chunkShape } from "../../../src/codec/layout.ts";
import type { Header } from "../../../src/container/prelude.ts";
import type { LoadProgress } from "../../../src/read.ts";

// What has become of every chunk of a file, from what arrives and from the progress that is told.

export const STATES = ["waiting", "arriving", "verified", "decoded", "damaged"] as const;
export type State = (typeof STATES)[number];

export interface Chunk {
  readonly tensor: string;
  readonly offset: number;
  readonly bytes: number;
  readonly decodedBytes: number;
  arrived: number;
  state: State;
  /** It was damaged, and fetched once more. */
  again: boolean;
  cached: boolean;
}

/** The chunks of one file, in its order. */
export interface Book {
  readonly chunks: readonly Chunk[];
  /** The header is known. */
  open(header: Header): void;
  arrived(from: number, to: number): void;
  /** The chunk at this place is fetched once more. */
  again(offset: number): void;
  cached(number: number): void;
  /** Chunks of a whole file are verified and decoded in its order, so that sums tell which ones are. */
  progress(progress: LoadProgress): void;
  /** Loading ended with an error at this place. */
  damaged(offset: number): void;
}

export function newBook(): Book {
  const chunks: Chunk[] = [];
  // What arrived before the table was known.
  let early: [from: number, to: number][] = [];
  let headerBytes = 0;
  const verified = { next: 0, sum: 0 };
  const decoded = { next: 0, sum: 0 };
  const at = (offset: number): Chunk | undefined => {
    const chunk = chunks[firstAfter(chunks, offset)];
    return chunk && chunk.offset <= offset ? chunk : undefined;
  };
  return {
    chunks,
    open(header) {
      headerBytes = header.headerBytes;
      chunks.push(...chunksOf(header));
      for (const [from, to] of early) arrive(chunks, from, to);
      early = [];
    },
    arrived(from, to) {
      if (chunks.length === 0) early.push([from, to]);
      arrive(chunks, from, to);
    },
    again(offset) {
      const chunk = at(offset);
      if (chunk) Object.assign(chunk, { again: true, arrived: 0, state: "arriving" });
    },
    cached(number) {
      const chunk = chunks[number];
      if (chunk) Object.assign(chunk, { cached: true, arrived: chunk.bytes, state: "arriving" });
    },
    progress(progress) {
      pass(chunks, verified, progress.verified.done - headerBytes, "bytes", "verified");
      pass(chunks, decoded, progress.decoded.done, "decodedBytes", "decoded");
    },
    damaged(offset) {
      const chunk = at(offset);
      if (chunk) chunk.state = "damaged";
    },
  };
}

function arrive(chunks: readonly Chunk[], from: number, to: number): void {
  for (let i = firstAfter(chunks, from); i < chunks.length; i++) {
    const chunk = chunks[i] as Chunk;
    if (chunk.offset >= to) break;
    const overlap = Math.min(to, chunk.offset + chunk.bytes) - Math.max(from, chunk.offset);
    chunk.arrived = Math.min(chunk.bytes, chunk.arrived + overlap);
    if (chunk.state === "waiting") chunk.state = "arriving";
  }
}

// Gives a state to the chunks that a sum of their sizes has newly reached.
function pass(
  chunks: readonly Chunk[],
  place: { next: number; sum: number },
  until: number,
  size: "bytes" | "decodedBytes",
  state: State,
): void {
  for (; place.next < chunks.length; place.next++) {
    const chunk = chunks[place.next] as Chunk;
    if (place.sum + chunk[size] > until) return;
    place.sum += chunk[size];
    chunk.state = state;
  }
}

function chunksOf(header: Header): Chunk[] {
  return header.sections.flatMap(({ layout, firstChunk }) =>
    Array.from({ length: layout.chunks }, (_, i): Chunk => {
      const { offset, bytes } = header.chunk(firstChunk + i);
      const { decodedBytes } = chunkShape(layout, i);
      const tensor = layout.tensor.name;
      return { tensor, offset, bytes, decodedBytes, arrived: 0, state: "waiting", again: false, cached: false };
    }),
  );
}

/** The first chunk that ends behind a place. */
function firstAfter(chunks: readonly Chunk[], place: number): number {
  let [least, beyond] = [0, chunks.length];
  while (least < beyond) {
    const middle = (least + beyond) >> 1;
    const { offset, bytes } = chunks[middle] as Chunk;
    if (offset + bytes > place) beyond = middle;
    else least = middle + 1;
  }
  return least;
}
