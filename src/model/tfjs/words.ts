import { DataError } from "../../errors.ts";
import type { DType, TensorInfo } from "../../tensor.ts";

/** What TensorFlow.js calls dtypes. Of floats it has one. */
const WORDS = new Map<DType, string>([
  ["F32", "float32"],
  ["F16", "float32"],
  ["BF16", "float32"],
  ["F64", "float32"],
  ["Q8_0", "float32"],
  ["Q4_0", "float32"],
  ["Q4_1", "float32"],
  ["I32", "int32"],
  ["BOOL", "bool"],
  ["U8", "uint8"],
]);

/** The dtype that TensorFlow.js would have a tensor in. @throws DataError if it has none */
export function dtypeWord({ name, dtype }: TensorInfo): string {
  const word = WORDS.get(dtype);
  if (word !== undefined) return word;
  throw new DataError(`tensor "${name}" is ${dtype}, which TensorFlow.js does not have`);
}
