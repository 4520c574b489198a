import * as reference from "../test/reference.ts";
import { CHUNK, gaussWeights } from "./data.ts";
import { type KernelBench, type KernelCase, mustEqual, type Room } from "./harness.ts";

const SPARSITY = 0.8;
const UPPER_BINS = 65536;
const LOWER_BINS = 32768;
/** Of every so many neighbours, so far apart, these are kept. */
const PATTERNS = [
  [2, 4, 1],
  [4, 8, 1],
  [2, 4, 8],
  [4, 16, 1],
] as const;

export const pruneBench: KernelBench = {
  kernels: ["magnitudes", "prune", "prunePattern", "squares"],
  casesOf: pruneCases,
};

function pruneCases({ run, arena, memory, put, take }: Room): KernelCase[] {
  const { floats, planes: bins, symbols: pruned } = arena;
  const values = gaussWeights(CHUNK);
  const target = Math.round(SPARSITY * CHUNK);
  const order = reference.magnitudeBits(values).sort();
  const threshold = order[target - 1];
  const ties = target - order.indexOf(threshold);
  const prefix = threshold >>> 15;
  const shared = { bytes: 4 * CHUNK, prepare: () => put(floats, values) };
  const count = (wanted: number, size: number) => () => {
    memory.fill(0, bins, bins + 4 * size);
    run.magnitudes(floats, CHUNK, wanted, bins);
    mustEqual(take(bins, 4 * size), reference.magnitudes(values, wanted), "magnitudes");
  };
  return [
    {
      ...shared,
      name: "magnitudes",
      data: "f32, upper bits",
      run: () => run.magnitudes(floats, CHUNK, -1, bins),
      check: count(-1, UPPER_BINS),
    },
    {
      ...shared,
      name: "magnitudes",
      data: "f32, lower bits",
      run: () => run.magnitudes(floats, CHUNK, prefix, bins),
      check: count(prefix, LOWER_BINS),
    },
    {
      ...shared,
      name: "prune",
      data: `f32, ${100 * SPARSITY} %`,
      run: () => run.prune(floats, CHUNK, threshold, ties, pruned),
      check: () => mustEqual(take(pruned, 4 * CHUNK), reference.prune(values, SPARSITY), "prune"),
    },
    ...PATTERNS.map(([keep, group, inner]) => ({
      ...shared,
      name: "prunePattern",
      data: `f32, ${keep}:${group}${inner === 1 ? "" : `, ${inner} apart`}`,
      run: () => run.prunePattern(floats, 1, CHUNK / inner, inner, keep, group, bins),
      check: () => {
        const expected = reference.prunePattern(values, [1, CHUNK / inner, inner], keep, group);
        mustEqual(take(bins, 4 * CHUNK), expected, "prunePattern");
      },
    })),
    {
      ...shared,
      name: "squares",
      data: "f32, rows of 4096",
      run: () => run.squares(floats, CHUNK / 4096, 4096, bins),
      check: () => mustEqual(take(bins, (8 * CHUNK) / 4096), reference.squares(values, CHUNK / 4096, 4096), "squares"),
    },
  ];
}
