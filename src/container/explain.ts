import { explainChunk, type StreamReport } from "../codec/explain.ts";
import { chunkShape } from "../codec/layout.ts";
import { argument } from "../errors.ts";
import type { Reader } from "./chunks.ts";
import { checkChunk, findChunk, readSpan } from "./chunks.ts";

/** What the streams of chunk `index` of the file are and cost. @throws FormatError; RangeError where the kernels only decode */
export async function explainAt(reader: Reader, index: number): Promise<readonly StreamReport[]> {
  const { kernels } = reader;
  argument("blockSteps" in kernels.run, "kernels", "some that encode: they know what decoding costs", kernels.tier);
  await checkChunk(reader, index, undefined);
  const entry = findChunk(reader, index);
  const first = index - entry.firstChunk;
  const { bytes, chunks } = await readSpan(reader, entry, first, 1, undefined);
  const { stored } = kernels.arena(chunkShape(entry.layout, first).room, "decode");
  kernels.bytes().set(bytes, stored);
  const place = { offset: chunks[0]?.offset ?? 0, field: `chunk ${index}` };
  return explainChunk(kernels, entry.layout, first, bytes.length, place);
}
