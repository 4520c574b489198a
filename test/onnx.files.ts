import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { bytesSource, type Folder, type FormatError, type Model, readOnnx } from "../src/index.ts";
import { bytesOf } from "./helpers.ts";
import { refused } from "./hostile.ts";
import { concat } from "./reference/huffman.ts";

// ONNX files made field by field, as onnx/onnx.proto numbers them.

export function lengthField(number: number, ...contents: Uint8Array[]): Uint8Array {
  return new BinaryWriter()
    .tag(number, WireType.LengthDelimited)
    .bytes(concat(...contents))
    .finish();
}

export function text(number: number, value: string): Uint8Array {
  return lengthField(number, new TextEncoder().encode(value));
}

export function varint(number: number, value: number | bigint): Uint8Array {
  return new BinaryWriter().tag(number, WireType.Varint).int64(BigInt(value)).finish();
}

/** Packed varints. */
export function varints(number: number, values: readonly (number | bigint)[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const value of values) writer.int64(BigInt(value));
  return lengthField(number, writer.finish());
}

export function float(number: number, value: number): Uint8Array {
  return new BinaryWriter().tag(number, WireType.Bit32).float(value).finish();
}

export function double(number: number, value: number): Uint8Array {
  return new BinaryWriter().tag(number, WireType.Bit64).double(value).finish();
}

export const DIMS = 1;
export const TYPE = 2;
export const FLOATS = 4;
export const INT32S = 5;
export const INT64S = 7;
export const NAME = 8;
export const RAW = 9;
export const DOUBLES = 10;
export const EXTERNAL = 13;
export const LOCATION = 14;

/** A TensorProto: name, type and dims, and the fields with its data. */
export function tensor(name: string, type: number, dims: readonly number[], ...data: Uint8Array[]): Uint8Array {
  return concat(...dims.map((extent) => varint(DIMS, extent)), varint(TYPE, type), text(NAME, name), ...data);
}

export function entry(number: number, key: string, value: string): Uint8Array {
  return lengthField(number, text(1, key), text(2, value));
}

/** A tensor in another file. */
export function outside(name: string, dims: readonly number[], entries: Record<string, string>): Uint8Array {
  const fields = Object.entries(entries).map(([key, value]) => entry(EXTERNAL, key, value));
  return tensor(name, 1, dims, ...fields, varint(LOCATION, 1));
}

export function node(operator: string, inputs: readonly string[], outputs: readonly string[]): Uint8Array {
  return concat(...inputs.map((name) => text(1, name)), ...outputs.map((name) => text(2, name)), text(4, operator));
}

export interface Parts {
  opset?: number;
  nodes?: Uint8Array[];
  initializers?: Uint8Array[];
  inputs?: string[];
  outputs?: Uint8Array[];
  metadata?: Record<string, string>;
}

/** A model. Of inputs only the name is said. */
export function modelFile(parts: Parts = {}): Uint8Array<ArrayBuffer> {
  const { opset = 21, nodes = [], initializers = [], inputs = [], outputs = [], metadata = {} } = parts;
  const graph = concat(
    ...nodes.map((bytes) => lengthField(1, bytes)),
    text(2, "graph"),
    ...initializers.map((bytes) => lengthField(5, bytes)),
    ...inputs.map((name) => lengthField(11, text(1, name))),
    ...outputs.map((bytes) => lengthField(12, bytes)),
  );
  const props = Object.entries(metadata).map(([key, value]) => entry(14, key, value));
  const opsets = [lengthField(8, text(1, "com.example"), varint(2, 77)), lengthField(8, text(1, ""), varint(2, opset))];
  return bytesOf(concat(varint(1, 10), text(2, "quern tests"), lengthField(7, graph), ...opsets, ...props));
}

export function raw(...bytes: number[]): Uint8Array {
  return lengthField(RAW, Uint8Array.from(bytes));
}

/** A folder in memory, and the names that were asked of it. */
export function memoryFolder(files: Record<string, Uint8Array>): Folder & { asked: string[] } {
  const asked: string[] = [];
  const open = async (name: string) => {
    asked.push(name);
    if (!Object.hasOwn(files, name)) throw new Error(`there is no file "${name}"`);
    return bytesSource(files[name]);
  };
  return { asked, open };
}

export function read(bytes: Uint8Array, folder?: Folder): Promise<Model> {
  return readOnnx(bytesSource(bytes), folder);
}

/** What reading the whole of a model refuses. */
export function refusal(reading: Promise<Model>, what = ""): Promise<FormatError> {
  const elements = reading.then(async ({ tensors }) => {
    for (const { shape, read } of tensors) {
      await read(
        0,
        shape.reduce((a, b) => a * b, 1),
      );
    }
  });
  return refused(elements, what);
}
