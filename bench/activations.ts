import * as reference from "../test/reference.ts";
import { CHUNK, gaussWeights } from "./data.ts";
import { type KernelBench, type KernelCase, mustEqual, type Room } from "./harness.ts";

export const activationsBench: KernelBench = { kernels: ["activationCodes", "activationError"], casesOf };

const CODING = { scale: Math.fround(0.02), zero: 0, least: -127, most: 127 };

/** [channels, inner] of the input of a linear layer and of a convolution with its channels first. */
const SHAPES = [
  [1024, 1],
  [64, 196],
] as const;

function casesOf({ run, arena, put, take }: Room): KernelCase[] {
  return SHAPES.flatMap(([channels, inner]) => {
    const outer = Math.floor(CHUNK / (channels * inner));
    const n = outer * channels * inner;
    const grid = [outer, channels, inner] as const;
    const values = gaussWeights(CHUNK).subarray(0, n);
    const factors = gaussWeights(CHUNK)
      .subarray(0, channels)
      .map((x) => Math.abs(x) + 0.01);
    const { floats, planes, plain } = arena;
    const args = [CODING.scale, CODING.zero, CODING.least, CODING.most, plain] as const;
    const prepare = () => {
      put(floats, values);
      put(planes, factors);
    };
    return (["activationCodes", "activationError"] as const).map((name) => {
      const call = () => run[name](floats, ...grid, planes, ...args);
      const check = () => {
        prepare();
        call();
        const error = Float64Array.of(reference.activationError(values, grid, factors, CODING));
        if (name === "activationError") mustEqual(take(plain, 8), error, name);
        else mustEqual(take(plain, n), reference.activationCodes(values, grid, factors, CODING), name);
      };
      return { bytes: 4 * n, data: `f32, ${channels} x ${inner} inputs`, name, prepare, run: call, check };
    });
  });
}
