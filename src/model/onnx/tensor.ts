import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { demand, FormatError } from "../../errors.ts";
import { DATA_TYPES, type DataType, ENTRY, otherType, TENSOR } from "./types.ts";
import { demandLength, type Field, fieldsOf, numberOf, textOf, type Walk } from "./wire.ts";

// What one initializer says of itself: a TensorProto of onnx/onnx.proto.

/** What a .quern file takes. */
const MAX_DIMENSIONS = 16;
/** How values of the typed fields lie where they are not packed. Packed they always have a length. */
const SINGLE = new Map<number, WireType>([
  [TENSOR.floats, WireType.Bit32],
  [TENSOR.doubles, WireType.Bit64],
  [TENSOR.int32s, WireType.Varint],
  [TENSOR.int64s, WireType.Varint],
  [TENSOR.uint64s, WireType.Varint],
  [TENSOR.strings, WireType.LengthDelimited],
]);

export type Range = readonly [start: number, end: number];

/** A tensor as it lies in the file: no elements, only where they are. */
export interface Initializer {
  readonly name: string;
  /** Of its field in the graph. */
  readonly at: number;
  /** Of the message. */
  readonly start: number;
  readonly end: number;
  readonly shape: readonly number[];
  readonly type: DataType;
  readonly raw: Range | null;
  /** Values in the typed field: pieces of a packed list, or single ones. */
  readonly typed: readonly Range[];
  /** Where the elements lie outside the file: location, offset, length. */
  readonly external: ReadonlyMap<string, string> | null;
}

/** Reads the TensorProto in a field. @throws FormatError */
export async function parseInitializer(walk: Walk, { at: place, start, end }: Field): Promise<Initializer> {
  const single = new Map<number, Field>();
  const typed = new Map<number, Range[]>();
  const external = new Map<string, string>();
  const dims: bigint[] = [];
  for await (const field of fieldsOf(walk, start, end)) {
    const { number, at } = field;
    if (number === TENSOR.dims) await addDims(walk, field, dims);
    else if (number === TENSOR.external) await addEntry(walk, field, external, "external_data");
    else if (SINGLE.has(number)) addTyped(field, typed);
    else {
      demand(!single.has(number), "duplicate", at, `field ${number} of an initializer`, "once", "twice");
      single.set(number, field);
    }
  }
  const nameField = single.get(TENSOR.name);
  const name = nameField ? await textOf(walk, nameField, "name of an initializer") : "";
  demand(name !== "", "onnx-tensor", start, "name of an initializer", "text", "nothing");
  const field = (what: string): string => `${what} of initializer ${JSON.stringify(name.slice(0, 80))}`;
  demand(!single.has(TENSOR.segment), "onnx-tensor", start, field("segment"), "none: segments are not read", "one");
  const type = typeOf(single.get(TENSOR.dataType), start, field("data_type"));
  const shape = shapeOf(dims, start, field("dims"));
  const rawField = single.get(TENSOR.raw);
  if (rawField) demandLength(rawField, field("raw_data"));
  const location = single.get(TENSOR.location);
  const outside = location !== undefined && numberOf(location, field("data_location")) !== 0n;
  const others = [...typed.keys()].filter((number) => number !== type.field);
  demand(
    others.length === 0,
    "onnx-tensor",
    start,
    field("data"),
    `field ${type.field} or raw_data`,
    `field ${others}`,
  );
  return {
    name,
    at: place,
    start,
    end,
    shape,
    type,
    raw: rawField && rawField.end > rawField.start ? [rawField.start, rawField.end] : null,
    typed: typed.get(type.field) ?? [],
    external: outside ? external : null,
  };
}

function typeOf(dataType: Field | undefined, at: number, field: string): DataType {
  const number = dataType ? Number(numberOf(dataType, field)) : 0;
  const type = DATA_TYPES.get(number);
  if (type) return type;
  const expected = `one of ${[...DATA_TYPES.values()].map(({ name }) => name).join(" ")}`;
  throw new FormatError({ code: "onnx-dtype", offset: at, field, expected, actual: otherType(number) });
}

/** Extents as numbers. @throws FormatError unless their bytes can be counted */
export function shapeOf(dims: readonly bigint[], at: number, field: string): number[] {
  const shape = dims.map(Number);
  // Bytes of at most eight an element have to be countable too; a zero must not hide it.
  const elements = shape.reduce((product, extent) => product * Math.max(extent, 1), 1);
  const valid = shape.every((extent) => extent >= 0) && elements * 8 <= Number.MAX_SAFE_INTEGER;
  demand(valid, "onnx-tensor", at, field, "extents of a countable number of bytes", shape.join(" x "));
  return shape;
}

/** Adds the extents in a field `dims`. @throws FormatError */
export async function addDims(walk: Walk, field: Field, dims: bigint[]): Promise<void> {
  const name = "dims of an initializer";
  if (field.value !== null) dims.push(field.value);
  else {
    demandLength(field, name);
    // Ten bytes is the longest varint: what has more cannot be few extents.
    const bytes = field.end - field.start;
    demand(
      bytes <= 10 * MAX_DIMENSIONS,
      "limit",
      field.at,
      name,
      `at most ${MAX_DIMENSIONS} extents`,
      `${bytes} bytes`,
    );
    const reader = new BinaryReader(await walk.bytes(field.start, field.end));
    try {
      while (reader.pos < reader.len) dims.push(BigInt(reader.int64()));
    } catch (error) {
      throw new FormatError({
        code: "protobuf",
        offset: field.at,
        field: name,
        expected: "varints",
        actual: (error as Error).message,
      });
    }
  }
  demand(dims.length <= MAX_DIMENSIONS, "limit", field.at, name, `at most ${MAX_DIMENSIONS}`, dims.length);
}

function addTyped(field: Field, typed: Map<number, Range[]>): void {
  const { number, wire, start, end } = field;
  const valid = wire === WireType.LengthDelimited || wire === SINGLE.get(number);
  demand(
    valid,
    "protobuf",
    field.at,
    `field ${number} of an initializer`,
    "a packed list or a value",
    `wire type ${wire}`,
  );
  if (start === end) return;
  const ranges = typed.get(number) ?? [];
  ranges.push([start, end]);
  typed.set(number, ranges);
}

/** Adds the StringStringEntryProto in a field to a map. @throws FormatError for a key that stands twice */
export async function addEntry(walk: Walk, field: Field, map: Map<string, string>, name: string): Promise<void> {
  demandLength(field, name);
  let [key, value] = ["", ""];
  for await (const part of fieldsOf(walk, field.start, field.end)) {
    if (part.number === ENTRY.key) key = await textOf(walk, part, `key of ${name}`);
    if (part.number === ENTRY.value) value = await textOf(walk, part, `value of ${name}`);
  }
  demand(!map.has(key), "duplicate", field.at, `keys of ${name}`, "each only once", JSON.stringify(key.slice(0, 80)));
  map.set(key, value);
}
