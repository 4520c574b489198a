import * as reference from "../test/reference.ts";
import { CHUNK, gaussCodes, gaussWeights } from "./data.ts";
import { type KernelBench, type KernelCase, must, type Room } from "./harness.ts";

export const zerosBench: KernelBench = { kernels: ["zeroCodes", "zeroElements"], casesOf: zerosCases };

function zerosCases({ run, arena, put }: Room): KernelCase[] {
  const codes = gaussCodes(CHUNK, 4, 127, 0);
  const weights = new Uint8Array(gaussWeights(CHUNK / 4).buffer);
  const { plain, planes } = arena;
  const points = Int8Array.from({ length: CHUNK / 64 }, (_, i) => i % 5);
  const prepare = () => {
    put(plain, codes);
    put(planes, points);
  };
  const inRows = () => run.zeroCodes(plain, CHUNK / 64, 64, planes);
  const elements = () => run.zeroElements(plain, CHUNK / 4, 4, 1);
  return [
    {
      name: "zeroCodes",
      data: "int8 sigma 4",
      bytes: CHUNK,
      prepare,
      run: () => run.zeroCodes(plain, 1, CHUNK, 0),
      check: () => must(run.zeroCodes(plain, 1, CHUNK, 0) === reference.zeroCodes(codes, CHUNK, null), "zeroCodes"),
    },
    {
      name: "zeroCodes",
      data: "int8 sigma 4, zero points of rows of 64",
      bytes: CHUNK,
      prepare,
      run: inRows,
      check: () => must(inRows() === reference.zeroCodes(codes, 64, points), "zeroCodes of rows"),
    },
    {
      name: "zeroElements",
      data: "f32 sigma 0.05",
      bytes: CHUNK,
      prepare: () => put(plain, weights),
      run: elements,
      check: () => must(elements() === reference.zeroElements(weights, 4, true), "zeroElements"),
    },
  ];
}
