import { type ByteSource, blobSource, bytesSource } from "../bytes.ts";
import { type OpenOptions, openSource, type QuernFile } from "../container/reader.ts";
import { argument } from "../errors.ts";

// Whatever holds a file, opened.

/** What `open` takes. */
export type OpenInput = ByteSource | Uint8Array | ArrayBuffer | Blob;

/**
 * Opens a .quern file: reads its prelude and header and checks both against the header's SHA-256.
 * @throws FormatError if the file is malformed, damaged, or needs a newer reader; LoadError if it cannot be had, or not within the budget
 */
export async function open(input: OpenInput, options: OpenOptions = {}): Promise<QuernFile> {
  return openSource(async () => sourceOf(input), options);
}

function sourceOf(input: OpenInput): ByteSource {
  if (input instanceof Uint8Array || input instanceof ArrayBuffer) return bytesSource(input);
  if (typeof Blob !== "undefined" && input instanceof Blob) return blobSource(input);
  const source = input as Partial<ByteSource> | null;
  const valid = typeof source?.slice === "function" && Number.isSafeInteger(source.byteLength);
  argument(
    valid,
    "input",
    "bytes, a Blob, or a ByteSource { byteLength, slice } (for a URL or a path make one)",
    input,
  );
  return source as ByteSource;
}
