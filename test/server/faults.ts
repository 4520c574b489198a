import type { IncomingHttpHeaders } from "node:http";

// What can go wrong with an answer.

/** How one request is answered. Whatever is left out is right. */
export interface Faults {
  /** Bytes per second of this answer. */
  rate?: number;
  /** Milliseconds before its headers. */
  latency?: number;
  /** The connection is cut after so many bytes of the body; 0 is right behind the headers. */
  cutAfter?: number;
  /** After so many bytes of the body no more comes, but the connection stays. */
  stallAfter?: number;
  /** Never answers at all. */
  silent?: boolean;
  /** Only the connection's end for an answer. */
  refuse?: boolean;
  /** In place of 200 and 206, with a short text for a body. */
  status?: number;
  /** The header Retry-After. */
  retryAfter?: string;
  /** false: there are no ranges, every answer is 200 with the whole file. */
  ranges?: boolean;
  /** false: no Content-Length; the body is sent chunked. */
  length?: boolean;
  /** The body compressed with gzip, and a header that says so. Of a range, too. */
  gzip?: boolean;
  /** 200 with a page in place of the file. */
  html?: boolean;
  /** The header Content-Range in place of the right one; null for none. */
  contentRange?: string | null;
  /** The length of the file that Content-Range tells. */
  total?: number | "*";
  /** So many bytes more (or, negative, fewer) in the body than announced. Without Content-Length, which would hide it. */
  extra?: number;
  /** null for none. Default: "v1" in quotes. A weak one begins with W/. */
  etag?: string | null;
  lastModified?: string;
  /** false: answers with a range whatever If-Range says. */
  ifRange?: boolean;
  /** In place of the file. */
  bytes?: Uint8Array;
  /** The lowest bit of the file's byte at this offset is flipped. */
  flip?: number;
  /** false: no CORS headers. "hidden": pages of other origins may read, but see no headers beyond those always seen. */
  cors?: boolean | "hidden";
  contentType?: string;
  /** Headers beside those that it has anyway. */
  headers?: Record<string, string>;
}

/** A request as the rules see it. */
export interface Asked {
  /** How many came before it. */
  readonly index: number;
  readonly method: string;
  readonly path: string;
  /** First and last byte + 1 that it asks for; undefined without a range. */
  readonly range: readonly [number, number] | undefined;
  readonly headers: IncomingHttpHeaders;
}

/** The faults of every request, or what tells them. */
export type Rule = Faults | ((asked: Asked) => Faults | undefined);

/** These faults for the first n requests, then `rest`. */
export function first(n: number, faults: Faults, rest: Rule = {}): Rule {
  return (asked) => (asked.index < n ? faults : of(rest, asked));
}

/** These faults from request n (counted from 0) on, before it `start`. */
export function from(n: number, faults: Rule, start: Rule = {}): Rule {
  return (asked) => of(asked.index < n ? start : faults, asked);
}

/** One after the other, the last one for all that follow. */
export function script(...steps: readonly Faults[]): Rule {
  return ({ index }) => steps[Math.min(index, steps.length - 1)];
}

export function of(rule: Rule, asked: Asked): Faults {
  return (typeof rule === "function" ? rule(asked) : rule) ?? {};
}
