import type { ByteSink } from "../bytes.ts";
import { BLOCK_ELEMENTS, bytesOf, elementCount, type LazyTensor, readElements } from "../tensor.ts";

/** What every writer of a foreign format takes. */
export interface WriteOptions {
  /** After every piece; bytes of the file. */
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
  /** Stops before the next piece; the writer then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

const PIECE_BYTES = 1024 * 1024;

/** Bytes of a whole tensor. */
export function tensorBytes({ dtype, shape }: LazyTensor): number {
  return bytesOf(dtype, elementCount(shape));
}

/** Elements of a tensor in pieces of at most 1 MiB. @throws DataError if a piece is short, the signal's reason */
export async function* pieces(tensor: LazyTensor, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const count = elementCount(tensor.shape);
  const step = BLOCK_ELEMENTS * Math.floor(PIECE_BYTES / bytesOf(tensor.dtype, BLOCK_ELEMENTS));
  for (let start = 0; start < count; start += step) {
    signal?.throwIfAborted();
    yield await readElements(tensor, start, Math.min(start + step, count));
  }
}

/** A sink that is written from front to back. */
export interface Appender {
  /** Bytes written so far. */
  readonly done: () => number;
  append(bytes: Uint8Array): Promise<void>;
  appendTensor(tensor: LazyTensor): Promise<void>;
}

/** @param total - bytes of the whole file, for onProgress */
export function appenderTo(sink: ByteSink, total: number, { onProgress, signal }: WriteOptions): Appender {
  let done = 0;
  const append = async (bytes: Uint8Array): Promise<void> => {
    if (bytes.length > 0) await sink.write(bytes, done);
    done += bytes.length;
  };
  return {
    done: () => done,
    append,
    async appendTensor(tensor) {
      for await (const bytes of pieces(tensor, signal)) {
        await append(bytes);
        onProgress?.({ done, total });
      }
    },
  };
}
