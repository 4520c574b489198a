import * as reference from "../test/reference.ts";
import { CHUNK, gaussCodes, PRUNED_PERCENT } from "./data.ts";
import { type KernelBench, type KernelCase, must, mustEqual, type Room } from "./harness.ts";

export const maskBench: KernelBench = { kernels: ["maskCount", "maskExpand", "maskSplit"], casesOf: maskCases };

function maskCases(room: Room): KernelCase[] {
  return PRUNED_PERCENT.flatMap((percent) => {
    const codes = gaussCodes(CHUNK, 30, 127, percent / 100);
    return casesOf(room, codes, `int8 sigma 30, pruned ${percent} %`);
  });
}

function casesOf({ run, arena, put, take }: Room, codes: Int8Array, data: string): KernelCase[] {
  const { plain, mask: bits, kept, values: back } = arena;
  const { mask, values } = reference.maskSplit(new Uint8Array(codes.buffer));
  const prepare = () => {
    put(plain, codes);
    put(bits, mask);
    put(kept, values);
  };
  const shared = { data, bytes: CHUNK, prepare };
  return [
    {
      ...shared,
      name: "maskSplit",
      run: () => run.maskSplit(plain, CHUNK, bits, kept),
      check: () => {
        must(run.maskSplit(plain, CHUNK, bits, kept) === values.length, "maskSplit: count of bytes");
        mustEqual(take(bits, mask.length), mask, "maskSplit, mask");
        mustEqual(take(kept, values.length), values, "maskSplit, bytes");
      },
    },
    {
      ...shared,
      name: "maskExpand",
      run: () => run.maskExpand(bits, CHUNK, kept, back),
      check: () => mustEqual(take(back, CHUNK), codes, "maskExpand"),
    },
    {
      ...shared,
      name: "maskCount",
      bytes: mask.length,
      run: () => run.maskCount(bits, CHUNK),
      check: () => must(run.maskCount(bits, CHUNK) === values.length, "maskCount"),
    },
  ];
}
