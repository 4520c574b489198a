import { hasMagic } from "../container/length.ts";
import { PRELUDE_BYTES } from "../container/prelude.ts";
import { LoadError } from "../errors/base.ts";
import { readerOf } from "./body.ts";
import type { Span } from "./window.ts";

// One request for bytes of a file, and whether its answer is what was asked for.

/** A file that lies at a URL, and what its answers have told of it. */
export interface Link {
  readonly href: string;
  readonly fetch: typeof fetch;
  /** What every request has. */
  readonly init: RequestInit;
  /** Tries without a byte before an error is told. */
  readonly retries: number;
  /** Milliseconds. */
  readonly backoff: number;
  readonly stall: number;
  /** Hears the length of the file, once. */
  known: (byteLength: number) => void;
  byteLength?: number;
  /** The server has no ranges: it always sends the whole file. */
  whole: boolean;
  /** How often fetch has failed. */
  failed: number;
  /** Of another origin. */
  foreign: boolean;
  /** Its ETag, or when it was last modified. More than one if answers differed in that, but not in the file. */
  readonly versions: Set<string>;
  /** What has come of the first bytes. */
  head: Uint8Array;
}

/** A body that begins at byte `at` of the file. */
export interface Body extends ReturnType<typeof readerOf> {
  readonly at: number;
  /** It ends where what was asked for ends, and not with the file. */
  readonly ranged: boolean;
}

interface Ask {
  readonly start: number;
  readonly until: number;
  readonly fresh: boolean;
  readonly signal: AbortSignal;
}

export function learnLength(link: Link, byteLength: number): void {
  link.byteLength = byteLength;
  link.known(byteLength);
}

/**
 * Asks for [at, span.until). The first answer tells the length of the file, or else leaves it to the prelude, and shortens the span to what
 * there is.
 * @throws LoadError if asking again is no use; other errors if it may be
 */
export async function connect(link: Link, at: number, span: Span, fresh: boolean, signal: AbortSignal): Promise<Body> {
  const ask = { start: at, until: span.until, fresh, signal };
  const { versions } = link;
  let response = await request(link, ask, true);
  const other = !versions.has(versionOf(response)) || (response.status === 200 && !link.whole);
  if (versions.size > 0 && other) {
    drop(response);
    await compare(link, signal);
    response = await request(link, ask, false);
  }
  versions.add(versionOf(response));
  const ranged = response.status === 206;
  const length = ranged ? undefined : lengthOf(response);
  const { until, total } = ranged ? rangeOf(link, response, ask) : { until: length ?? Infinity, total: length };
  link.whole = !ranged;
  link.foreign = response.type === "cors";
  if (link.byteLength === undefined) {
    span.until = until;
    if (total !== undefined) learnLength(link, total);
  } else if (total !== undefined && total !== link.byteLength) {
    drop(response);
    throw new LoadError("length", `${link.href}: ${link.byteLength} bytes before, ${total} now`);
  }
  return { at: ranged ? at : 0, ranged, ...readerOf(bodyOf(response, link.href)) };
}

