import { argument, demand } from "../../errors.ts";
import type { Cursor } from "./cursor.ts";
import { encodeText } from "./text.ts";
import { LEAST_BYTES, VALUE_TYPES, type ValueType } from "./types.ts";

// Typed metadata values as text and back, bit for bit (docs/FORMAT.md, "GGUF metadata").

/** Arrays in arrays: the specification allows any depth, ggml itself takes none. */
const MAX_NESTING = 4;
/** Values in all arrays of a file together. The largest known vocabularies have 1.3 million tokens, scores, types and merges. */
export const MAX_VALUES = 2 ** 22;
const SMALL_INTEGERS = { u8: "Uint8", i8: "Int8", u16: "Uint16", i16: "Int16", u32: "Uint32", i32: "Int32" } as const;

/** A value as JSON has it. What a JSON number cannot hold exactly stands as text. */
type Json = number | string | boolean | { [type: string]: Json[] };

type Scalar = number | string | boolean;
type FixedType = Exclude<ValueType, "array" | "string">;
type IntegerType = Exclude<FixedType, "bool" | "f32" | "f64">;
/** The NaN that needs no bits to tell it. */
const PLAIN_NAN = { f32: "7fc00000", f64: "7ff8000000000000" };

/** How many values arrays may still have. */
export interface Budget {
  values: number;
}

/** Reads the value at the cursor. @returns its type, such as "u32" or "[f32]", and its text. @throws FormatError */
export function readValue(cursor: Cursor, budget: Budget, field: string): { type: string; text: string } {
  const type = readType(cursor, field);
  if (type !== "array") {
    const value = readScalar(cursor, type, field);
    return { type, text: typeof value === "string" ? value : JSON.stringify(value) };
  }
  const [element, values] = readArray(cursor, budget, field, 1);
  return { type: `[${element}]`, text: JSON.stringify(values) };
}

function readType(cursor: Cursor, field: string): ValueType {
  const at = cursor.at();
  const number = cursor.u32(`type of ${field}`);
  const type = VALUE_TYPES[number];
  demand(type !== undefined, "gguf-type", at, `type of ${field}`, "0..12", number);
  return type;
}

function readArray(cursor: Cursor, budget: Budget, field: string, depth: number): [type: ValueType, values: Json[]] {
  demand(depth <= MAX_NESTING, "limit", cursor.at(), field, `arrays at most ${MAX_NESTING} deep`, depth);
  const type = readType(cursor, field);
  const length = cursor.count(`length of ${field}`, budget.values);
  budget.values -= length;
  cursor.need(length * LEAST_BYTES[type], field);
  return [type, Array.from({ length }, valuesOf(cursor, budget, type, length, field, depth))];
}

// What gives the values one after the other. Those of fixed width are read from one view.
function valuesOf(
  cursor: Cursor,
  budget: Budget,
  type: ValueType,
  length: number,
  field: string,
  depth: number,
): (_: unknown, i: number) => Json {
  if (type === "string") return () => cursor.string(field);
  if (type === "array") {
    return () => {
      const [inner, values] = readArray(cursor, budget, field, depth + 1);
      return { [inner]: values };
    };
  }
  const [start, width] = [cursor.at(), LEAST_BYTES[type]];
  const view = cursor.take(length * width, field);
  return (_, i) => scalarAt(view, i * width, type, field, start);
}

function readScalar(cursor: Cursor, type: Exclude<ValueType, "array">, field: string): Scalar {
  if (type === "string") return cursor.string(field);
  const at = cursor.at();
  return scalarAt(cursor.take(LEAST_BYTES[type], field), 0, type, field, at);
}

/** @param start - of the view, in the file */
function scalarAt(view: DataView, at: number, type: FixedType, field: string, start: number): Scalar {
  switch (type) {
    case "u8":
      return view.getUint8(at);
    case "i8":
      return view.getInt8(at);
    case "u16":
      return view.getUint16(at, true);
    case "i16":
      return view.getInt16(at, true);
    case "u32":
      return view.getUint32(at, true);
    case "i32":
      return view.getInt32(at, true);
    case "u64":
      return wideToJson(view.getBigUint64(at, true));
    case "i64":
      return wideToJson(view.getBigInt64(at, true));
    case "f32":
      return floatToJson(view.getFloat32(at, true), () => view.getUint32(at, true), PLAIN_NAN.f32, 6);
    case "f64":
      return floatToJson(view.getFloat64(at, true), () => view.getBigUint64(at, true), PLAIN_NAN.f64, 17);
    case "bool": {
      const byte = view.getUint8(at);
      demand(byte <= 1, "gguf-bool", start + at, field, "0 or 1", byte);
      return byte === 1;
    }
  }
}

