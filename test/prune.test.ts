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
import { leastChannels, magnitudeBits, magnitudes, prune, prunePattern, squares } from "./reference.ts";

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

/** Shapes around the lanes: whole groups and short ones, one column and many. */
const GRIDS: [number, number, number][] = [
  [0, 4, 1],
  [3, 0, 5],
  [1, 1, 1],
  [5, 4, 1],
  [3, 31, 1],
  [2, 33, 1],
  [7, 64, 1],
  [3, 8, 9],
  [2, 13, 3],
  [2, 5, 31],
  [1, 33, 33],
];
const PATTERNS: [number, number][] = [
  [1, 2],
  [2, 4],
  [1, 4],
  [3, 4],
  [4, 8],
  [1, 8],
  [7, 8],
  [2, 3],
  [5, 7],
  [6, 16],
  [31, 32],
];

describe("the twin of patterns", () => {
  test("keeps the larger, and of equal ones the later", () => {
    expect([...prunePattern(Float32Array.of(1, -3, 2, 0, 1, -1, 1, 1), [2, 4, 1], 2, 4)]).toEqual([
      0, -3, 2, 0, 0, 0, 1, 1,
    ]);
    expect([...prunePattern(Float32Array.of(1, 5, 2, 4, 3, 3), [1, 3, 2], 1, 2)]).toEqual([0, 5, 2, 0, 3, 3]);
  });

  test("sums squares and picks channels by hand", () => {
    expect([...squares(Float32Array.of(1, 2, 3, 4, 5, 6), 2, 3)]).toEqual([14, 77]);
    expect(leastChannels(Float32Array.of(3, 1, 2, -1), 4, 1, 0.5)).toEqual([1, 3]);
    expect(leastChannels(Float32Array.of(1, 1), 2, 1, 0.99)).toEqual([0]);
  });
});

describe.each(tiers())("prunePattern on $name", (tier) => {
  function check(x: Float32Array, grid: [number, number, number], keep: number, group: number, what: string): void {
    const [outer, axis, inner] = grid;
    const { status, out: results } = run(tier, "prunePattern", x, outer, axis, inner, keep, group, out(x.byteLength));
    expect(status, what).toBe(x.length);
    expectSame(f32(results[0]), prunePattern(x, grid, keep, group), what);
  }

  test.each(PATTERNS)("agrees with its twin: %i:%i", (keep, group) => {
    for (const grid of GRIDS) {
      const n = grid[0] * grid[1] * grid[2];
      check(weights(n, 3), grid, keep, group, `weights ${grid}`);
      for (const [name, x] of degenerate(n)) check(x, grid, keep, group, `${name} ${grid}`);
    }
  });

  test("agrees with its twin on any floats, ties included", () => {
    const value = fc.oneof(fc.float({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom(0, -0, 1, -1, 0.5));
    const grid = fc.tuple(
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 19 }),
      fc.integer({ min: 1, max: 6 }),
    );
    fc.assert(
      fc.property(grid, fc.constantFrom(...PATTERNS), fc.infiniteStream(value), (sizes, [keep, group], stream) => {
        const x = Float32Array.from(stream.take(sizes[0] * sizes[1] * sizes[2]));
        check(x, sizes, keep, group, `${sizes}`);
      }),
    );
  });

  test.each(NOT_FINITE)("refuses %f, wherever it is", (bad) => {
    for (const [inner, group] of [
      [1, 4],
      [1, 8],
      [1, 5],
      [5, 3],
    ]) {
      const n = 17 * inner;
      for (let at = 0; at < n; at++) {
        const x = weights(n, 12).fill(bad, at, at + 1);
        const { status } = run(tier, "prunePattern", x, 1, 17, inner, 2, group, out(4 * n));
        expect(status).toBe(STATUS.NOT_FINITE);
      }
    }
  });
});

describe.each(tiers())("squares on $name", (tier) => {
  test("agree with the twin to the last bit", () => {
    for (const [rows, cols] of [
      [0, 5],
      [3, 0],
      [1, 1],
      [4, 2],
      [2, 3],
      [3, 4],
      [5, 31],
      [2, 33],
      [1, 65537],
    ]) {
      for (const [name, x] of [["weights", weights(rows * cols, 4)] as const, ...degenerate(rows * cols)]) {
        const { status, out: results } = run(tier, "squares", x, rows, cols, out(8 * rows));
        expect(status, name).toBe(rows);
        expectSame(new Float64Array(results[0].buffer), squares(x, rows, cols), `${name} ${rows} x ${cols}`);
      }
    }
  });

  test.each(NOT_FINITE)("refuse %f, wherever it is", (bad) => {
    for (let at = 0; at < 21; at++) {
      const x = weights(21, 12).fill(bad, at, at + 1);
      expect(run(tier, "squares", x, 3, 7, out(24)).status).toBe(STATUS.NOT_FINITE);
    }
  });
});
