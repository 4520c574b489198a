import { type KernelOptions, loadKernels, open } from "../../../src/read.ts";
import type { Hashes } from "../cases.ts";
import { bytesOfHex, fnv } from "./fnv.ts";

/** Opens whole files and decodes their tensors, for engines with promises. */
export async function decodeFiles(
  files: Readonly<Record<string, string>>,
  options: KernelOptions = {},
): Promise<{ tier: string; hashes: Hashes }> {
  const kernels = await loadKernels({ encode: false, ...options });
  const hashes: Hashes = {};
  for (const [name, hex] of Object.entries(files)) {
    const file = await open(bytesOfHex(hex), { kernels });
    for (const entry of file.index) {
      const { data } = await file.tensor(entry.name);
      hashes[`${name} ${entry.name}`] = fnv(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
  }
  return { tier: kernels.tier, hashes };
}
