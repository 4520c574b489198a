import * as reference from "../test/reference.ts";
import { CHUNK, gaussWeights } from "./data.ts";
import { type KernelBench, type KernelCase, mustEqual, type Room } from "./harness.ts";

export const smoothBench: KernelBench = { kernels: ["columnMax", "smooth", "unsmooth"], casesOf: smoothCases };

/** [channels, inner] of a linear layer and of a 3 x 3 convolution; the rest of a chunk are outputs. */
const SHAPES = [
  [1024, 1],
  [64, 9],
] as const;

function smoothCases({ run, arena, memory, put, take }: Room): KernelCase[] {
  return SHAPES.flatMap(([channels, inner]) => {
    const { floats, planes } = arena;
    const outer = Math.floor(CHUNK / (channels * inner));
    const n = outer * channels * inner;
    const values = gaussWeights(CHUNK).subarray(0, n);
    const factors = gaussWeights(CHUNK)
      .subarray(0, channels)
      .map((x) => Math.abs(x) + 0.01);
    const shared = {
      bytes: 4 * n,
      data: inner === 1 ? `f32, ${channels} inputs` : `f32, ${channels} x ${inner} inputs`,
    };
    const way = (name: "smooth" | "unsmooth") => ({
      ...shared,
      name,
      prepare: () => {
        // By ones where it is timed, so that the values stay what they are.
        put(floats, values);
        put(planes, new Float32Array(channels).fill(1));
      },
      run: () => run[name](floats, n, 0, channels, inner, planes),
      check: () => {
        put(floats, values);
        put(planes, factors);
        run[name](floats, n, 0, channels, inner, planes);
        const twin = name === "smooth" ? reference.smooth : reference.unsmooth;
        mustEqual(take(floats, 4 * n), twin(values, factors, inner), name);
      },
    });
    const maxima = {
      ...shared,
      name: "columnMax",
      prepare: () => put(floats, values),
      run: () => run.columnMax(floats, outer, channels, inner, planes),
      check: () => {
        memory.fill(0, planes, planes + 4 * channels);
        run.columnMax(floats, outer, channels, inner, planes);
        const expected = reference.columnMax(values, [outer, channels, inner], new Float32Array(channels));
        mustEqual(take(planes, 4 * channels), expected, "columnMax");
      },
    };
    return [maxima, way("smooth"), way("unsmooth")];
  });
}
