import { inOrder } from "./order.ts";
import type { QuernFile } from "./reader.ts";
import { tasksAhead } from "./workers.ts";

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
  const indexes = Array(chunks).keys();
  const sizes = inOrder(indexes, tasksAhead(file.threads), options.signal, (index, signal) =>
    file.check(index, { signal, last: chunks - 1 }),
  );
  for await (const size of sizes) {
    bytes += size;
    options.onProgress?.({ done: bytes, total });
  }
  return { chunks, bytes, sha256: file.sha256 };
}
