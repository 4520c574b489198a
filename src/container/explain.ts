import { explainChunk, type StreamReport } from "../codec/explain.ts";
import { chunkShape } from "../codec/layout.ts";
import { argument } from "../errors.ts";
import { readChunk } from "./check.ts";
import type { Reader } from "./chunks.ts";
import { allKernels } from "./rare.ts";
import { perform } from "./workers.ts";

/** What the streams of chunk `index` of the file are and cost. @throws FormatError; RangeError where the kernels only decode */
export async function explainAt(reader: Reader, index: number): Promise<readonly StreamReport[]> {
  const kernels = await allKernels(reader.kernels);
  argument("blockSteps" in kernels.run, "kernels", "some that encode: they know what decoding costs", kernels.tier);
  const { span } = await readChunk(reader, index);
  await perform(reader, { kind: "check", span }, undefined, (size) => size);
  const { layout, first, chunks, bytes } = span;
  const { stored } = kernels.arena(chunkShape(layout, first).room, "decode");
  kernels.bytes().set(bytes, stored);
  const place = { offset: chunks[0]?.offset ?? 0, field: `chunk ${index}` };
  return explainChunk(kernels, layout, first, bytes.length, place);
}
