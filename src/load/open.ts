import { blobSource, bytesSource, type ClosableSource } from "../bytes.ts";
import { openSource, type QuernFile, type OpenOptions as ReadOptions } from "../container/reader.ts";
import { argument } from "../errors/base.ts";
import { responseSource, streamSource } from "./forward.ts";
import { type UrlOptions, urlSource } from "./url.ts";

// Whatever holds a file, opened.

/**
 * What `open` takes: an address, what fetch answered, a stream (both are read forward only), a Blob or File, the handle of a file in the browser's
 * own file system, bytes, or anything with `byteLength` and `slice`.
 */
export type OpenInput =
  | string
  | URL
  | Response
  | ReadableStream<Uint8Array>
  | Blob
  | FileSystemFileHandle
  | Uint8Array
  | ArrayBuffer
  | ClosableSource;

export interface OpenOptions extends ReadOptions {
  /** How an address is asked for: headers, the caller's own `fetch`, tries. */
  request?: Omit<UrlOptions, "signal"> | undefined;
}

/**
 * Opens a .quern file: reads its prelude and header and checks both against the header's SHA-256.
 * @throws FormatError if the file is malformed, damaged, or needs a newer reader; LoadError if it cannot be had, or not within the budget; the
 * signal's reason
 */
export async function open(input: OpenInput, options: OpenOptions = {}): Promise<QuernFile> {
  return openSource((byteLength) => sourceOf(input, options, byteLength), options);
}

async function sourceOf(
  input: OpenInput,
  { request, signal }: OpenOptions,
  byteLength?: number,
): Promise<ClosableSource> {
  if (input instanceof Uint8Array || input instanceof ArrayBuffer) return bytesSource(input);
  const source = input as Partial<ClosableSource> | null;
  const valid = typeof source?.slice === "function" && Number.isSafeInteger(source.byteLength);
  // First of all: to touch the class Response ends Node 20 and 22 where WebAssembly is switched off.
  if (valid) return source as ClosableSource;
  // Not every engine has each of these classes.
  if (typeof input === "string" || isA("URL", input))
    return urlSource(input as string | URL, { ...request, signal }, byteLength);
  if (isA("Blob", input)) return blobSource(input as Blob);
  if (isA("Response", input)) return responseSource(input as Response, { signal });
  if (isA("ReadableStream", input)) return streamSource(input as ReadableStream<Uint8Array>, { signal });
  if ("getFile" in Object(input)) return blobSource(await (input as FileSystemFileHandle).getFile());
  argument(
    false,
    "input",
    "a URL, Response, stream, Blob, bytes, or { byteLength, slice } (for a path, fileSource makes one)",
    input,
  );
}

function isA(name: "URL" | "Blob" | "Response" | "ReadableStream", input: unknown): boolean {
  const known: unknown = globalThis[name];
  return typeof known === "function" && input instanceof known;
}
