import type { SliceOptions } from "../bytes.ts";
import { argument } from "../errors.ts";
import { decodeSpan, type Reader, readSpan } from "./chunks.ts";
import { rangeOf } from "./pieces.ts";
import type { Section } from "./sections.ts";
import type { Span } from "./tasks.ts";

// Chunks by their number in the file.

/** How a chunk is checked. */
export interface CheckOptions {
  signal?: AbortSignal | undefined;
  /** The caller goes on, in order, to the chunk of this index: they may be fetched with one request. */
  last?: number | undefined;
}

/** Fetches chunk `index` of the file, checks both checksums and that it decodes. Returns its stored bytes. */
export async function checkChunk(reader: Reader, index: number, { signal, last }: CheckOptions): Promise<number> {
  const until = last !== undefined && last > index ? rangeOf(reader.header, last, 1).end : undefined;
  const { span, section } = await readChunk(reader, index, { signal, until });
  return decodeSpan(
    reader,
    section,
    span,
    (bytes) => ({ kind: "check", span: bytes }),
    signal,
    (bytes) => bytes,
  );
}

/** Fetches chunk `index` of the file. @throws RangeError if there is none */
export async function readChunk(
  reader: Reader,
  index: number,
  options: SliceOptions = {},
): Promise<{ span: Span; section: Section }> {
  const { sections, prelude } = reader.header;
  const inside = Number.isInteger(index) && index >= 0 && index < prelude.chunks;
  argument(inside, "index", "a chunk of the file", index);
  // The last section that begins at or before the chunk. One without chunks begins where the next does.
  let [least, beyond] = [0, sections.length];
  while (beyond - least > 1) {
    const middle = (least + beyond) >> 1;
    if ((sections[middle] as Section).firstChunk <= index) least = middle;
    else beyond = middle;
  }
  const section = sections[least] as Section;
  return { section, span: await readSpan(reader, section, index - section.firstChunk, 1, options) };
}
