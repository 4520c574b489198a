// The bytes of a body, piece by piece.

/** Most bytes that a piece has in memory that is used again. */
const ROOM = 64 * 1024;

export interface Pieces {
  /** The next piece, of at most so many bytes where the body can be asked for that; undefined at the end. The call after the next reuses its memory. */
  read(most: number): Promise<Uint8Array | undefined>;
  cancel(reason?: unknown): Promise<void>;
}

/** Reads into the same two rooms in turn, as what is new with every piece is garbage; a body that is no byte stream brings memory of its own. */
export function piecesOf(body: ReadableStream<Uint8Array>): Pieces {
  const cancel = (reason: unknown) => reader.cancel(reason);
  let reader: ReadableStreamBYOBReader | ReadableStreamDefaultReader<Uint8Array>;
  try {
    const byob = body.getReader({ mode: "byob" });
    reader = byob;
    let [room, last] = [new ArrayBuffer(ROOM), new ArrayBuffer(ROOM)];
    const read = async (most: number) => {
      const { done, value } = await byob.read(new Uint8Array(room, 0, Math.max(1, Math.min(most, ROOM))));
      if (value) [room, last] = [last, value.buffer as ArrayBuffer];
      return done ? undefined : value;
    };
    return { read, cancel };
  } catch {
    const plain = body.getReader();
    reader = plain;
    return { read: async () => (await plain.read()).value, cancel };
  }
}
