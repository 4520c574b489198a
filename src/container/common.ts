import { commonElements, commonFloats, commonShape, isCommon } from "../codec/common.ts";
import { sure } from "../codec/sure.ts";
import type { Kernels } from "../kernels/arena.ts";
import type { ChunkEntry } from "./prelude.ts";
import type { DecodeKind, Gives, Span, Task } from "./tasks.ts";

// Tasks as most files have them. The second of two ways to do them, for small pages: what it gives is what tasks.ts gives.

/** Does a task, or gives null: then tasks.ts does it, or says what is wrong. */
export function commonTask<K extends DecodeKind>(kernels: Kernels, task: Task<K>): Gives<K> | null {
  const { kind, span } = task as Task<DecodeKind>;
  const given = task as unknown as Task<"floats">;
  try {
    sure(isCommon(span.layout));
    if (kind === "floats") return floats(kernels, span, given.into) as Gives<K>;
    if (kind === "elements" && !span.layout.coding)
      return commonElements(kernels, span.layout, storedChunk(kernels, span, 0)).slice() as Gives<K>;
  } catch {
    // No matter what: tasks.ts looks at all of it again.
  }
  return null;
}

// Puts a chunk of the span into the arena and checks its XXH64.
function storedChunk(kernels: Kernels, { layout, first, chunks, bytes }: Span, nth: number) {
  const { offset, bytes: size, code, xxh64 } = chunks[nth] as ChunkEntry;
  const shape = commonShape(layout, first + nth);
  const { stored, scratch } = kernels.arena(shape.room, "decode");
  const memory = kernels.bytes();
  const start = offset - (chunks[0] as ChunkEntry).offset;
  memory.set(bytes.subarray(start, start + size), stored);
  kernels.run.xxh64(stored, size, scratch);
  sure(xxh64.every((byte, i) => byte === memory[scratch + i]));
  return { shape, size, code };
}

function floats(kernels: Kernels, span: Span, into: Float32Array | null): Float32Array {
  const { layout, first, chunks } = span;
  const origin = first * layout.chunkElements;
  const out = into ?? new Float32Array(Math.min(chunks.length * layout.chunkElements, layout.elements - origin));
  chunks.forEach((_, nth) => {
    const chunk = storedChunk(kernels, span, nth);
    const { start, count } = chunk.shape;
    commonFloats(kernels, layout, chunk, out.subarray(start - origin, start - origin + count));
  });
  return out;
}
