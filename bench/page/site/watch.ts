import type { ByteSource, ChunkStore } from "../../../src/read.ts";

// Watches what a file is read by: the requests that `open` makes, slices of a Blob, and what a cache gives.

/** A request, or a read of a Blob. */
export interface Request {
  readonly start: number;
  readonly end: number;
  /** Of a chunk that was damaged. */
  readonly again: boolean;
  /** The request that was cut where this one begins, counted from 1. */
  readonly resumes: number | null;
  /** null for a Blob; 0 before there is an answer. */
  status: number | null;
  bytes: number;
  state: "open" | "whole" | "cut" | "left";
}

export interface Watcher {
  request(request: Request): void;
  arrived(from: number, bytes: Uint8Array): void;
  cached(entry: number, bytes: Uint8Array): void;
}

/** `fetch`, watched. Bytes are passed on as they are asked for: nothing is held here. */
export function watchedFetch(watcher: Watcher): typeof fetch {
  const requests: Request[] = [];
  return async (input, init = {}) => {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(new Headers(init.headers).get("Range") ?? "") ?? [];
    const [start, end] = first === undefined ? [0, Infinity] : [Number(first), Number(last) + 1];
    const cut = requests.findLastIndex((r) => r.state === "cut" && r.start + r.bytes === start);
    const resumes = cut < 0 ? null : cut + 1;
    const request: Request = {
      start,
      end,
      again: init.cache === "no-store",
      resumes,
      status: 0,
      bytes: 0,
      state: "open",
    };
    requests.push(request);
    watcher.request(request);
    const lost = (error: unknown): never => {
      request.state = init.signal?.aborted ? "left" : "cut";
      throw error;
    };
    const response = await fetch(input, init).catch(lost);
    request.status = response.status;
    const reader = response.body?.getReader();
    if (!reader) return response;
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const { value } = await reader.read().catch(lost);
          if (!value) {
            request.state = "whole";
            return controller.close();
          }
          watcher.arrived(start + request.bytes, value);
          request.bytes += value.length;
          controller.enqueue(value);
        },
        cancel(reason) {
          if (request.state === "open") request.state = start + request.bytes >= end ? "whole" : "left";
          return reader.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
    return new Response(body, response);
  };
}

/** A Blob as a source, watched. */
export function watchedBlob(blob: Blob, watcher: Watcher): ByteSource {
  return {
    byteLength: blob.size,
    async slice(start, end) {
      const request: Request = { start, end, again: false, resumes: null, status: null, bytes: 0, state: "open" };
      watcher.request(request);
      const bytes = new Uint8Array(await blob.slice(start, end).arrayBuffer());
      watcher.arrived(start, bytes);
      Object.assign(request, { bytes: bytes.length, state: "whole" });
      return bytes;
    },
  };
}

export function watchedStore(store: ChunkStore, watcher: Watcher): ChunkStore {
  return {
    ...store,
    async get(file, entry) {
      const bytes = await store.get(file, entry);
      if (bytes) watcher.cached(entry, bytes);
      return bytes;
    },
  };
}
