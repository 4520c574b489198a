import { isCore } from "../kernels/core.ts";
import { type Kernels, loadKernels } from "../kernels.ts";
import { parseHeader } from "./format.ts";
import type { Header, Prelude } from "./prelude.ts";
import { decodeTask, demandSha256, type Span } from "./tasks.ts";
import type { Decode } from "./workers.ts";

// What a page loads for files that are not common, or not right.

const loaded = new WeakMap<Kernels, Promise<Kernels>>();

/** Kernels that decode everything: these, or if they are core kernels (kernels/core.ts), others, the same at every call. */
export function allKernels(kernels: Kernels): Promise<Kernels> {
  const known = loaded.get(kernels);
  if (known) return known;
  const all = isCore(kernels) ? loadKernels({ encode: false }) : Promise.resolve(kernels);
  loaded.set(kernels, all);
  return all;
}

/** Any header. @throws FormatError */
export async function anyHeader(
  kernels: Kernels,
  prelude: Prelude,
  head: Uint8Array,
  rest: Uint8Array,
): Promise<Header> {
  return parseHeader(await allKernels(kernels), prelude, head, rest);
}

/** That every chunk of a span has its SHA-256. @throws FormatError */
export async function demandPinned(kernels: Kernels, span: Span): Promise<void> {
  return demandSha256(await allKernels(kernels), span);
}

/** What does any task of decoding. */
export async function anyDecoder(kernels: Kernels): Promise<Decode> {
  const all = await allKernels(kernels);
  return (task) => decodeTask(all, task);
}
