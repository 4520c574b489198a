import { existsSync, readFileSync } from "node:fs";
import { bytesSource, type Model, readSafetensors } from "../../src/index.ts";
import { elementCount, toFloat32 } from "../../src/tensor.ts";

export type { Model };

// Real weights, where there are any: shared/data lies beside the repository of those who build it, and in no package.

const FOLDER = new URL("../../../shared/data/", import.meta.url);

/** The bytes of a file of the shared data; null where there are none. */
export function sharedFile(path: string): Uint8Array | null {
  const file = new URL(path, FOLDER);
  return existsSync(file) ? readFileSync(file) : null;
}

export function safetensors(path: string): Promise<Model> | null {
  const bytes = sharedFile(path);
  return bytes && readSafetensors(bytesSource(bytes));
}

/** All elements as floats, by name. */
export async function readElementsOf(model: Model): Promise<Map<string, Float32Array>> {
  const read = model.tensors.map(async ({ name, dtype, shape, read }) => {
    return [name, toFloat32(dtype, await read(0, elementCount(shape)))] as const;
  });
  return new Map(await Promise.all(read));
}
