import { argument, LoadError } from "../errors.ts";

// How fast the line is on which models come.

export interface LineOptions {
  readonly signal?: AbortSignal | undefined;
  /** Answers that are waited for. Default: 5 */
  readonly tries?: number | undefined;
  /** Of the download that is timed; what comes behind is not read. Default: 16 MB */
  readonly mostBytes?: number | undefined;
}

const MOST_BYTES = 16e6;
/** What comes before is the line getting up to speed, unless the file is too short to wait for more. */
const WARM_BYTES = 256e3;
const FEWEST_BYTES = 64e3;

/**
 * Downloads a file, and tells the line's bandwidth in bits per second and its round trip in milliseconds: the median until the answer to a request for one
 * byte has come over a connection that stands, which is never less than one round trip. Servers without ranges have it opened anew each time.
 * @throws LoadError for a server that does not answer or breaks off, a status that is none of success, or a file of fewer than 64 kB, of which nothing can be
 * told; the signal's reason
 */
export async function measureLine(
  url: string,
  { signal, tries = 5, mostBytes = MOST_BYTES }: LineOptions = {},
): Promise<{ bandwidth: number; roundTrip: number; bytes: number }> {
  argument(Number.isSafeInteger(tries) && tries >= 1, "tries", "a whole number above 0", tries);
  const init = { signal: signal ?? null, cache: "no-store" as const };
  const times: number[] = [];
  // The first one opens the connection.
  for (let i = 0; i <= tries; i++) {
    const start = performance.now();
    // Not HEAD, after whose answer Node closes the connection.
    const { status, body } = await answer(url, { ...init, headers: { Range: "bytes=0-0" } });
    if (i > 0) times.push(performance.now() - start);
    // Of an answer that is read to its end the connection stands.
    await (status === 206 ? body?.pipeTo(new WritableStream()) : body?.cancel())?.catch(lost(url, signal));
  }
  const roundTrip = times.sort((a, b) => a - b)[tries >> 1] as number;
  const { body } = await answer(url, init);
  const seen = body ? await read(body, mostBytes).catch(lost(url, signal)) : [];
  return { ...told(url, seen), roundTrip };
}

/** How many bytes had come when. */
export type Seen = readonly { readonly bytes: number; readonly ms: number }[];

async function read(body: ReadableStream<Uint8Array>, most: number): Promise<Seen> {
  const reader = body.getReader();
  const seen: { bytes: number; ms: number }[] = [];
  let bytes = 0;
  while (bytes < most) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes += value.length;
    seen.push({ bytes, ms: performance.now() });
  }
  await reader.cancel();
  return seen;
}

function told(url: string, seen: Seen): { bandwidth: number; bytes: number } {
  const { bytes } = seen.at(-1) ?? { bytes: 0 };
  if (bytes < FEWEST_BYTES)
    throw new LoadError("length", `${url}: expected at least ${FEWEST_BYTES} bytes to time, got ${bytes}`);
  const bandwidth = bandwidthOf(seen);
  if (bandwidth === null)
    throw new LoadError("length", `${url}: it came at once: a longer file is needed to time the line`);
  return { bandwidth, bytes };
}

/** Bits per second once the line is at its speed; null where all came at once. */
export function bandwidthOf(seen: Seen): number | null {
  const last = seen.at(-1);
  if (!last) return null;
  const warm = Math.min(WARM_BYTES, last.bytes / 4);
  const from = seen.find(({ bytes, ms }) => bytes >= warm && ms < last.ms);
  return from ? Math.round((8000 * (last.bytes - from.bytes)) / (last.ms - from.ms)) : null;
}

async function answer(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init).catch(lost(url, init.signal));
  if (!response.ok) throw new LoadError("status", `${url}: status ${response.status}`);
  return response;
}

function lost(url: string, signal: AbortSignal | null | undefined): (error: Error) => never {
  return (error) => {
    signal?.throwIfAborted();
    throw new LoadError("network", `${url}: ${error.message}`, error);
  };
}
