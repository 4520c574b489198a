import { argument, demand } from "../../errors.ts";
import type { Cursor } from "./cursor.ts";
import { encodeText } from "./text.ts";
import { LEAST_BYTES, VALUE_TYPES, type ValueType } from "./types.ts";

// Typed metadata values as text and back, bit for bit (docs/FORMAT.md, "GGUF metadata").

/** Arrays in arrays: the specification allows any depth, ggml itself takes none. */
const MAX_NESTING = 4;
/** Values in all arrays of a file together. The largest known vocabularies have a million tokens, scores, types and merges. */
export const MAX_VALUES = 2 ** 24;
const SMALL_INTEGERS = { u8: "Uint8", i8: "Int8", u16: "Uint16", i16: "Int16", u32: "Uint32", i32: "Int32" } as const;

/** A value as JSON has it. What a JSON number cannot hold exactly stands as text. */
type Json = number | string | boolean | { [type: string]: Json[] };

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
  const values: Json[] = [];
  for (let i = 0; i < length; i++) {
    if (type !== "array") values.push(readScalar(cursor, type, field));
    else {
      const [inner, innerValues] = readArray(cursor, budget, field, depth + 1);
      values.push({ [inner]: innerValues });
    }
  }
  return [type, values];
}

function readScalar(cursor: Cursor, type: Exclude<ValueType, "array">, field: string): number | string | boolean {
  if (type === "string") return cursor.string(field);
  const at = cursor.at();
  const view = cursor.take(LEAST_BYTES[type], field);
  if (type === "bool") {
    const byte = view.getUint8(0);
    demand(byte <= 1, "gguf-bool", at, field, "0 or 1", byte);
    return byte === 1;
  }
  if (type === "f32") return floatToJson(view.getFloat32(0, true), view.getUint32(0, true).toString(16), "7fc00000", 6);
  if (type === "f64") {
    return floatToJson(view.getFloat64(0, true), view.getBigUint64(0, true).toString(16), "7ff8000000000000", 17);
  }
  if (type !== "u64" && type !== "i64") return view[`get${SMALL_INTEGERS[type]}`](0, true);
  const wide = type === "u64" ? view.getBigUint64(0, true) : view.getBigInt64(0, true);
  return Number.isSafeInteger(Number(wide)) ? Number(wide) : String(wide);
}

// An f32 takes the fewest digits that come back to it; JSON.stringify sees to f64.
function floatToJson(value: number, bits: string, plainNaN: string, digits: number): Json & (number | string) {
  if (Number.isNaN(value)) return bits === plainNaN ? "NaN" : `NaN:${bits}`;
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
  else writeInteger(writer, type as "u64" | "i64" | keyof typeof SMALL_INTEGERS, String(value), bad);
}

function writeInteger(
  writer: Writer,
  type: "u64" | "i64" | keyof typeof SMALL_INTEGERS,
  text: string,
  bad: () => never,
): void {
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
    const plain = type === "f32" ? "7fc00000" : "7ff8000000000000";
    const bits = text === "NaN" ? plain : (/^NaN:([0-9a-f]+)$/.exec(text)?.[1] ?? bad());
    if (bits.length > plain.length) bad();
    if (type === "f32") view.setUint32(0, Number(`0x${bits}`), true);
    else view.setBigUint64(0, BigInt(`0x${bits}`), true);
  } else if (type === "f32") view.setFloat32(0, number, true);
  else view.setFloat64(0, number, true);
}
