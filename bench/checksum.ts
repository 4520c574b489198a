import { createHash } from "node:crypto";
import { sha256, xxh64 } from "../src/container/checksum.ts";
import * as reference from "../test/reference.ts";
import { CHUNK, gaussCodes } from "./data.ts";
import { type KernelBench, type KernelCase, must, mustEqual, type Room } from "./harness.ts";

export const checksumBench: KernelBench = { kernels: ["xxh64", "sha256"], casesOf: checksumCases };

function checksumCases({ kernels, run, arena, put }: Room): KernelCase[] {
  const { plain, scratch } = arena;
  const bytes = new Uint8Array(gaussCodes(CHUNK, 30).buffer);
  const shared = { data: "a chunk", bytes: CHUNK, prepare: () => put(plain, bytes) };
  return [
    {
      ...shared,
      name: "xxh64",
      run: () => run.xxh64(plain, CHUNK, scratch),
      check: () => {
        const hash = new DataView(xxh64(kernels, plain, CHUNK).buffer).getBigUint64(0, true);
        must(hash === reference.xxh64(bytes), "xxh64: wrong result");
      },
    },
    {
      ...shared,
      name: "sha256",
      run: () => run.sha256(scratch, plain, CHUNK / 64),
      check: () => mustEqual(sha256(kernels, bytes), createHash("sha256").update(bytes).digest(), "sha256"),
    },
  ];
}
