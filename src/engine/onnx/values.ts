import { DataError } from "../../errors.ts";
import { elementCount, narrow, widen } from "../../tensor.ts";
import type { Value } from "../engine.ts";
import type { OnnxRuntime, OnnxTensor } from "./runtime.ts";

// Values of the seam, floats or integers of 32 bits, as tensors of ONNX Runtime and back.

/** Names of element types by their number in onnx.proto, as far as values can be had. */
const TYPES: ReadonlyMap<number, string> = new Map([
  [1, "float32"],
  [2, "uint8"],
  [3, "int8"],
  [4, "uint16"],
  [5, "int16"],
  [6, "int32"],
  [7, "int64"],
  [9, "bool"],
  [10, "float16"],
  [11, "float64"],
  [12, "uint32"],
  [13, "uint64"],
]);

export function isFloatType(dataType: number): boolean {
  return dataType === 1 || dataType === 10 || dataType === 11;
}

/** The number of a type in onnx.proto. */
export function dataTypeOf(type: string): number {
  for (const [number, name] of TYPES) if (name === type) return number;
  return 0;
}

/** @throws DataError for a type that no value has, such as text; RangeError if elements do not fit the shape */
export function toTensor(ort: OnnxRuntime, dataType: number, { shape, data }: Value, name: string): OnnxTensor {
  const type = TYPES.get(dataType);
  if (!type) throw new DataError(`"${name}" is no tensor of numbers (type ${dataType} of onnx.proto)`);
  if (elementCount(shape) !== data.length) {
    throw new DataError(`"${name}" has ${data.length} elements, and its shape is ${shape.join(" x ")}`);
  }
  return new ort.Tensor(type as never, elementsOf(type, data) as never, shape);
}

function elementsOf(type: string, data: Float32Array | Int32Array): unknown {
  switch (type) {
    case "float32":
      return data instanceof Float32Array ? data : Float32Array.from(data);
    case "float16": {
      const bytes = narrow("F16", data instanceof Float32Array ? data : Float32Array.from(data));
      return new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
    }
    case "float64":
      return Float64Array.from(data);
    case "int32":
      return data instanceof Int32Array ? data : Int32Array.from(data);
    case "int64":
      return BigInt64Array.from(data, (value) => BigInt(Math.trunc(value)));
    case "uint64":
      return BigUint64Array.from(data, (value) => BigInt(Math.trunc(value)));
    case "uint32":
      return Uint32Array.from(data);
    case "int16":
      return Int16Array.from(data);
    case "uint16":
      return Uint16Array.from(data);
    case "int8":
      return Int8Array.from(data);
    default:
      return Uint8Array.from(data);
  }
}

const WIDEST = 2 ** 31;

/** Integers beyond 32 bits become the nearest that fit. @throws DataError for what is no tensor of numbers */
export function fromTensor({ type, dims, data }: OnnxTensor, name: string): Value {
  const shape = dims.map(Number);
  if (data instanceof Float32Array || data instanceof Int32Array) return { shape, data };
  if (type === "float16" && data instanceof Uint16Array) {
    return { shape, data: widen("F16", new Uint8Array(data.buffer, data.byteOffset, data.byteLength)) };
  }
  if (type === "float16" || type === "float64") return { shape, data: Float32Array.from(data as Float64Array) };
  if (Array.isArray(data) || !ArrayBuffer.isView(data)) {
    throw new DataError(`"${name}" is no tensor of numbers: ${type ?? "no tensor"}`);
  }
  const integers = Int32Array.from(data as unknown as ArrayLike<number | bigint>, (value) =>
    Math.max(-WIDEST, Math.min(Number(value), WIDEST - 1)),
  );
  return { shape, data: integers };
}
