import { type ByteSource, readExactly } from "../../bytes.ts";
import { demand, FormatError } from "../../errors.ts";
import {
  BLOCK_ELEMENTS,
  bytesOf,
  elementCount,
  isBlocks,
  type LazyTensor,
  type Model,
  type TensorInfo,
} from "../../tensor.ts";
import { type Cursor, cursorOver, MAX_HEADER, WindowTooSmall } from "./cursor.ts";
import { GGUF_KEY, printRecord } from "./record.ts";
import { ALIGNMENT, ALIGNMENT_KEY, aligned, isAlignment, MAX_ALIGNMENT, otherType, TENSOR_TYPES } from "./types.ts";
import { MAX_VALUES, readValue } from "./values.ts";

// The GGUF format, versions 2 and 3, little endian: ggml-org/ggml, docs/gguf.md.

/** Most headers fit; the window doubles until the header does. */
const FIRST_WINDOW = 64 * 1024;
/** The largest known models have some thousand tensors. */
const MAX_TENSORS = 2 ** 17;
/** Known files have below a hundred keys. */
const MAX_KEYS = 2 ** 16;
/** What a .quern file takes; ggml takes 4. */
const MAX_DIMENSIONS = 16;
/** ggml takes 63 bytes; other writers are less strict. */
const MAX_NAME = 1024;
const MAGIC = 0x46554747;
// Length, type and a value of one byte; length, dimension count, type and offset.
const LEAST_KEY_BYTES = 13;
const LEAST_INFO_BYTES = 24;

interface Header {
  readonly metadata: Record<string, string>;
  readonly tensors: readonly { readonly info: TensorInfo; readonly start: number }[];
}

/**
 * Reads the header of a GGUF file, in a window that grows; elements are read when asked for. Tensors come in the file's order, shapes
 * outermost first. Metadata values are text; their types and order are in one value more, under "GGUF" (docs/FORMAT.md).
 * @throws FormatError
 */
export async function readGguf(source: ByteSource): Promise<Model> {
  const { metadata, tensors } = await growing(source, (cursor) => parseHeader(cursor, source.byteLength));
  return { metadata, tensors: tensors.map(({ info, start }) => tensorAt(source, info, start)) };
}

function tensorAt(source: ByteSource, info: TensorInfo, start: number): LazyTensor {
  const at = (element: number): number => start + bytesOf(info.dtype, element);
  return { ...info, read: (first, end) => readExactly(source, at(first), at(end)) };
}

// Parses from the beginning again with every larger window, which in sum is twice the work.
async function growing<T>(source: ByteSource, parse: (cursor: Cursor) => T): Promise<T> {
  for (let size = FIRST_WINDOW; ; ) {
    const window = await readExactly(source, 0, Math.min(size, source.byteLength));
    try {
      return parse(cursorOver(window, source.byteLength));
    } catch (error) {
      if (!(error instanceof WindowTooSmall)) throw error;
      size = Math.min(Math.max(2 * size, error.bytes), MAX_HEADER);
    }
  }
}

function parseHeader(cursor: Cursor, fileBytes: number): Header {
  const magic = cursor.u32("magic");
  demand(magic === MAGIC, "magic", 0, "magic", "GGUF", hex32(magic));
  const version = cursor.u32("version");
  const little = version !== 0x2000000 && version !== 0x3000000;
  demand(little, "version", 4, "byte order", "little endian", "big endian");
  demand(version === 2 || version === 3, "version", 4, "version", "2 or 3", version);
  const tensorCount = cursor.count("tensor count", MAX_TENSORS);
  const keyCount = cursor.count("metadata count", MAX_KEYS);
  const { alignment, metadata } = readMetadata(cursor, version, keyCount);
  const infos = readInfos(cursor, tensorCount);
  return { metadata, tensors: placed(infos, aligned(cursor.at(), alignment), alignment, fileBytes) };
}

function hex32(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}

