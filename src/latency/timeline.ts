import type { ChunkWork, DecodeSpeed } from "./decoding.ts";

// What happens when while a file is loaded: requests as the loader makes them, bytes as the line brings them, chunks as one thread decodes them.

/** Bytes that must be there before it is known how long the header is. */
export const PRELUDE = 88;

/** A file in numbers, as an estimate has them. */
export interface LoadFile {
  readonly fileBytes: number;
  readonly headerBytes: number;
  /** Whether more code is needed to read the header than for most. */
  readonly rareHeader: boolean;
  /** In the order of the file. */
  readonly chunks: readonly ChunkWork[];
  /** In the order in which they are loaded. Small ones may share a chunk. */
  readonly tensors: readonly { readonly firstChunk: number; readonly chunks: number; readonly elements: number }[];
  /** Bytes that reading takes at most beside the tensors. */
  readonly peak: number;
}

/** How fast everything goes. Milliseconds, and bytes a millisecond. */
export interface Pace {
  readonly trip: number;
  readonly rate: number;
  /** Times by which decoding is slower than its speed says. */
  readonly slower: number;
}

export interface Requests {
  readonly first: number;
  readonly connecting: number;
  readonly connected: boolean;
}

/** Milliseconds from the start. */
export interface Times {
  /** When the first tensor is there, and the last. */
  readonly first: number;
  readonly last: number;
}

export function simulated(file: LoadFile, requests: Requests, speed: DecodeSpeed, pace: Pace): Times {
  const { headerBytes, fileBytes, tensors, chunks } = file;
  const line = lineOf(requests, pace, fileBytes, pace.slower * speed.request);
  if (headerBytes > line.asked()) line.ask(headerBytes, line.arrival(PRELUDE));
  const headerAt = line.arrival(headerBytes);
  let now = headerAt + pace.slower * (speed.open(headerBytes, tensors.length) + (file.rareHeader ? speed.rare : 0));
  if (fileBytes > line.asked()) line.ask(fileBytes, now);
  let [done, place, first, loaded, rare] = [0, headerBytes, -1, file.rareHeader, false];
  for (const tensor of tensors) {
    for (; done < tensor.firstChunk + tensor.chunks; done++) {
      const chunk = chunks[done] as LoadFile["chunks"][number];
      place += chunk.stored;
      // What rare chunks need is loaded once for a file, and does all that come after the first of them.
      const more = chunk.rare && !loaded ? speed.rare : 0;
      loaded ||= chunk.rare;
      rare ||= chunk.rare;
      now = Math.max(now, line.arrival(place)) + pace.slower * (more + speed.chunk(rare ? { ...chunk, rare } : chunk));
    }
    now += pace.slower * speed.tensor;
    if (first < 0) first = now;
  }
  return { first: first < 0 ? now : first, last: now };
}

/** Bytes of the file as requests bring them, from the first to the last; the line carries one after the other. `each`: milliseconds that a request takes itself. */
function lineOf({ first, connecting, connected }: Requests, { trip, rate }: Pace, fileBytes: number, each: number) {
  const parts: { readonly from: number; readonly to: number; readonly start: number }[] = [];
  const endOf = (): number => {
    const last = parts.at(-1);
    return last ? last.start + (last.to - last.from) / rate : 0;
  };
  const ask = (to: number, at: number): void => {
    const from = parts.at(-1)?.to ?? 0;
    // While an answer is under way its connection is not free, and another one is opened.
    const opens = parts.length === 0 ? !connected : at < endOf();
    const answer = at + each + (1 + (opens ? connecting : 0)) * trip;
    parts.push({ from, to: Math.min(to, fileBytes), start: Math.max(answer, endOf()) });
  };
  ask(first, 0);
  return {
    ask,
    /** How far the requests so far go. */
    asked: () => parts.at(-1)?.to ?? 0,
    /** When all bytes before this place have come. */
    arrival(place: number): number {
      const part = parts.find(({ to }) => place <= to) ?? (parts.at(-1) as (typeof parts)[number]);
      return part.start + (place - part.from) / rate;
    },
  };
}

/** Bytes that a sender sends before it has heard of any: ten packets (RFC 6928). */
const FIRST_WINDOW = 14_600;

/** Milliseconds that a new connection loses because what is sent in a round trip begins with ten packets and doubles. */
export function slowStart(bytes: number, trip: number, rate: number): number {
  let [window, sent, lost] = [FIRST_WINDOW, 0, 0];
  while (window < trip * rate && sent < bytes) {
    lost += trip - window / rate;
    sent += window;
    window *= 2;
  }
  return lost;
}
