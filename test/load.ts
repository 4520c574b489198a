import { afterEach, expect } from "vitest";
import type { ByteSource } from "../src/bytes.ts";
import type { LoadError } from "../src/errors.ts";
import { type UrlOptions, urlSource } from "../src/load/url.ts";
import { random } from "./helpers.ts";
import { type Rule, type ServerOptions, serve, type TestServer } from "./server.ts";

// Files and servers for the tests of sources.

/** As urlSource takes them: what its first request asks for. */
export const PREFIX = 8 * 1024;

/** Random bytes that begin as a .quern file does, with its length where that has it. */
export function fileOf(length: number, seed = 1): Uint8Array {
  const next = random(seed);
  // Repeated, for speed; a prime length lets no shift that is likely go unseen.
  const block = Uint8Array.from({ length: Math.min(length, 99_991) }, () => next() * 256);
  const bytes = new Uint8Array(Buffer.alloc(length, block));
  bytes.set([0x89, 0x51, 0x52, 0x4e, 0x0d, 0x0a, 0x1a, 0x0a]);
  new DataView(bytes.buffer).setBigUint64(40, BigInt(length), true);
  return bytes;
}

const opened: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of opened.splice(0)) await close();
});

/** A server that ends with the test. */
export async function served(bytes: Uint8Array, rule: Rule = {}, options: ServerOptions = {}): Promise<TestServer> {
  const server = await serve(bytes, { rule, ...options });
  opened.push(() => server.close());
  return server;
}

/** A source that ends with the test, and does not wait long before it tries again. */
export async function sourceAt(server: TestServer, options: UrlOptions = {}) {
  const source = await urlSource(server.url, { backoff: 1, ...options });
  opened.push(() => source.close());
  return source;
}

/** The code of the LoadError that something ends with. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await failureOf(promise);
  expect(error).toHaveProperty("name", "LoadError");
  return (error as LoadError).code;
}

export async function failureOf(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => {
      throw new Error("it did not fail");
    },
    (error) => error,
  );
}

/** Reads slices at once or one after the other, and demands that each has the bytes of the file. */
export async function readAll(
  source: ByteSource,
  file: Uint8Array,
  cuts: readonly number[],
  until?: number,
): Promise<void> {
  const pieces = cuts.slice(1).map((end, i) => source.slice(cuts[i], end, { until }));
  for (const [i, piece] of (await Promise.all(pieces)).entries())
    expectBytes(piece, file.subarray(cuts[i], cuts[i + 1]));
}

/** As toEqual, which takes long for large arrays. */
export function expectBytes(actual: Uint8Array, expected: Uint8Array): void {
  expect(Buffer.compare(actual, expected) === 0 ? "the same" : `${actual.length} other bytes`).toBe("the same");
}

/** Places in order from `start` to `end`, both among them. */
export function cutsOf(start: number, end: number, count: number, seed = 1): number[] {
  const next = random(seed);
  const inner = Array.from({ length: count }, () => start + Math.floor(next() * (end - start)));
  return [...new Set([start, ...inner, end])].sort((a, b) => a - b);
}

/** What each request has asked for. */
export function requestsOf(server: TestServer): string[] {
  return server.log.map(({ headers }) => headers.range ?? "all");
}
