import * as reference from "../test/reference.ts";
import { CHUNK, gaussCodes } from "./data.ts";
import { type KernelBench, type KernelCase, mustEqual, type Room } from "./harness.ts";

export const bitsBench: KernelBench = { kernels: ["pack4", "unpack4"], casesOf: bitsCases };

function bitsCases({ run, arena, put, take }: Room): KernelCase[] {
  const { plain: packed, values, symbols: back } = arena;
  const codes = gaussCodes(CHUNK, 2.7, 7);
  const pairs = reference.pack4(codes);
  const prepare = () => {
    put(values, codes);
    put(packed, pairs);
  };
  // The codes count, one to a byte: the side of both kernels that is the larger.
  const shared = { data: "int4 codes", bytes: CHUNK, prepare };
  return [
    {
      ...shared,
      name: "pack4",
      run: () => run.pack4(values, CHUNK, packed),
      check: () => mustEqual(take(packed, pairs.length), pairs, "pack4"),
    },
    {
      ...shared,
      name: "unpack4",
      run: () => run.unpack4(packed, CHUNK, back),
      check: () => mustEqual(take(back, CHUNK), codes, "unpack4"),
    },
  ];
}
