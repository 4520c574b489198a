import { type ByteSource, joined, type SliceOptions } from "../bytes.ts";
import { fileLength, LENGTH_BYTES } from "../container/length.ts";
import { PRELUDE_BYTES } from "../container/prelude.ts";
import { argument, LoadError } from "../errors/base.ts";
import { onAbort } from "./abort.ts";
import type { Flow } from "./flow.ts";
import { type Link, learnLength } from "./request.ts";
import { LARGEST_GAP, type Runs, runsOf } from "./runs.ts";
import { NONE } from "./window.ts";

/**
 * What the first request asks for: the header of a file of a hundred tensors, in what a server sends at once. It is read to its end even if
 * something else is wanted: that is cheaper than to lose the connection. Bytes.
 */
const PREFIX = 8 * 1024;
/** The most that is kept of what the first request brought. Bytes. */
const KEPT = 64 * 1024;

type Init = Pick<RequestInit, "headers" | "credentials" | "mode" | "cache" | "redirect" | "referrerPolicy">;

/** What is not listed here goes to fetch with every request. */
export interface UrlOptions extends Init {
  /** In place of the platform's. */
  fetch?: typeof fetch | undefined;
  /** Ends the opening, or closes the source. */
  signal?: AbortSignal | undefined;
  /** Requests open at once, at most. Default: 4 */
  requests?: number | undefined;
  /** Tries in a row that bring no byte before a LoadError is thrown. Default: 5 */
  retries?: number | undefined;
  /** Milliseconds before the second try; doubled for each one more. Default: 250 */
  backoff?: number | undefined;
  /** Milliseconds without a byte after which a request is given up and its rest requested anew. Default: 30000 */
  stall?: number | undefined;
  /**
   * Bytes that the first request asks for. Default: 8192; `load`: 32768. Infinity: who reads on from the start of the file, as a stream of all
   * tensors does, gets it all with one request; a tensor by its name then costs that connection.
   */
  first?: number | undefined;
  /** Milliseconds after which a request that nobody reads on from is ended. Default: 10000 */
  idle?: number | undefined;
}

/** A source that holds connections until it is closed. */
export interface OpenSource extends ByteSource {
  /** Ends all requests. Reads under way and later ones reject. */
  close(): void;
}

/**
 * The file at a URL, read by ranges. Servers without ranges will do: what is read in the order of the file then comes with one request.
 * @param byteLength - its length; where that is not known (0), its first bytes are asked for at once
 * @throws LoadError; FormatError if only the file itself could tell its length, but is no .quern file
 */
export async function urlSource(url: string | URL, options: UrlOptions = {}, byteLength = 0): Promise<OpenSource> {
  const { signal, requests = 4, idle = 10_000, first = PREFIX } = options;
  argument(first >= PRELUDE_BYTES, "first", `at least ${PRELUDE_BYTES}`, first);
  argument(Number.isInteger(requests) && requests > 0, "requests", "a positive integer", requests);
  signal?.throwIfAborted();
  const link = linkTo(url, options);
  if (byteLength) link.byteLength = byteLength;
  let failure: unknown;
  const runs = runsOf(link, requests, idle, (error) => {
    if (error instanceof LoadError && error.code === "changed") shut(error);
  });
  const off = onAbort(signal, () => shut(signal?.reason));
  function shut(error: unknown): void {
    failure ??= error;
    off();
    runs.stop(failure);
  }
  try {
    const read = readerOf(link, runs, byteLength ? undefined : await openFirst(link, runs, first));
    return {
      byteLength: link.byteLength as number,
      async slice(start, end, options = {}) {
        if (failure) throw failure;
        return read(start, end, options);
      },
      close: () => shut(new LoadError("closed", `${link.href}: this source was closed`)),
    };
  } catch (error) {
    shut(error);
    throw error;
  }
}

// Where there is no page, there is nothing that a relative address could begin at.
function hrefOf(url: string | URL): string {
  try {
    return new URL(url, globalThis.location?.href).href;
  } catch {
    argument(false, "url", "an address with https:// or http:// (for a path, fileSource makes a source)", url);
  }
}

function linkTo(url: string | URL, options: UrlOptions): Link {
  const { fetch: own, signal, requests, idle, first, retries = 5, backoff = 250, stall = 30_000, ...init } = options;
  return {
    href: hrefOf(url),
    fetch: (href, init) => (own ?? fetch)(href, init),
    init,
    retries,
    backoff,
    stall,
    known: () => {},
    whole: false,
    failed: 0,
    foreign: false,
    versions: new Set(),
    head: NONE,
  };
}

// Resolves when the length of the file is known.
function openFirst(link: Link, runs: Runs, until: number): Promise<Flow> {
  return new Promise((resolve, reject) => {
    const span = { start: 0, until };
    const first = runs.open(span, {
      shared: true,
      keep: until > KEPT ? PREFIX : until,
      over: reject,
      learn(head) {
        link.head = head;
        if (link.byteLength !== undefined || head.length < LENGTH_BYTES) return;
        const length = fileLength(head);
        span.until = Math.min(span.until, length);
        learnLength(link, length);
      },
    });
    link.known = () => resolve(first);
  });
}

type Read = (start: number, end: number, options: SliceOptions) => Promise<Uint8Array>;

function readerOf(link: Link, runs: Runs, first: Flow | undefined): Read {
  const byteLength = link.byteLength as number;
  function openAt(start: number, until: number, { signal, fresh }: SliceOptions): Flow {
    // More was asked for than is kept, and nobody goes on there: what comes would be in the way.
    const { length } = link.head;
    if (first && !link.whole && !first.busy() && first.asked() <= length && first.reach(length) > length) first.stop();
    if (link.whole) return runs.open({ start: 0, until: byteLength }, { shared: true, fresh });
    return runs.open({ start, until: Math.min(until, byteLength) }, { signal, fresh });
  }
  async function read(start: number, end: number, options: SliceOptions): Promise<Uint8Array> {
    const { fresh, signal } = options;
    const until = Math.max(end, options.until ?? end);
    argument(start >= 0 && start <= end && end <= byteLength, "range", `within 0..${byteLength}`, end);
    signal?.throwIfAborted();
    if (start === end) return NONE;
    if (fresh) {
      const bytes = await openAt(start, until, options).take(start, end, options);
      // What was kept may be what was damaged.
      if (start < link.head.length) first?.forget();
      if (start === 0) link.head = bytes;
      return bytes;
    }
    const far = first && first.asked() + LARGEST_GAP < start && !link.whole;
    const middle = !first || far ? start : first.reach(start);
    if (middle > start && middle < end) {
      const parts = [read(start, middle, options), read(middle, end, options)] as const;
      return joined(...(await Promise.all(parts)));
    }
    const flow = middle > start ? first : runs.find(start, end, options);
    return (flow ?? openAt(start, until, options)).take(start, end, options);
  }
  return read;
}
