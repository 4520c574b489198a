// The bytes of a body, piece by piece.

/** Most bytes of a piece in memory that is used again. */
const ROOM = 64 * 1024;

/**
 * A reader of a body, and what gives its next piece, undefined at the end. Byte streams give no more than `most` bytes, in one of two rooms in
 * turn: new memory for every piece is garbage, which engines let pile up. So a piece may be used until the call after the next.
 */
export function readerOf(body: ReadableStream<Uint8Array>): {
  reader: ReadableStreamGenericReader;
  read(most: number): Promise<Uint8Array | undefined>;
} {
  try {
    const reader = body.getReader({ mode: "byob" });
    let [room, last] = [new ArrayBuffer(ROOM), new ArrayBuffer(ROOM)];
    const read = async (most: number) => {
      const { done, value } = await reader.read(new Uint8Array(room, 0, Math.max(1, Math.min(most, ROOM))));
      if (done) return undefined;
      [room, last] = [last, value.buffer];
      return value;
    };
    return { reader, read };
  } catch {
    // Not every body is a byte stream, nor has every engine such.
    const reader = body.getReader();
    return { reader, read: async () => (await reader.read()).value };
  }
}
