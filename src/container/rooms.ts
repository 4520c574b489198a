// Memory of chunks on their way, used again: what one reader fills again and again is no garbage, which the engine lets pile up.

export function roomsForChunks() {
  const own = new WeakSet<ArrayBufferLike>();
  const free: Uint8Array[] = [];
  return {
    take(size: number): Uint8Array {
      // One that is too small goes: soon all are as large as the largest chunk.
      let room = free.pop();
      if (!room || room.length < size) {
        room = new Uint8Array(size);
        own.add(room.buffer);
      }
      return room.subarray(0, size);
    },
    /** Takes back what is not needed any more; sources may have given memory of their own. */
    give({ buffer }: Uint8Array): void {
      if (own.has(buffer)) free.push(new Uint8Array(buffer));
    },
  };
}
