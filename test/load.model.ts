import { open, type QuernFile } from "../src/read.ts";
import { modelOf, noise, packed, tensorOf } from "./files.ts";
import { weights } from "./helpers.ts";

// A file with what loading meets: tensors of several chunks and of one, some that share a chunk, pruned channels, one without elements.

export async function mixedFile(): Promise<Uint8Array<ArrayBuffer>> {
  const model = modelOf([
    tensorOf("a", "F32", [3, 200_000], weights(600_000, 1)),
    noise("ids", "I32", [40]),
    tensorOf("b", "F32", [64, 64, 3, 3], weights(36_864, 2)),
    tensorOf("bias", "F32", [64], weights(64, 3)),
    tensorOf("none", "F32", [0, 4], weights(0, 1)),
    tensorOf("c", "F32", [8, 50_000], weights(400_000, 4)),
    tensorOf("norm", "F32", [64], weights(64, 5)),
  ]);
  return (await packed(model, "c=prune channels 3,5 > int8 channel > auto; int8 channel > auto")).bytes;
}

/** What loading must give, from bytes in memory. */
export async function expectedOf(bytes: Uint8Array): Promise<Map<string, Float32Array>> {
  return allOf(await open(bytes));
}

export async function allOf(file: QuernFile, signal?: AbortSignal): Promise<Map<string, Float32Array>> {
  const tensors = new Map<string, Float32Array>();
  for await (const { name, data } of file.stream({ signal })) tensors.set(name, data);
  return tensors;
}

/** Where the chunks of a file lie: the start of each, and the end of the last. */
export async function boundsOf(bytes: Uint8Array): Promise<number[]> {
  const { totals } = await open(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const bounds = [totals.header];
  for (let i = 0; i < totals.chunks; i++) {
    const size = view.getUint32(totals.header - 32 * (totals.chunks - i), true);
    bounds.push((bounds.at(-1) as number) + size);
  }
  return bounds;
}
