import { BinaryReader } from "@bufbuild/protobuf/wire";
import { type ByteSource, type Folder, readExactly } from "../../bytes.ts";
import { DataError, demand } from "../../errors.ts";
import { bytesOf, dtypeWidth, elementCount, type LazyTensor } from "../../tensor.ts";
import { externalPlace } from "./external.ts";
import type { Initializer, Range } from "./tensor.ts";
import { TENSOR } from "./types.ts";

// The elements of an initializer, from where it has them: raw_data, a typed field, or another file.

/**
 * Varints cannot be read by range, so a tensor of them is read whole. Tools write tensors as large as this as raw_data.
 */
const MAX_VARINTS = 64 * 1024 * 1024;

/** Where elements come from: the file, the files beside it, and the last tensor that had to be read whole. */
export interface Origin {
  readonly source: ByteSource;
  readonly sibling: (name: string) => Promise<ByteSource>;
  whole?: { readonly of: Initializer; readonly bytes: Uint8Array };
}

export function originOf(source: ByteSource, folder: Folder | undefined): Origin {
  const opened = new Map<string, Promise<ByteSource>>();
  return {
    source,
    sibling(name) {
      if (!folder) throw new DataError(`the model has data in the file "${name}" beside it: give its folder too`);
      const known = opened.get(name) ?? folder.open(name);
      opened.set(name, known);
      return known;
    },
  };
}

/** The tensor of an initializer; checks where its elements are against its shape. @throws FormatError, DataError */
export async function tensorOf(origin: Origin, initializer: Initializer): Promise<LazyTensor> {
  const { name, shape, type, raw, typed, external, start } = initializer;
  const { dtype } = type;
  const count = elementCount(shape);
  const bytes = bytesOf(dtype, count);
  const field = `data of initializer ${JSON.stringify(name.slice(0, 80))}`;
  const places = [raw, typed.length > 0, external].filter(Boolean).length;
  demand(places <= 1, "onnx-tensor", start, field, "in one place", `in ${places}`);
  if (external) {
    const [source, at] = await externalRange(origin, external, bytes, start, field);
    return { name, dtype, shape, read: readerOf(source, at, dtype) };
  }
  const sizes = (raw ? [raw] : typed).map(([from, to]) => to - from);
  const stored = sizes.reduce((sum, size) => sum + size, 0);
  const varints = !raw && (type.field === TENSOR.int32s || type.field === TENSOR.int64s);
  if (!varints) demand(stored === bytes, "onnx-tensor", start, field, `${bytes} bytes`, stored);
  else {
    demand(stored <= MAX_VARINTS, "limit", start, field, `at most ${MAX_VARINTS} bytes outside raw_data`, stored);
    demand(stored >= count && stored <= 10 * count, "onnx-tensor", start, field, `${count} varints`, `${stored} bytes`);
  }
  const [first] = raw ? [raw] : typed;
  if (!varints && sizes.length <= 1)
    return { name, dtype, shape, read: readerOf(origin.source, first?.[0] ?? 0, dtype) };
  const read = async (from: number, to: number): Promise<Uint8Array> =>
    (await whole(origin, initializer, varints)).slice(bytesOf(dtype, from), bytesOf(dtype, to));
  return { name, dtype, shape, read };
}

function readerOf(source: ByteSource, at: number, dtype: LazyTensor["dtype"]): LazyTensor["read"] {
  return (from, to) => readExactly(source, at + bytesOf(dtype, from), at + bytesOf(dtype, to));
}

async function externalRange(
  origin: Origin,
  external: ReadonlyMap<string, string>,
  bytes: number,
  at: number,
  field: string,
): Promise<[source: ByteSource, offset: number]> {
  const { location, offset } = externalPlace(external, bytes, at, field);
  const source = await origin.sibling(location);
  const room = source.byteLength - offset;
  demand(bytes <= room, "onnx-external", at, field, `${bytes} bytes at ${offset} of "${location}"`, Math.max(0, room));
  return [source, offset];
}

// The last one stays, because it is read in pieces.
async function whole(origin: Origin, initializer: Initializer, varints: boolean): Promise<Uint8Array> {
  if (origin.whole?.of === initializer) return origin.whole.bytes;
  const stored = await gather(origin.source, initializer.typed);
  const bytes = varints ? decodeVarints(stored, initializer) : stored;
  origin.whole = { of: initializer, bytes };
  return bytes;
}

async function gather(source: ByteSource, ranges: readonly Range[]): Promise<Uint8Array> {
  const out = new Uint8Array(ranges.reduce((sum, [start, end]) => sum + end - start, 0));
  let at = 0;
  for (const [start, end] of ranges) {
    out.set(await readExactly(source, start, end), at);
    at += end - start;
  }
  return out;
}

function decodeVarints(stored: Uint8Array, { name, shape, type, start }: Initializer): Uint8Array {
  const count = elementCount(shape);
  const out = new DataView(new ArrayBuffer(bytesOf(type.dtype, count)));
  const width = dtypeWidth(type.dtype);
  const field = `data of initializer ${JSON.stringify(name.slice(0, 80))}`;
  const check = (ok: boolean, expected: string, actual: string | number): void =>
    demand(ok, "onnx-tensor", start, field, expected, actual);
  const { least = -(2 ** 31), most = 2 ** 31 - 1 } = type;
  const reader = new BinaryReader(stored);
  for (let i = 0; i < count; i++) {
    // A varint that is cut short ends in bytes that are not there, and is found by its position.
    check(reader.pos < reader.len, `${count} values`, i);
    if (width === 8) {
      out.setBigInt64(8 * i, BigInt(varint(() => reader.int64(), check)), true);
      continue;
    }
    const value = varint(() => reader.int32(), check) as number;
    check(value >= least && value <= most, `${type.name} within ${least}..${most}`, value);
    if (width === 4) out.setInt32(4 * i, value, true);
    else if (width === 2) out.setUint16(2 * i, value & 0xffff, true);
    else out.setUint8(i, value & 0xff);
  }
  check(reader.pos === reader.len, `${count} values`, "more");
  return new Uint8Array(out.buffer);
}

function varint<T>(read: () => T, check: (ok: boolean, expected: string, actual: string) => void): T {
  try {
    return read();
  } catch (error) {
    check(false, "varints", (error as Error).message);
    throw error;
  }
}
