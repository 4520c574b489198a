import type { QuernFile } from "./reader.ts";

export interface VerifyOptions {
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** What was verified. Bytes are stored bytes, the header included. */
export interface VerifyReport {
  readonly chunks: number;
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Reads a whole file: every chunk's XXH64 and SHA-256, and that it decodes. The header was checked by open.
 * @throws FormatError at the first thing that is wrong
 */
export async function verify(file: QuernFile, options: VerifyOptions = {}): Promise<VerifyReport> {
  const { chunks, header, file: total } = file.totals;
  let bytes = header;
  for (let index = 0; index < chunks; index++) {
    options.signal?.throwIfAborted();
    bytes += await file.check(index);
    options.onProgress?.({ done: bytes, total });
  }
  return { chunks, bytes, sha256: file.sha256 };
}
