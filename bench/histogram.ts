import * as reference from "../test/reference.ts";
import { CHUNK, gaussCodes } from "./data.ts";
import { type KernelBench, type KernelCase, mustEqual, type Room } from "./harness.ts";

// Sigma 0 is the worst input of a histogram: every count goes to one place.
const SIGMAS = [30, 1, 0];

export const histogramBench: KernelBench = { kernels: ["histogram"], casesOf: histogramCases };

function histogramCases({ run, arena, put, take }: Room): KernelCase[] {
  const { plain, histogram } = arena;
  return SIGMAS.map((sigma) => {
    const codes = gaussCodes(CHUNK, sigma);
    return {
      name: "histogram",
      data: `int8 sigma ${sigma}`,
      bytes: CHUNK,
      prepare: () => put(plain, codes),
      run: () => run.histogram(plain, CHUNK, histogram),
      check: () => mustEqual(take(histogram, 1024), reference.histogram(new Uint8Array(codes.buffer)), "histogram"),
    };
  });
}
