import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  alias,
  degenerate,
  expectSame,
  f32,
  inout,
  NOT_FINITE,
  out,
  run,
  SIZES,
  STATUS,
  type Tier,
  tiers,
  u32,
  weights,
} from "./helpers.ts";
import { magnitudeBits, magnitudes, prune } from "./reference.ts";

/** Where the running sum of the bins passes `count`, and how much of it is left for that bin. */
function passing(bins: Uint32Array, count: number): [bin: number, left: number] {
  let left = count;
  const bin = bins.findIndex((size) => {
    if (size >= left) return true;
    left -= size;
    return false;
  });
  return [bin, left];
}

function bins(tier: Tier, x: Float32Array, prefix: number): Uint32Array {
  const result = run(tier, "magnitudes", x, x.length, prefix, inout(new Uint32Array(prefix < 0 ? 65536 : 32768)));
  expect(result.status).toBe(x.length);
  return u32(result.out[0]);
}

/** The magnitude below which `count` elements lie, with the ties that go too, as a caller finds it: in two counts. */
function select(tier: Tier, x: Float32Array, count: number): [threshold: number, ties: number] {
  if (count === 0) return [0, 0];
  const [prefix, left] = passing(bins(tier, x, -1), count);
  const [low, ties] = passing(bins(tier, x, prefix), left);
  return [prefix * 32768 + low, ties];
}

const BY_HAND = Float32Array.of(3, -1, 1, 0.5, -1);

describe("the twin", () => {
  test("prunes by hand: the earlier of equals first", () => {
    expect([...prune(BY_HAND, 0.6)]).toEqual([3, 0, 0, 0, -1]);
    expect([...prune(BY_HAND, 0.4)]).toEqual([3, 0, 1, 0, -1]);
  });

  test("zeroes exactly the count asked for", () => {
    const x = Float32Array.from({ length: 501 }, (_, i) => ((i % 7) + 1) * (i % 2 ? 1 : -1));
    for (const sparsity of [0, 0.001, 0.25, 0.5, 0.777, 1]) {
      expect(prune(x, sparsity).filter((value) => value === 0).length).toBe(Math.round(sparsity * 501));
    }
  });

  test("counts magnitudes by hand: 1.0 is 0x3f800000", () => {
    expect([...magnitudeBits(Float32Array.of(1, -1, -0))]).toEqual([0x3f800000, 0x3f800000, 0]);
    expect(magnitudes(BY_HAND, -1)[0x3f800000 >>> 15]).toBe(3);
    expect(magnitudes(BY_HAND, 0x3f800000 >>> 15)[0]).toBe(3);
    expect(magnitudes(BY_HAND, 0x3f800000 >>> 15).indexOf(1)).toBe(-1);
  });
});

describe.each(tiers())("prune on $name", (tier) => {
  function check(x: Float32Array, sparsity: number, what?: string): void {
    const expected = prune(x, sparsity);
    const [threshold, ties] = select(tier, x, Math.round(sparsity * x.length));
    const apart = run(tier, "prune", x, x.length, threshold, ties, out(x.byteLength));
    expect(apart.status, what).toBe(ties);
    expectSame(f32(apart.out[0]), expected, what);
    const inPlace = run(tier, "prune", inout(x), x.length, threshold, ties, alias(0));
    expect(inPlace.status, what).toBe(ties);
    expectSame(f32(inPlace.out[0]), expected, what);
  }

  test.each(SIZES)("agrees with its twin on %i weights", (n) => {
    for (const sparsity of n > 2000 ? [0.6] : [0, 0.1, 0.5, 0.9, 1]) check(weights(n, 9), sparsity);
    if (n < 2000) for (const [name, x] of degenerate(n)) check(x, 0.3, name);
  });

  test("prunes by hand", () => {
    const oneBits = 0x3f800000;
    const result = run(tier, "prune", BY_HAND, 5, oneBits, 2, out(20));
    expect(result.status).toBe(2);
    expect([...f32(result.out[0])]).toEqual([3, 0, 0, 0, -1]);
  });

  test("says how many ties there were when there are fewer than offered", () => {
    const result = run(tier, "prune", BY_HAND, 5, 0x3f800000, 9, out(20));
    expect(result.status).toBe(3);
    expect([...f32(result.out[0])]).toEqual([3, 0, 0, 0, 0]);
  });

  test("agrees with its twin on any floats, ties included", () => {
    const any = fc.float({ noNaN: true, noDefaultInfinity: true });
    const few = fc.constantFrom(0, -0, 1, -1, 0.5);
    const floats = fc.array(fc.oneof(any, few), { maxLength: 100, size: "max" });
    fc.assert(
      fc.property(floats, fc.double({ min: 0, max: 1, noNaN: true }), (x, sparsity) => {
        check(Float32Array.from(x), sparsity);
      }),
    );
  });
});

describe.each(tiers())("magnitudes on $name", (tier) => {
  test.each(SIZES)("agree with the twin on %i weights", (n) => {
    const x = weights(n, 11);
    const upper = magnitudes(x, -1);
    expectSame(bins(tier, x, -1), upper);
    const prefix = upper.indexOf(Math.max(...new Set(upper)));
    expectSame(bins(tier, x, prefix), magnitudes(x, prefix));
  });

  test("are added to what the bins hold", () => {
    const before = new Uint32Array(32768).fill(5);
    const result = run(tier, "magnitudes", BY_HAND, 5, 0x3f800000 >>> 15, inout(before));
    const expected = magnitudes(BY_HAND, 0x3f800000 >>> 15).map((count) => count + 5);
    expectSame(u32(result.out[0]), expected);
  });

  test.each(NOT_FINITE)("refuse %f, wherever it is", (bad) => {
    for (const n of [1, 4, 37]) {
      for (let at = 0; at < n; at++) {
        const x = weights(n, 12).fill(bad, at, at + 1);
        const prefix = magnitudeBits(weights(1, 12))[0] >>> 15;
        const upper = run(tier, "magnitudes", x, n, -1, inout(new Uint32Array(65536)));
        const lower = run(tier, "magnitudes", x, n, prefix, inout(new Uint32Array(32768)));
        expect([upper.status, lower.status]).toEqual([STATUS.NOT_FINITE, STATUS.NOT_FINITE]);
      }
    }
  });
});
