import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { type Asked, type Faults, of, type Rule } from "./faults.ts";
import { type Bucket, bucket, link, send, wire } from "./send.ts";

// A real server of files, whose answers go wrong as told.

/** One request and what became of it. */
export interface Logged extends Asked {
  /** 0 as long as there is no answer. */
  status: number;
  /** The place in the file of the first byte of the body. */
  from: number;
  /** Bytes of the body that the kernel has taken. What a cut connection had taken may still have been lost. */
  sent: number;
  /** The connection ended before the answer did, whoever ended it. */
  aborted: boolean;
  /** Neither aborted nor at its end. */
  open: boolean;
}

export interface TestServer {
  /** Of its only file, or the folder of its files, with "/" at its end. */
  readonly url: string;
  /** Every request but preflights, in order. May be emptied: `log.length = 0`, after which `index` begins anew. */
  readonly log: Logged[];
  /** Preflight requests of CORS. */
  readonly preflights: number;
  /** The faults of what is requested from now on. */
  rule: Rule;
  /** Bytes per second, shared by all answers as a line is; Infinity for none. */
  rate: number;
  exact: Exact;
  /** The most answers that were open at once. */
  readonly mostOpen: number;
  /** Answers now open. */
  open(): number;
  /** Connections now open that a request has come on: fetch itself may keep one in stock whose request was aborted before it was sent. */
  sockets(): number;
  /** Resolves when no answer is open. */
  quiet(): Promise<void>;
  /** Ends all connections. */
  close(): Promise<void>;
}

/**
 * How exactly `rate` is kept, from 1 Mbit/s to 1 Gbit/s. false: some 100 writes a second. true: as exactly as timers allow, a millisecond. "wire": to a
 * tenth of that, which takes a processor of its own.
 */
export type Exact = boolean | "wire";

export interface ServerOptions {
  rule?: Rule;
  rate?: number;
  /** true: connections serve several requests. Default: each has its own, so that `sockets` tells of requests. */
  keepAlive?: boolean;
  exact?: Exact;
}

