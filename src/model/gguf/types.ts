import type { DType } from "../../tensor.ts";

// Numbers of types as the GGUF specification gives them (ggml-org/ggml, docs/gguf.md).

/** Types of metadata values, at their numbers. */
export const VALUE_TYPES = [
  "u8",
  "i8",
  "u16",
  "i16",
  "u32",
  "i32",
  "f32",
  "bool",
  "string",
  "array",
  "u64",
  "i64",
  "f64",
] as const;

export type ValueType = (typeof VALUE_TYPES)[number];

/** Fewest bytes of a value of each type: a count of values that cannot fit is refused before any is read. */
export const LEAST_BYTES: Record<ValueType, number> = {
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  bool: 1,
  string: 8,
  array: 12,
  u64: 8,
  i64: 8,
  f64: 8,
};

/** Tensor types that are dtypes here. */
export const TENSOR_TYPES: ReadonlyMap<number, DType> = new Map([
  [0, "F32"],
  [1, "F16"],
  [2, "Q4_0"],
  [3, "Q4_1"],
  [8, "Q8_0"],
  [24, "I8"],
  [25, "I16"],
  [26, "I32"],
  [27, "I64"],
  [28, "F64"],
  [30, "BF16"],
]);

const OTHER_TYPES: Record<number, string> = {
  6: "Q5_0",
  7: "Q5_1",
  9: "Q8_1",
  10: "Q2_K",
  11: "Q3_K",
  12: "Q4_K",
  13: "Q5_K",
  14: "Q6_K",
  15: "Q8_K",
  16: "IQ2_XXS",
  17: "IQ2_XS",
  18: "IQ3_XXS",
  19: "IQ1_S",
  20: "IQ4_NL",
  21: "IQ3_S",
  22: "IQ2_S",
  23: "IQ4_XS",
  29: "IQ1_M",
  34: "TQ1_0",
  35: "TQ2_0",
  39: "MXFP4",
};

/** A tensor type that is not read here, by name where it has one. */
export function otherType(type: number): string {
  return `${OTHER_TYPES[type] ?? "an unknown type"} (${type})`;
}

/** Where tensor data begin is a multiple of this, unless general.alignment says otherwise. */
export const ALIGNMENT = 32;
export const ALIGNMENT_KEY = "general.alignment";

/** A larger one would only make files of padding. */
export const MAX_ALIGNMENT = 2 ** 20;

/** The specification asks for a multiple of 8. */
export function isAlignment(value: number): boolean {
  return Number.isInteger(value) && value >= 8 && value <= MAX_ALIGNMENT && value % 8 === 0;
}

export function aligned(position: number, alignment: number): number {
  return Math.ceil(position / alignment) * alignment;
}
