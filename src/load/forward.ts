import { fileLength, LENGTH_BYTES } from "../container/length.ts";
import { argument, LoadError } from "../errors/base.ts";
import { onAbort } from "./abort.ts";
import { readerOf } from "./body.ts";
import { flow } from "./flow.ts";
import { bodyOf, checkResponse, lengthOf } from "./request.ts";
import type { OpenSource } from "./url.ts";
import { NONE } from "./window.ts";

export interface StreamOptions {
  /** Default: what the file says of its own length. */
  byteLength?: number | undefined;
  /** Ends the opening, or closes the source. */
  signal?: AbortSignal | undefined;
}

/**
 * The file that a stream brings. Slices must be asked for in the order of the file, without overlap; nothing is pulled while none waits.
 * @throws LoadError; FormatError if only the file itself could tell its length, but is no .quern file
 */
export async function streamSource(
  stream: ReadableStream<Uint8Array>,
  options: StreamOptions = {},
): Promise<OpenSource> {
  const { byteLength, signal } = options;
  signal?.throwIfAborted();
  const { reader, read } = readerOf(stream);
  let failure: unknown;
  const span = { start: 0, until: byteLength ?? Infinity };
  const line = flow(span, byteLength === undefined ? LENGTH_BYTES : 0, {
    async next(position, most) {
      try {
        return await read(most);
      } catch (error) {
        if (position === span.until) return undefined;
        throw new LoadError("network", `the stream broke at byte ${position}: ${(error as Error)?.message}`, error);
      }
    },
    learn(head) {
      if (head.length === LENGTH_BYTES) span.until = fileLength(head);
    },
    over(error) {
      failure = error;
      off();
      reader.cancel(error).catch(() => {});
    },
  });
  const off = onAbort(signal, () => line.stop(signal?.reason));
  if (byteLength === undefined) await line.take(0, LENGTH_BYTES, {});
  let reached = 0;
  return {
    byteLength: span.until,
    async slice(start, end, { signal, onBytes, room } = {}) {
      if (failure) throw failure;
      argument(start >= 0 && start <= end && end <= span.until, "range", `within 0..${span.until}`, end);
      signal?.throwIfAborted();
      if (start === end) return NONE;
      if (start < reached) {
        const message = `a stream has passed byte ${start} and is at ${reached}: read in the order of the file, or open its URL`;
        throw new LoadError("forward", message);
      }
      reached = end;
      return line.take(start, end, { signal, onBytes, room });
    },
    close: () => line.stop(new LoadError("closed", "this source was closed")),
  };
}

/** The file that an answer of fetch brings, as streamSource. @throws LoadError if the answer is not a whole file */
export async function responseSource(response: Response, options: StreamOptions = {}): Promise<OpenSource> {
  const name = response.url || "response";
  checkResponse(response, name);
  return streamSource(bodyOf(response, name), { byteLength: lengthOf(response), ...options });
}
