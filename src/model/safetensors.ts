import { type ByteSink, type ByteSource, readExactly } from "../bytes.ts";
import { argument, DataError, demand, FormatError, printed } from "../errors.ts";
import {
  dtypeWidth,
  elementCount,
  isBlocks,
  isDType,
  type LazyTensor,
  type Model,
  type TensorInfo,
} from "../tensor.ts";
import { parseObject } from "./json.ts";
import { appenderTo, tensorBytes, type WriteOptions } from "./pieces.ts";

// The safetensors format as published by Hugging Face (huggingface/safetensors, README "Format"): u64 header length,
// JSON header, tensor bytes without holes.

/** The published limit; a header is parsed whole, so a longer one is refused before it is read. */
const MAX_HEADER = 100_000_000;

interface Place {
  readonly info: TensorInfo;
  readonly start: number;
  readonly end: number;
}

/**
 * Reads the header of a safetensors file; elements are read when asked for. Tensors come in the order of their bytes.
 * @throws FormatError
 */
export async function readSafetensors(source: ByteSource): Promise<Model> {
  demand(source.byteLength >= 8, "truncated", 0, "header length", "8 bytes", source.byteLength);
  const head = await readExactly(source, 0, 8);
  const view = new DataView(head.buffer, head.byteOffset, 8);
  const length = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
  const most = Math.min(MAX_HEADER, source.byteLength - 8);
  demand(length <= most, "header-length", 0, "header length", `at most ${most}`, length);
  const json = parseHeader(await readExactly(source, 8, 8 + length));
  const { __metadata__: metadata, ...rest } = json;
  const places = Object.entries(rest).map(([name, value]) => placeOf(name, value));
  places.sort((a, b) => a.start - b.start || a.end - b.end);
  checkCover(places, source.byteLength - 8 - length);
  const base = 8 + length;
  return { metadata: metadataOf(metadata), tensors: places.map((place) => tensorAt(source, base, place)) };
}

function tensorAt(source: ByteSource, base: number, { info, start }: Place): LazyTensor {
  const width = dtypeWidth(info.dtype);
  const at = base + start;
  return { ...info, read: (first, end) => readExactly(source, at + first * width, at + end * width) };
}

function bad(field: string, expected: string, actual: string): FormatError {
  return new FormatError({ code: "safetensors-header", offset: 8, field, expected, actual });
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  return parseObject(bytes, bad, (depth) => (depth === 1 ? "tensor names" : "keys of a tensor")).value;
}

function metadataOf(value: unknown): Record<string, string> | null {
  if (value === undefined) return null;
  const valid = typeof value === "object" && value !== null && !Array.isArray(value);
  if (!valid || !Object.values(value).every((item) => typeof item === "string")) {
    throw bad("__metadata__", "text by key", printed(value));
  }
  return value as Record<string, string>;
}

function placeOf(name: string, value: unknown): Place {
  const field = `tensor ${JSON.stringify(name)}`;
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  if (!isDType(dtype) || isBlocks(dtype))
    throw bad(`dtype of ${field}`, "F64 F32 F16 BF16 I64 I32 I16 I8 U8 or BOOL", printed(dtype));
  if (!isCounts(shape)) throw bad(`shape of ${field}`, "whole numbers", printed(shape));
  if (!isCounts(offsets) || offsets.length !== 2)
    throw bad(`data_offsets of ${field}`, "[start, end]", printed(offsets));
  const [start, end] = offsets as [number, number];
  let bytes: number;
  try {
    bytes = elementCount(shape) * dtypeWidth(dtype);
  } catch (error) {
    throw bad(`shape of ${field}`, "a countable number of elements", (error as Error).message);
  }
  if (end - start !== bytes) throw bad(`data_offsets of ${field}`, `${bytes} bytes`, `${end - start}`);
  return { info: { name, dtype, shape }, start, end };
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

// The tensors, by position, must cover the data exactly: no hole, no overlap, nothing behind the last.
function checkCover(places: readonly Place[], length: number): void {
  let at = 0;
  for (const { info, start, end } of places) {
    const field = `data_offsets of tensor ${JSON.stringify(info.name)}`;
    if (start !== at) throw bad(field, `a start at ${at}, where the tensor before ends`, String(start));
    at = end;
  }
  if (at !== length) throw bad("tensors", `to end with the file, at ${length}`, String(at));
}

/** Bytes of a safetensors header: length, JSON, spaces up to a multiple of 8. */
function encodeHeader(model: Model): Uint8Array {
  const header: Record<string, unknown> = {};
  if (model.metadata) header.__metadata__ = model.metadata;
  let at = 0;
  for (const { name, dtype, shape } of model.tensors) {
    if (isBlocks(dtype))
      throw new DataError(
        `tensor "${name}": safetensors has no ${dtype}: write it as f32 (unpack --as f32), or as GGUF (--to gguf)`,
      );
    const end = at + elementCount(shape) * dtypeWidth(dtype);
    const free = name !== "__metadata__" && !Object.hasOwn(header, name);
    argument(free, "model", "unique tensor names other than __metadata__", name);
    Object.defineProperty(header, name, { value: { dtype, shape, data_offsets: [at, end] }, enumerable: true });
    at = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  bytes.set(json, 8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length - 8, true);
  view.setUint32(4, 0, true);
  return bytes;
}

/**
 * Writes a model as a safetensors file, a piece at a time, and closes the sink. Tensors keep their order; the same model
 * gives the same bytes.
 * @returns bytes written
 * @throws DataError for dtypes of blocks, which safetensors does not have
 */
export async function writeSafetensors(model: Model, sink: ByteSink, options: WriteOptions = {}): Promise<number> {
  const header = encodeHeader(model);
  const total = model.tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), header.length);
  const out = appenderTo(sink, total, options);
  await out.append(header);
  for (const tensor of model.tensors) await out.appendTensor(tensor);
  await sink.close();
  return total;
}
