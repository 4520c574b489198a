import * as reference from "../test/reference.ts";
import { CHUNK, gaussWeights } from "./data.ts";
import { type KernelBench, type KernelCase, mustEqual, type Room } from "./harness.ts";

export const normalBench: KernelBench = { kernels: ["quantizeNormal", "dequantizeNormal"], casesOf: normalCases };

const GROUP = 64;
const ROWS = CHUNK / GROUP;

function normalCases({ run, arena, put, take }: Room): KernelCase[] {
  const { floats, values: scaleAt, plain: codes, symbols: back } = arena;
  const values = gaussWeights(CHUNK);
  const pairs = reference.range(values, ROWS, GROUP);
  const scales = new Float32Array(ROWS).map((_, row) => Math.max(-pairs[2 * row], pairs[2 * row + 1]));
  const expected = reference.quantizeNormal(values, ROWS, GROUP, scales);
  const shared = { data: `f32 groups of ${GROUP}`, bytes: 4 * CHUNK };
  const prepare = () => {
    put(floats, values);
    put(scaleAt, scales);
    put(codes, expected);
  };
  return [
    {
      ...shared,
      name: "quantizeNormal",
      prepare,
      run: () => run.quantizeNormal(floats, ROWS, GROUP, scaleAt, codes),
      check: () => mustEqual(take(codes, CHUNK), expected, "nf4 codes"),
    },
    {
      ...shared,
      name: "dequantizeNormal",
      prepare,
      run: () => run.dequantizeNormal(codes, ROWS, GROUP, scaleAt, back),
      check: () =>
        mustEqual(take(back, 4 * CHUNK), reference.dequantizeNormal(expected, ROWS, GROUP, scales), "nf4 back"),
    },
  ];
}
