import { smoothFactors } from "../src/index.ts";
import { gaussWeights } from "./data.ts";
import { type KernelBench, mustEqual, type Room } from "./harness.ts";

export const factorsBench: KernelBench = { kernels: ["smoothFactors"], casesOf };

const CHANNELS = 4096;
const ALPHAS = [0.5, 0.8];

function casesOf({ run, arena, put, take }: Room) {
  const { floats, planes, values, scratch, plain } = arena;
  const maxima = gaussWeights(2 * CHANNELS).map((x) => Math.abs(x) + 0.01);
  const [activations, weights] = [maxima.subarray(0, CHANNELS), maxima.subarray(CHANNELS)];
  const groups = Uint8Array.from({ length: CHANNELS }, (_, i) => (i % 16 === 0 ? 1 : 0));
  const prepare = () => {
    put(floats, activations);
    put(planes, weights);
    put(values, groups);
    put(scratch, Float64Array.from(ALPHAS));
  };
  const call = () => run.smoothFactors(floats, planes, values, scratch, CHANNELS, 0, plain);
  const check = () => {
    prepare();
    call();
    const twin = smoothFactors(weights, { alphas: ALPHAS, powers: false }, { activations, groups });
    mustEqual(take(plain, 4 * CHANNELS), twin, "smoothFactors");
  };
  return [{ bytes: 4 * CHANNELS, data: `${CHANNELS} channels`, name: "smoothFactors", prepare, run: call, check }];
}