function wideToJson(value: bigint): number | string {
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}

// An f32 takes the fewest digits that come back to it; JSON.stringify sees to f64.
function floatToJson(value: number, bits: () => number | bigint, plainNaN: string, digits: number): number | string {
  if (Number.isNaN(value)) {
    const word = bits().toString(16);
    return word === plainNaN ? "NaN" : `NaN:${word}`;
  }
  if (!Number.isFinite(value) || Object.is(value, -0)) return Object.is(value, -0) ? "-0" : String(value);
  for (let n = digits; n < 10; n++) {
    const short = Number(value.toPrecision(n));
    if (Math.fround(short) === value) return short;
  }
  return value;
}

/** Where values are written to. */
export interface Writer {
  u32(value: number): void;
  u64(value: number): void;
  string(bytes: Uint8Array): void;
  view(bytes: number): DataView;
}

/**
 * Writes type and value.
 * @param type - as readValue gives it
 * @throws RangeError if the text is no such value
 */
export function writeValue(writer: Writer, key: string, type: string, text: string): void {
  const element = /^\[(\w+)\]$/.exec(type)?.[1];
  const known = VALUE_TYPES.includes((element ?? type) as ValueType) && type !== "array";
  argument(known, `type of ${key}`, "a type such as u32 or [f32]", type);
  if (element === undefined) {
    writer.u32(VALUE_TYPES.indexOf(type as ValueType));
    writeScalar(writer, key, type as ValueType, text);
  } else {
    writer.u32(VALUE_TYPES.indexOf("array"));
    writeArray(writer, key, element as ValueType, parseList(key, text));
  }
}

function parseList(key: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return argument(false, key, "a JSON list", text);
  }
}

function writeArray(writer: Writer, key: string, type: ValueType, values: unknown): void {
  argument(Array.isArray(values), key, "a JSON list", values);
  writer.u32(VALUE_TYPES.indexOf(type));
  writer.u64(values.length);
  for (const value of values) {
    if (type !== "array") writeScalar(writer, key, type, value);
    else {
      const [inner, ...others] = Object.entries(Object(value ?? {}));
      const known = inner && others.length === 0 && VALUE_TYPES.includes(inner[0] as ValueType);
      argument(Boolean(known), key, 'a list with its type, such as {"u32":[1,2]}', value);
      writeArray(writer, key, (inner as [ValueType, unknown])[0], (inner as [string, unknown])[1]);
    }
  }
}

function writeScalar(writer: Writer, key: string, type: ValueType, value: unknown): void {
  const bad = (): never => argument(false, key, `a value of type ${type}`, value) as never;
  if (type === "string") writer.string((typeof value === "string" && encodeText(value)) || bad());
  else if (type === "bool")
    writer.view(1).setUint8(0, /^(true|false)$/.test(String(value)) ? Number(String(value) === "true") : bad());
  else if (type === "f32" || type === "f64") writeFloat(writer, type, value, bad);
  else writeInteger(writer, type as IntegerType, String(value), bad);
}

function writeInteger(writer: Writer, type: IntegerType, text: string, bad: () => never): void {
  if (!/^-?\d+$/.test(text)) bad();
  const value = BigInt(text);
  const bits = 8 * LEAST_BYTES[type];
  if ((type.startsWith("i") ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value)) !== value) bad();
  const view = writer.view(bits / 8);
  if (type === "u64" || type === "i64") view.setBigUint64(0, BigInt.asUintN(64, value), true);
  else view[`set${SMALL_INTEGERS[type]}`](0, Number(value), true);
}

function writeFloat(writer: Writer, type: "f32" | "f64", value: unknown, bad: () => never): void {
  const text = String(value);
  const number = text === "" ? Number.NaN : Number(text);
  const view = writer.view(LEAST_BYTES[type]);
  if (Number.isNaN(number)) {
    // As bits: which NaN setFloat32 stores is left to the engine.
    const bits = text === "NaN" ? PLAIN_NAN[type] : (/^NaN:([0-9a-f]+)$/.exec(text)?.[1] ?? bad());
    if (bits.length > PLAIN_NAN[type].length) bad();
    if (type === "f32") view.setUint32(0, Number(`0x${bits}`), true);
    else view.setBigUint64(0, BigInt(`0x${bits}`), true);
  } else if (type === "f32") view.setFloat32(0, number, true);
  else view.setFloat64(0, number, true);
}
