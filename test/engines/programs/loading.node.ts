import { get } from "node:http";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { fileSource } from "../../../src/node.ts";
import type { LoadTask } from "../model.ts";
import { bytesOfHex } from "./fnv.ts";
import { byUrl, damaged, emptyReport, whole } from "./loading.ts";

// For Node, Bun and Deno: loads from addresses, bytes and files, as far as it is told, and prints what came of it.

declare const TASK: LoadTask;

const report = emptyReport();
const { base, bytes, broken, path, ways } = TASK;
// The fetch of Node is WebAssembly inside, and where it is missing, Node 20 does not even survive a look at the class Response.
const own = typeof WebAssembly === "undefined" ? (httpFetch as unknown as typeof fetch) : undefined;
if (base) await byUrl(report, base, { request: { fetch: own } }, ways);
if (bytes) await whole(report, "bytes", bytesOfHex(bytes), {});
if (broken) await damaged(report, "bytes", bytesOfHex(broken), {});
if (path) await whole(report, "file", await fileSource(path), {});
console.log(JSON.stringify(report));

/** As fetch, as far as it is needed: what it gives is like a Response, but none. */
function httpFetch(
  url: string,
  { headers = {}, signal }: { headers?: Record<string, string>; signal?: AbortSignal } = {},
) {
  return new Promise((resolve, reject) => {
    const request = get(url, { headers, ...(signal && { signal }) }, (answer) => {
      const { statusCode: status = 0, statusMessage: statusText = "", headers } = answer;
      const body = Readable.toWeb(answer) as ReadableStream<Uint8Array>;
      resolve({ status, statusText, headers: { get: (name: string) => headers[name.toLowerCase()] ?? null }, body });
    });
    request.on("error", reject);
  });
}