/** @param files - the bytes of one file, which lies at every path, or those of several by their paths, without a "/" in front */
export async function serve(
  files: Uint8Array | Record<string, Uint8Array>,
  options: ServerOptions = {},
): Promise<TestServer> {
  const sockets = new Set<Socket>();
  const used = new WeakSet<Socket>();
  const log: Logged[] = [];
  const lineOf = (exact: Exact, rate: number) => (exact === "wire" ? wire : exact ? link : bucket)(rate);
  let { rate = Infinity, exact = false } = options;
  let [mostOpen, preflights, line] = [0, 0, lineOf(exact, rate)];
  // Not counted in the log, which may have ten thousands of entries.
  let open = 0;
  const server = createServer((request, response) => {
    used.add(request.socket);
    if (!options.keepAlive) response.shouldKeepAlive = false;
    if (request.method === "OPTIONS") {
      preflights++;
      response.writeHead(204, { ...corsHeaders({}), "Access-Control-Allow-Headers": "*" }).end();
      return;
    }
    const asked = askedBy(request, log.length);
    const entry: Logged = { ...asked, status: 0, from: 0, sent: 0, aborted: false, open: true };
    log.push(entry);
    mostOpen = Math.max(mostOpen, ++open);
    response.on("close", () => {
      open--;
      entry.open = false;
      entry.aborted = !response.writableFinished;
    });
    const file = files instanceof Uint8Array ? files : files[asked.path.slice(1)];
    const faults = of(tested.rule, asked);
    void answer(response, entry, faults.bytes ?? file, faults, line);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const folder = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const tested: TestServer = {
    url: files instanceof Uint8Array ? `${folder}model.quern` : folder,
    log,
    get preflights() {
      return preflights;
    },
    rule: options.rule ?? {},
    get rate() {
      return rate;
    },
    set rate(value) {
      rate = value;
      line = lineOf(exact, rate);
    },
    get exact() {
      return exact;
    },
    set exact(value) {
      exact = value;
      line = lineOf(exact, rate);
    },
    get mostOpen() {
      return mostOpen;
    },
    open: () => open,
    sockets: () => [...sockets].filter((socket) => used.has(socket)).length,
    async quiet() {
      while (open > 0) await sleep(2);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
  return tested;
}

function askedBy({ method = "", url = "", headers }: IncomingMessage, index: number): Asked {
  const [, start, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "") ?? [];
  const range = start === undefined ? undefined : ([Number(start), last ? Number(last) + 1 : Infinity] as const);
  return { index, method, path: url, range, headers };
}

function corsHeaders({ cors = true }: Faults): Record<string, string> {
  if (!cors) return {};
  const exposed = cors === "hidden" ? {} : { "Access-Control-Expose-Headers": "*" };
  return { "Access-Control-Allow-Origin": "*", ...exposed };
}

async function answer(
  response: ServerResponse,
  entry: Logged,
  file: Uint8Array | undefined,
  faults: Faults,
  line: Bucket,
): Promise<void> {
  if (faults.latency) await sleep(faults.latency);
  if (faults.silent || response.destroyed) return;
  if (faults.refuse) {
    response.destroy();
    return;
  }
  const { status, headers, body, start } = file ? answerOf(entry, file, faults) : { ...plain(404, faults), start: 0 };
  entry.status = status;
  entry.from = start;
  response.writeHead(status, headers);
  response.flushHeaders();
  if (entry.method === "HEAD") {
    response.end();
    return;
  }
  const end = Math.min(faults.cutAfter ?? Infinity, faults.stallAfter ?? Infinity);
  const buckets = faults.rate === undefined ? [line] : [line, bucket(faults.rate)];
  await send(response, body.subarray(0, Math.min(end, body.length)), buckets, (count) => {
    entry.sent += count;
  });
  if (response.destroyed || faults.stallAfter === end) return;
  if (faults.cutAfter === end) response.destroy();
  else response.end();
}

interface Answer {
  status: number;
  headers: Record<string, string>;
  body: Uint8Array;
  start: number;
}

function plain(status: number, faults: Faults): Answer {
  const headers: Record<string, string> = { ...corsHeaders(faults), "Content-Type": "text/plain" };
  if (faults.retryAfter !== undefined) headers["Retry-After"] = faults.retryAfter;
  return { status, headers, body: Buffer.from(`status ${status}`), start: 0 };
}

function answerOf(asked: Asked, original: Uint8Array, faults: Faults): Answer {
  if (faults.status !== undefined) return plain(faults.status, faults);
  const headers: Record<string, string> = { ...corsHeaders(faults), "Accept-Ranges": "bytes", ...faults.headers };
  if (faults.html) {
    headers["Content-Type"] = "text/html; charset=utf-8";
    return { status: 200, headers, body: Buffer.from("<!doctype html><title>Not here</title>"), start: 0 };
  }
  const file = flipped(original, faults.flip);
  const etag = faults.etag === undefined ? '"v1"' : faults.etag;
  if (etag !== null) headers.ETag = etag;
  if (faults.lastModified !== undefined) headers["Last-Modified"] = faults.lastModified;
  headers["Content-Type"] = faults.contentType ?? "application/octet-stream";
  const ranged = asked.range !== undefined && faults.ranges !== false && fresh(asked, etag, faults);
  const [start, asks] = ranged && asked.range ? asked.range : [0, Infinity];
  const end = Math.min(asks, file.length);
  if (ranged && start >= file.length) {
    return { ...plain(416, faults), headers: { ...headers, "Content-Range": `bytes */${file.length}` } };
  }
  if (ranged) {
    const range = faults.contentRange ?? `bytes ${start}-${end - 1}/${faults.total ?? file.length}`;
    if (faults.contentRange !== null) headers["Content-Range"] = range;
  }
  let body = changedLength(file, start, end, faults.extra ?? 0);
  if (faults.gzip) {
    headers["Content-Encoding"] = "gzip";
    body = gzipSync(body);
  }
  if (faults.length !== false && !faults.extra) headers["Content-Length"] = String(body.length);
  return { status: ranged ? 206 : 200, headers, body, start };
}

// If-Range: whether the asker's version is still the one here. Weak ETags never are.
function fresh(asked: Asked, etag: string | null, faults: Faults): boolean {
  const asks = asked.headers["if-range"];
  if (asks === undefined || faults.ifRange === false) return true;
  return /^"/.test(String(asks)) ? asks === etag : asks === faults.lastModified;
}

function flipped(file: Uint8Array, at: number | undefined): Uint8Array {
  if (at === undefined) return file;
  const copy = file.slice();
  copy[at] ^= 1;
  return copy;
}

function changedLength(file: Uint8Array, start: number, end: number, extra: number): Uint8Array {
  if (extra <= 0) return file.subarray(start, Math.max(start, end + extra));
  const longer = new Uint8Array(end - start + extra);
  longer.set(file.subarray(start, end));
  return longer;
}
