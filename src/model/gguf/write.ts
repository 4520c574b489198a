import type { ByteSink } from "../../bytes.ts";
import { DataError } from "../../errors.ts";
import { type DType, isBlocks, type LazyTensor, type Model } from "../../tensor.ts";
import { appenderTo, tensorBytes, type WriteOptions } from "../pieces.ts";
import { recordOf } from "./record.ts";
import { encodeText } from "./text.ts";
import { ALIGNMENT, ALIGNMENT_KEY, aligned, isAlignment, TENSOR_TYPES } from "./types.ts";
import { type Writer, writeValue } from "./values.ts";

/** What ggml takes. */
const MAX_DIMENSIONS = 4;
/** The specification says 64 bytes; ggml counts the zero behind them. */
const MAX_NAME = 63;
/** The specification wants it where tensors are quantized; 2 is the version of the blocks of today. */
const QUANTIZATION_KEY = "general.quantization_version";
const TYPE_NUMBERS = new Map<DType, number>([...TENSOR_TYPES].map(([number, dtype]) => [dtype, number]));

/**
 * Writes a model as a GGUF file, a piece at a time, and closes the sink. Tensors keep their order and dtypes, metadata of a GGUF file their
 * types and order; other metadata become strings. The same model gives the same bytes.
 * @returns bytes written
 * @throws DataError for what GGUF cannot hold: other dtypes, longer names, more dimensions, metadata that are not what their types say
 */
export async function writeGguf(model: Model, sink: ByteSink, options: WriteOptions = {}): Promise<number> {
  const alignment = alignmentOf(model);
  const header = encodeHeader(model, alignment);
  const total = model.tensors.reduce((sum, tensor) => sum + aligned(tensorBytes(tensor), alignment), header.length);
  const out = appenderTo(sink, total, options);
  await out.append(header);
  for (const tensor of model.tensors) {
    await out.appendTensor(tensor);
    const padding = aligned(tensorBytes(tensor), alignment) - tensorBytes(tensor);
    await out.append(new Uint8Array(padding));
  }
  await sink.close();
  return total;
}

function alignmentOf({ metadata }: Model): number {
  const text = metadata?.[ALIGNMENT_KEY];
  if (text === undefined) return ALIGNMENT;
  if (!isAlignment(Number(text)))
    throw new DataError(`metadata "${ALIGNMENT_KEY}" should be a multiple of 8, but is ${text}`);
  return Number(text);
}

function encodeHeader(model: Model, alignment: number): Uint8Array {
  const { version, types } = recordOf(model);
  const values = { ...model.metadata };
  const keys = [...types];
  if (model.tensors.some(({ dtype }) => isBlocks(dtype)) && !Object.hasOwn(values, QUANTIZATION_KEY)) {
    keys.push([QUANTIZATION_KEY, "u32"]);
    values[QUANTIZATION_KEY] = "2";
  }
  const { writer, finish } = newWriter();
  writer.u32(0x46554747);
  writer.u32(version);
  writer.u64(model.tensors.length);
  writer.u64(keys.length);
  for (const [key, type] of keys) writeKey(writer, key, key === ALIGNMENT_KEY ? "u32" : type, values[key] as string);
  const names = new Set<string>();
  let offset = 0;
  for (const tensor of model.tensors) {
    if (names.has(tensor.name)) throw new DataError(`tensor "${tensor.name}" stands twice in the model`);
    names.add(tensor.name);
    writeInfo(writer, tensor, offset);
    offset += aligned(tensorBytes(tensor), alignment);
  }
  return finish(alignment);
}

function writeKey(writer: Writer, key: string, type: string, value: string): void {
  if (!/^[\x20-\x7e]{1,65535}$/.test(key)) {
    throw new DataError(`metadata key ${JSON.stringify(key.slice(0, 80))}: GGUF takes 1 to 65535 ASCII characters`);
  }
  writer.string(new TextEncoder().encode(key));
  try {
    writeValue(writer, `metadata "${key}"`, type, value);
  } catch (error) {
    throw error instanceof RangeError ? new DataError(error.message) : error;
  }
}

function writeInfo(writer: Writer, { name, dtype, shape }: LazyTensor, offset: number): void {
  const refuse = (what: string): DataError =>
    new DataError(`tensor ${JSON.stringify(name)} cannot be written as GGUF: ${what}`);
  const bytes = encodeText(name);
  if (!bytes || bytes.length > MAX_NAME) throw refuse(`its name has more than ${MAX_NAME} bytes`);
  if (shape.length > MAX_DIMENSIONS) throw refuse(`it has ${shape.length} dimensions, more than ${MAX_DIMENSIONS}`);
  const type = TYPE_NUMBERS.get(dtype);
  if (type === undefined) throw refuse(`GGUF has no type for ${dtype}`);
  writer.string(bytes);
  writer.u32(shape.length);
  for (const extent of [...shape].reverse()) writer.u64(extent);
  writer.u32(type);
  writer.u64(offset);
}

function newWriter() {
  let buffer = new Uint8Array(64 * 1024);
  let length = 0;
  const view = (bytes: number): DataView => {
    if (length + bytes > buffer.length) {
      const larger = new Uint8Array(Math.max(2 * buffer.length, length + bytes));
      larger.set(buffer);
      buffer = larger;
    }
    length += bytes;
    return new DataView(buffer.buffer, length - bytes, bytes);
  };
  const u64 = (value: number): void => view(8).setBigUint64(0, BigInt(value), true);
  const writer: Writer = {
    u32: (value) => view(4).setUint32(0, value, true),
    u64,
    view,
    string(bytes) {
      u64(bytes.length);
      view(bytes.length);
      buffer.set(bytes, length - bytes.length);
    },
  };
  // New bytes are zero, so the padding is.
  const finish = (alignment: number): Uint8Array => {
    view(aligned(length, alignment) - length);
    return buffer.subarray(0, length);
  };
  return { writer, finish };
}
