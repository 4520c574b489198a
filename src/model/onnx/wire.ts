import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { type ByteSource, readExactly } from "../../bytes.ts";
import { demand, FormatError } from "../../errors.ts";

// Fields of protobuf messages, found by reading tags and lengths only: values are skipped over until somebody wants them.

const WINDOW = 64 * 1024;
/** A tag and a length take at most five and ten bytes. */
const HEAD = 16;
/**
 * Fields that may be looked at in one file. A field has at least two bytes; the largest known graphs have some hundred thousand. It bounds
 * time, and with it whatever is kept of each field.
 */
const MAX_FIELDS = 2 ** 22;
/** Bytes of a name or of one text of the metadata; each is read whole. */
const MAX_TEXT = 16 * 1024 * 1024;

export interface Field {
  readonly number: number;
  readonly wire: WireType;
  /** Where its tag begins. */
  readonly at: number;
  /** Its value is [start, end); of a varint too. */
  readonly start: number;
  readonly end: number;
  /** Of a varint, as a signed number of 64 bits. */
  readonly value: bigint | null;
}

/** A file that is being looked through. */
export interface Walk {
  readonly source: ByteSource;
  /** Bytes [start, end) of the file, from a window that is read ahead. */
  bytes(start: number, end: number): Promise<Uint8Array>;
  /** Counts a field. @throws FormatError when there are too many */
  count(at: number): void;
}

export function walkOver(source: ByteSource): Walk {
  let window = new Uint8Array(0) as Uint8Array;
  let base = 0;
  let fields = 0;
  return {
    source,
    async bytes(start, end) {
      if (start < base || end > base + window.length) {
        window = await readExactly(source, start, Math.min(source.byteLength, Math.max(end, start + WINDOW)));
        base = start;
      }
      return window.subarray(start - base, end - base);
    },
    count(at) {
      demand(++fields <= MAX_FIELDS, "limit", at, "protobuf", `at most ${MAX_FIELDS} fields`, "more");
    },
  };
}

/** The fields of the message at [start, end), one after the other. @throws FormatError */
export async function* fieldsOf(walk: Walk, start: number, end: number): AsyncGenerator<Field> {
  for (let at = start; at < end; ) {
    walk.count(at);
    const field = parseField(await walk.bytes(at, Math.min(at + HEAD + 4, end)), at, end);
    yield field;
    at = field.end;
  }
}

function parseField(head: Uint8Array, at: number, limit: number): Field {
  try {
    const reader = new BinaryReader(head);
    const [number, wire] = reader.tag();
    const start = at + reader.pos;
    if (wire === WireType.Varint) {
      const value = BigInt(reader.int64());
      return { number, wire, at, start, end: at + reader.pos, value };
    }
    // As 64 bits: the library's 32 would wrap a length of 2^32 to nothing.
    const length = wire === WireType.LengthDelimited ? Number(reader.uint64()) : fixedLength(wire);
    const value = at + reader.pos;
    const actual = `${length} bytes from byte ${value} on`;
    demand(length <= limit - value, "protobuf", at, `field ${number}`, `to end by byte ${limit}`, actual);
    return { number, wire, at, start: value, end: value + length, value: null };
  } catch (error) {
    if (error instanceof FormatError) throw error;
    const problem = { code: "protobuf", offset: at, field: "protobuf field", expected: "a tag and a value" };
    throw new FormatError({ ...problem, actual: (error as Error).message });
  }
}

function fixedLength(wire: WireType): number {
  if (wire === WireType.Bit32) return 4;
  if (wire === WireType.Bit64) return 8;
  throw new Error("a group, which ONNX does not use");
}

/** Checks that a field is a message, text, bytes or a packed list. */
export function demandLength(field: Field, name: string): void {
  const ok = field.wire === WireType.LengthDelimited;
  demand(ok, "protobuf", field.at, name, "a length and bytes", `wire type ${field.wire}`);
}

/** The number in a field. @throws FormatError */
export function numberOf(field: Field, name: string): bigint {
  demand(field.value !== null, "protobuf", field.at, name, "a varint", `wire type ${field.wire}`);
  return field.value;
}

/** The text in a field, read whole. @throws FormatError */
export async function textOf(walk: Walk, field: Field, name: string): Promise<string> {
  demandLength(field, name);
  const length = field.end - field.start;
  demand(length <= MAX_TEXT, "limit", field.at, name, `at most ${MAX_TEXT} bytes`, length);
  const bytes = await walk.bytes(field.start, field.end);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new FormatError({
      code: "protobuf",
      offset: field.at,
      field: name,
      expected: "UTF-8 text",
      actual: "other bytes",
    });
  }
}
