import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { categoriesOf, measureZrl, zrlBound } from "../src/codec/tokens.ts";
import { CHUNK_BYTES, loadKernels } from "../src/kernels.ts";
import { bytesOf, codes, expectSame, int8Cases, out, run, SIZES, tiers, u32 } from "./helpers.ts";
import { afterZeros, histogram } from "./reference.ts";

const spread = fc.record({
  n: fc.integer({ min: 1, max: 3000 }),
  sigma: fc.constantFrom(0.3, 1, 4, 30),
  seed: fc.nat(),
});

describe.each(tiers())("bytes behind zeros on $name", (tier) => {
  test.each(SIZES)("are counted as by the twin in %i bytes", (n) => {
    for (const [name, values] of int8Cases(n)) {
      const { status, out: outputs } = run(tier, "afterZeros", values, n, out(1024));
      expect(status).toBe(n);
      expectSame(u32(outputs[0]), afterZeros(values), name);
    }
  });
});

describe("the lower bound of zrl", () => {
  test("is never above what zrl takes in one group, and near it on dense data", async () => {
    const kernels = await loadKernels();
    const both = (values: Int8Array): [bound: number, bytes: number] => {
      const { plain } = kernels.arena(CHUNK_BYTES, "encode");
      kernels.bytes().set(bytesOf(values), plain);
      const counts = histogram(bytesOf(values));
      const bound = zrlBound(kernels, plain, values.length, counts);
      const group = values.length;
      return [bound, measureZrl(kernels, plain, values.length, group, categoriesOf(counts)).bytes];
    };
    for (const n of SIZES.slice(1)) {
      for (const [name, values] of int8Cases(n)) {
        const [bound, bytes] = both(values);
        expect(bound, `${name} ${n}`).toBeLessThanOrEqual(bytes);
      }
    }
    const any = ({ n, sigma, seed }: { n: number; sigma: number; seed: number }) => {
      const [bound, bytes] = both(codes(n, sigma, seed));
      expect(bound).toBeLessThanOrEqual(bytes);
    };
    fc.assert(fc.property(spread, any), { seed: 9, numRuns: 200 });
    const [bound, bytes] = both(codes(CHUNK_BYTES, 30, 1));
    expect(bound / bytes).toBeGreaterThan(0.98);
  });
});
