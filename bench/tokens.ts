import * as reference from "../test/reference.ts";
import { CHUNK, gaussCodes } from "./data.ts";
import { type KernelBench, type KernelCase, must, mustEqual, type Room } from "./harness.ts";

const PRUNED_PERCENT = [0, 50, 80, 90, 95];

export const tokensBench: KernelBench = { kernels: ["zrlTokens", "zrlValues"], casesOf: tokensCases };

function tokensCases(room: Room): KernelCase[] {
  return PRUNED_PERCENT.flatMap((percent) => {
    const codes = gaussCodes(CHUNK, 30, 127, percent / 100);
    return casesOf(room, codes, `int8 sigma 30, pruned ${percent} %`);
  });
}

// One group of the whole chunk, which is what a plan without a grouping asks for.
function casesOf({ run, arena, put, take }: Room, codes: Int8Array, data: string): KernelCase[] {
  const { plain, symbols, floats: raw, values } = arena;
  const categories = reference.largestCategory(codes);
  const expected = reference.zrlTokens(codes, CHUNK, categories);
  const [count, rawBytes] = [expected.symbols.length, expected.raw.length];
  const prepare = () => {
    put(plain, codes);
    put(symbols, expected.symbols);
    put(raw, expected.raw);
  };
  const shared = { data, bytes: CHUNK, prepare };
  return [
    {
      ...shared,
      name: "zrlTokens",
      run: () => run.zrlTokens(plain, CHUNK, CHUNK, categories, symbols, raw),
      check: () => {
        must(run.zrlTokens(plain, CHUNK, CHUNK, categories, symbols, raw) === count, "zrlTokens: count of symbols");
        mustEqual(take(symbols, count), expected.symbols, "zrlTokens, symbols");
        mustEqual(take(raw, rawBytes), expected.raw, "zrlTokens, raw bits");
      },
    },
    {
      ...shared,
      name: "zrlValues",
      run: () => run.zrlValues(symbols, count, raw, rawBytes, CHUNK, categories, CHUNK, values),
      check: () => mustEqual(take(values, CHUNK), codes, "zrlValues"),
    },
  ];
}