function readMetadata(cursor: Cursor, version: number, count: number) {
  cursor.need(count * LEAST_KEY_BYTES, "metadata");
  const entries = new Map<string, string>();
  const types: [key: string, type: string][] = [];
  const budget = { values: MAX_VALUES };
  let alignment = ALIGNMENT;
  for (let i = 0; i < count; i++) {
    const at = cursor.at();
    const key = cursor.string("metadata key");
    const printed = JSON.stringify(key.slice(0, 80));
    const valid = /^[\x20-\x7e]{1,65535}$/.test(key) && key !== GGUF_KEY;
    demand(valid, "gguf-key", at, "metadata key", `1 to 65535 ASCII characters, not "${GGUF_KEY}"`, printed);
    demand(!entries.has(key), "duplicate", at, "metadata keys", "each only once", printed);
    const { type, text } = readValue(cursor, budget, `value of ${printed}`);
    entries.set(key, text);
    types.push([key, type]);
    if (key === ALIGNMENT_KEY) alignment = parseAlignment(type, text, at);
  }
  entries.set(GGUF_KEY, printRecord({ version, types }));
  return { alignment, metadata: Object.fromEntries(entries) };
}

function parseAlignment(type: string, text: string, at: number): number {
  const valid = type === "u32" && isAlignment(Number(text));
  demand(
    valid,
    "gguf-alignment",
    at,
    ALIGNMENT_KEY,
    `a u32, multiple of 8, at most ${MAX_ALIGNMENT}`,
    `${type} ${text}`,
  );
  return Number(text);
}

interface Info {
  readonly info: TensorInfo;
  readonly offset: number;
  /** Of the entry in the header. */
  readonly at: number;
}

function readInfos(cursor: Cursor, count: number): Info[] {
  cursor.need(count * LEAST_INFO_BYTES, "tensor infos");
  const names = new Set<string>();
  return Array.from({ length: count }, () => {
    const entry = readInfo(cursor);
    const { name } = entry.info;
    demand(!names.has(name), "duplicate", entry.at, "tensor names", "each only once", JSON.stringify(name));
    names.add(name);
    return entry;
  });
}

function readInfo(cursor: Cursor): Info {
  const at = cursor.at();
  const name = cursor.string("tensor name");
  const printed = JSON.stringify(name.slice(0, 80));
  const valid = name.length <= MAX_NAME && !/[\ud800-\udfff]/.test(name.replace(/[\ud800-\udbff][\udc00-\udfff]/g, ""));
  demand(valid, "gguf-name", at, "tensor name", `UTF-8 text of at most ${MAX_NAME} characters`, printed);
  const check = (ok: boolean, what: string, expected: string, actual: string | number): void =>
    demand(ok, "gguf-tensor", at, `${what} of tensor ${printed}`, expected, actual);
  const rank = cursor.u32(`dimension count of tensor ${printed}`);
  check(rank <= MAX_DIMENSIONS, "dimension count", `at most ${MAX_DIMENSIONS}`, rank);
  const innermostFirst = Array.from({ length: rank }, () => cursor.count(`shape of tensor ${printed}`, 2 ** 53 - 1));
  const type = cursor.u32(`type of tensor ${printed}`);
  const dtype = TENSOR_TYPES.get(type);
  if (!dtype) throw new FormatError(unknownType(at, printed, type));
  const row = innermostFirst[0] ?? 1;
  check(!isBlocks(dtype) || row % BLOCK_ELEMENTS === 0, "row", `a multiple of ${BLOCK_ELEMENTS} elements`, row);
  const shape = innermostFirst.reverse();
  const elements = shape.reduce((product, extent) => product * Math.max(extent, 1), 1);
  check(elements * 8 <= Number.MAX_SAFE_INTEGER, "shape", "a countable number of bytes", shape.join(" x "));
  return { info: { name, dtype, shape }, offset: cursor.count(`offset of tensor ${printed}`, 2 ** 53 - 1), at };
}

function unknownType(offset: number, name: string, type: number) {
  const expected = `one of ${[...TENSOR_TYPES.values()].join(" ")}`;
  return { code: "gguf-dtype", offset, field: `type of tensor ${name}`, expected, actual: otherType(type) };
}

// As ggml demands: every tensor begins where the one before ends, at the next multiple of the alignment.
function placed(infos: readonly Info[], base: number, alignment: number, fileBytes: number): Header["tensors"] {
  let next = 0;
  return infos.map(({ info, offset, at }) => {
    const field = `offset of tensor ${JSON.stringify(info.name)}`;
    demand(offset === next, "gguf-offset", at, field, `${next}, behind the tensor before`, offset);
    const start = base + offset;
    const bytes = bytesOf(info.dtype, elementCount(info.shape));
    const left = Math.max(0, fileBytes - start);
    demand(bytes <= left, "truncated", at, field, `${bytes} bytes from byte ${start} on`, left);
    next = aligned(offset + bytes, alignment);
    return { info, start };
  });
}