async function request(link: Link, ask: Ask, conditional: boolean): Promise<Response> {
  const headers = headersOf(link.init.headers);
  // Browsers ask for ranges in no encoding, and fail where a server has the file encoded and sends it so all the same, as stores of objects do.
  const suspected = link.failed === 1 && !link.whole && !link.versions.size;
  if (!link.whole && !suspected) {
    headers.range = `bytes=${ask.start}-${ask.until < Infinity ? ask.until - 1 : ""}`;
    const [version = "", ...others] = link.versions;
    // A weak ETag is of no use there. Other origins are first asked whether they allow this header, and most do not.
    if (conditional && !link.foreign && others.length === 0 && version && !/^W\//.test(version))
      headers["if-range"] = version;
  }
  const init = { ...link.init, headers, signal: ask.signal };
  const response = await link.fetch(link.href, ask.fresh ? { ...init, cache: "no-store" } : init).catch((error) => {
    link.failed++;
    throw error;
  });
  const { status } = response;
  if (status >= 500) {
    drop(response);
    const after = response.headers.get("Retry-After");
    throw Object.assign(new Error(`status ${status}`), { after });
  }
  checkResponse(response, link.href, 206);
  if (suspected && !encoded(response)) {
    drop(response);
    link.failed++;
    return request(link, ask, conditional);
  }
  if (status === 206 && encoded(response)) {
    // A range of the encoded file, which cannot be decoded alone.
    drop(response);
    link.whole = true;
    return request(link, ask, conditional);
  }
  return response;
}

// Written out: to touch the class Headers ends Node 20 and 22 where WebAssembly is switched off.
function headersOf(given: HeadersInit = {}): Record<string, string> {
  const headers: Record<string, string> = {};
  const pairs = Symbol.iterator in given ? (given as Iterable<string[]>) : Object.entries(given);
  for (const [name = "", value = ""] of pairs) {
    const key = name.toLowerCase();
    headers[key] = key in headers ? `${headers[key]}, ${value}` : value;
  }
  return headers;
}

/** Throws a LoadError unless an answer has the file. */
export function checkResponse(response: Response, name: string, also = 200): void {
  const { status } = response;
  const html = /^text\/html/i.test(response.headers.get("Content-Type") ?? "");
  if (!html && (status === 200 || status === also)) return;
  drop(response);
  if (status !== 200) throw new LoadError("status", `${name}: status ${status} ${response.statusText}`);
  throw new LoadError("html", `${name}: the server answered with a page (text/html), not with a file`);
}

/** @throws LoadError if there is none */
export function bodyOf(response: Response, name: string): ReadableStream<Uint8Array> {
  if (response.body) return response.body;
  throw new LoadError("length", `${name}: an answer without a body`);
}

function encoded(response: Response): boolean {
  return !/^(identity)?$/i.test(response.headers.get("Content-Encoding") ?? "");
}

/** The length of the file that an answer has, if it says so. */
export function lengthOf(response: Response): number | undefined {
  const length = response.headers.get("Content-Length");
  // Of another origin it cannot be seen whether the file is encoded.
  return length === null || encoded(response) || response.type === "cors" ? undefined : Number(length);
}

function rangeOf(link: Link, response: Response, { start, until }: Ask): { until: number; total: number | undefined } {
  const text = response.headers.get("Content-Range");
  const length = Number(response.headers.get("Content-Length") ?? until - start);
  // Of another origin it can only be seen if the server allows it.
  const hidden = text === null && response.type === "cors" ? `bytes ${start}-${start + length - 1}/*` : "";
  const [, first, last, size] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(text ?? hidden) ?? [];
  const total = size === "*" ? link.byteLength : Number(size);
  const end = Number(last) + 1;
  const { byteLength = total } = link;
  if (Number(first) === start && end === Math.min(until, total ?? end) && total === byteLength)
    return { until: end, total };
  drop(response);
  const of = byteLength === undefined ? "" : ` of ${byteLength}`;
  throw new LoadError("content-range", `${link.href}: asked for bytes ${start}-${until - 1}${of}, got "${text}"`);
}

// The date is as good as a weak ETag, and may be asked for.
function versionOf({ headers }: Response): string {
  const etag = headers.get("ETag");
  return (etag?.[0] === '"' && etag) || headers.get("Last-Modified") || etag || "";
}

function drop(response: Response): void {
  response.body?.cancel().catch(() => {});
}

/**
 * Whether another version is another file. The prelude has the SHA-256 of the header, which has those of all chunks.
 * @throws LoadError if it is
 */
async function compare(link: Link, signal: AbortSignal): Promise<void> {
  const head = link.head.subarray(0, PRELUDE_BYTES);
  const response = await request(link, { start: 0, until: PRELUDE_BYTES, fresh: true, signal }, false);
  const reader = bodyOf(response, link.href).getReader();
  let same = head.length < PRELUDE_BYTES || hasMagic(head);
  for (let at = 0; same && at < head.length; ) {
    const { value } = await reader.read();
    if (!value) throw new Error(`the body ended at ${at} of ${head.length} bytes`);
    const most = Math.min(value.length, head.length - at);
    for (let i = 0; i < most; i++) same &&= value[i] === head[at + i];
    at += most;
  }
  reader.cancel().catch(() => {});
  if (!same) throw new LoadError("changed", `${link.href}: another file lies there now; open it again`);
}
