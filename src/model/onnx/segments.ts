import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type ByteSource, readExactly } from "../../bytes.ts";
import { DataError } from "../../errors.ts";
import type { LazyTensor } from "../../tensor.ts";
import { type Appender, tensorBytes } from "../pieces.ts";

// A file to be written, as data: what is copied from the original and what is new. Lengths come before contents in protobuf, so
// all of it is known before the first byte is written.

export type Segment =
  | { readonly copy: readonly [start: number, end: number] }
  | { readonly bytes: Uint8Array }
  | { readonly tensor: LazyTensor }
  | { readonly size: number; readonly load: () => Promise<Uint8Array> };

const COPY_BYTES = 1024 * 1024;
/** Protobuf's own limit. */
const MAX_MESSAGE = 2 ** 31 - 1;

export function sizeOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, segment) => sum + segmentSize(segment), 0);
}

function segmentSize(segment: Segment): number {
  if ("copy" in segment) return segment.copy[1] - segment.copy[0];
  if ("bytes" in segment) return segment.bytes.length;
  return "tensor" in segment ? tensorBytes(segment.tensor) : segment.size;
}

/** A field with a length, and these contents. @throws DataError if they are larger than a message may be */
export function field(number: number, contents: readonly Segment[]): Segment[] {
  const size = sizeOf(contents);
  if (size > MAX_MESSAGE) throw new DataError(`the ONNX file would have ${size} bytes, and protobuf ends at 2 GiB`);
  const head = new BinaryWriter().tag(number, WireType.LengthDelimited).uint32(size).finish();
  return [{ bytes: head }, ...contents];
}

/** Writes segments one after the other, in pieces. */
export async function writeSegments(source: ByteSource, segments: readonly Segment[], out: Appender): Promise<void> {
  for (const segment of segments) {
    if ("copy" in segment) await copy(source, segment.copy, out);
    else if ("bytes" in segment) await out.append(segment.bytes);
    else if ("tensor" in segment) await out.appendTensor(segment.tensor);
    else await out.append(await segment.load());
  }
}

async function copy(source: ByteSource, [start, end]: readonly [number, number], out: Appender): Promise<void> {
  for (let at = start; at < end; at += COPY_BYTES) {
    await out.append(await readExactly(source, at, Math.min(at + COPY_BYTES, end)));
  }
}
