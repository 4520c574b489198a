import type { PlainDType } from "../../tensor.ts";

// Numbers of fields and types as onnx/onnx.proto gives them.

export const MODEL = { irVersion: 1, graph: 7, opsetImport: 8, metadata: 14 } as const;
export const OPSET = { domain: 1, version: 2 } as const;
export const ENTRY = { key: 1, value: 2 } as const;
export const GRAPH = { node: 1, name: 2, initializer: 5, input: 11, output: 12 } as const;
export const VALUE = { name: 1, type: 2 } as const;
/** Of TypeProto, its Tensor, the shape and a dimension. */
export const TYPE = { tensor: 1, element: 1, shape: 2, dimension: 1, extent: 1, parameter: 2 } as const;
export const NODE = { input: 1, output: 2, name: 3, operator: 4, attribute: 5, domain: 7 } as const;
export const ATTRIBUTE = {
  name: 1,
  float: 2,
  integer: 3,
  text: 4,
  graph: 6,
  floats: 7,
  integers: 8,
  type: 20,
} as const;
export const TENSOR = {
  dims: 1,
  dataType: 2,
  segment: 3,
  floats: 4,
  int32s: 5,
  strings: 6,
  int64s: 7,
  name: 8,
  raw: 9,
  doubles: 10,
  uint64s: 11,
  external: 13,
  location: 14,
} as const;

/** The fields of a tensor that say where its elements are, or are they. */
export const DATA_FIELDS: readonly number[] = [
  TENSOR.floats,
  TENSOR.int32s,
  TENSOR.strings,
  TENSOR.int64s,
  TENSOR.raw,
  TENSOR.doubles,
  TENSOR.uint64s,
  TENSOR.external,
  TENSOR.location,
];

/** How elements of a type are stored where they are not raw. `least` and `most` bound the integers. */
export interface DataType {
  readonly name: string;
  readonly dtype: PlainDType;
  readonly field: number;
  readonly least?: number;
  readonly most?: number;
}

const BITS = { field: TENSOR.int32s, least: 0, most: 65535 };

export const DATA_TYPES: ReadonlyMap<number, DataType> = new Map([
  [1, { name: "FLOAT", dtype: "F32", field: TENSOR.floats }],
  [2, { name: "UINT8", dtype: "U8", field: TENSOR.int32s, least: 0, most: 255 }],
  [3, { name: "INT8", dtype: "I8", field: TENSOR.int32s, least: -128, most: 127 }],
  [5, { name: "INT16", dtype: "I16", field: TENSOR.int32s, least: -32768, most: 32767 }],
  [6, { name: "INT32", dtype: "I32", field: TENSOR.int32s }],
  [7, { name: "INT64", dtype: "I64", field: TENSOR.int64s }],
  [9, { name: "BOOL", dtype: "BOOL", field: TENSOR.int32s, least: 0, most: 1 }],
  [10, { name: "FLOAT16", dtype: "F16", ...BITS }],
  [11, { name: "DOUBLE", dtype: "F64", field: TENSOR.doubles }],
  [16, { name: "BFLOAT16", dtype: "BF16", ...BITS }],
]);

const OTHER_TYPES: Record<number, string> = {
  0: "UNDEFINED",
  4: "UINT16",
  8: "STRING",
  12: "UINT32",
  13: "UINT64",
  14: "COMPLEX64",
  15: "COMPLEX128",
  17: "FLOAT8E4M3FN",
  18: "FLOAT8E4M3FNUZ",
  19: "FLOAT8E5M2",
  20: "FLOAT8E5M2FNUZ",
  21: "UINT4",
  22: "INT4",
  23: "FLOAT4E2M1",
};

/** A data type that is not read here, by name where it has one. */
export function otherType(type: number): string {
  return `${OTHER_TYPES[type] ?? "an unknown type"} (${type})`;
}
