import { DataError } from "../errors.ts";
import { type DType, isBlocks, isFloat, type LazyTensor, narrow, widen } from "../tensor.ts";

/**
 * A tensor in the dtype that another file has it in. Floats and blocks become floats, rounded half to even; of blocks, whole ones are read.
 * @param where - that file, for the message
 * @throws DataError for other changes of dtype
 */
export function as(dtype: DType, tensor: LazyTensor, where: string): LazyTensor {
  if (tensor.dtype === dtype) return tensor;
  if (!(isFloat(tensor.dtype) || isBlocks(tensor.dtype)) || !isFloat(dtype)) {
    throw new DataError(`tensor "${tensor.name}" is ${tensor.dtype}, and ${dtype} in ${where}`);
  }
  const read = async (start: number, end: number): Promise<Uint8Array> =>
    narrow(dtype, widen(tensor.dtype, await tensor.read(start, end)));
  return { ...tensor, dtype, read };
}
