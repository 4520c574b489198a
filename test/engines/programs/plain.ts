import { type DType, decodeTensor, type Kernels, parseSteps, plainKernels } from "../../../src/plain.ts";
import type { Cases, Hashes, PayloadCase } from "../cases.ts";
import { bytesOfHex, fnv } from "./fnv.ts";

// For engines that run a script and nothing else: quern/plain decodes all cases at once.

const LENGTHS_AT = 64 * 1024;
const WORK_AT = LENGTHS_AT + 512;
const PAYLOAD_AT = WORK_AT + 128 * 1024;
const BLOCK = 32768;

function decodePayload({ run }: Kernels, at: number, size: number, { kernel, n }: PayloadCase, dst: number): number {
  if (kernel === "mask") return run.maskExpand(at, n, at + ((n + 7) >> 3), dst);
  if (kernel === "pivot") {
    let used = 0;
    for (let done = 0; done < n; done += BLOCK) {
      const first = done === 0 ? 1 : 0;
      const block = run.pivotBlock(at + used, size - used, Math.min(BLOCK, n - done), first, dst + done, WORK_AT);
      if (block < 0) return block;
      used += block;
    }
    return used;
  }
  const table = run.readLengths(at, size, 11, LENGTHS_AT);
  return run.huffmanDecode(at + table, size - table, n, LENGTHS_AT, dst);
}

/** Hashes of all cases, and the tier. */
export function decodeCases(cases: Cases): { tier: string; hashes: Hashes } {
  const kernels = plainKernels();
  const hashes: Hashes = {};
  for (const { name, dtype, shape, plan, chunks } of cases.tensors) {
    const tensor = { name, dtype: dtype as DType, shape };
    const data = decodeTensor(kernels, tensor, parseSteps(plan), chunks.map(bytesOfHex));
    hashes[name] = fnv(new Uint8Array(data.buffer));
  }
  kernels.arena(1 << 20, "decode");
  for (const payload of cases.payloads) {
    const bytes = bytesOfHex(payload.payload);
    kernels.bytes().set(bytes, PAYLOAD_AT);
    const dst = PAYLOAD_AT + bytes.length + 1024;
    const status = decodePayload(kernels, PAYLOAD_AT, bytes.length, payload, dst);
    hashes[payload.name] = status < 0 ? `status ${status}` : fnv(kernels.bytes().slice(dst, dst + payload.n));
  }
  return { tier: kernels.tier, hashes };
}

declare const CASES: Cases;
declare const print: (text: string) => void;

print(JSON.stringify(decodeCases(CASES)));
