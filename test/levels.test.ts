import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Bins, type Levels, largestLevel, levelsFor, stepRange, sumBins } from "../src/codec/levels.ts";
import {
  decodeTiers,
  degenerate,
  expectSame,
  f32,
  has,
  inout,
  out,
  random,
  run,
  SIZES,
  type Tier,
  u32,
  weights,
} from "./helpers.ts";
import { binError, binLevels, binOf, countBins, dequantize16, fromWide, toWide } from "./reference.ts";

const BINS = 65536;

function inverseOf(x: Float32Array): number {
  const most = x.reduce((least, value) => Math.max(least, Math.abs(value)), 0);
  return most > 0 ? Math.fround(32767 / most) : 0;
}

/** A table as rubbish as tables get. */
function anyTable(seed: number, most: number): Int16Array {
  const next = random(seed);
  return new Int16Array(BINS).map(() => Math.round((2 * next() - 1) * most));
}

function check(tier: Tier, x: Float32Array, what: string): void {
  const n = x.length;
  const inverse = inverseOf(x);
  const before = new Uint32Array(BINS).map((_, i) => i % 7);
  const counted = run(tier, "countBins", x, n, inverse, inout(before));
  expect(counted.status, what).toBe(n);
  expectSame(u32(counted.out[0]), countBins(x, inverse, before), `${what}: counts`);
  const [narrow, wide] = [anyTable(n, 127), anyTable(n + 1, 8192)];
  const codes = run(tier, "binCodes", x, n, inverse, narrow, 1, out(n));
  expect(codes.status, what).toBe(n);
  expectSame(codes.out[0], Int8Array.from(binLevels(x, inverse, narrow)), `${what}: codes`);
  const wides = run(tier, "binCodes", x, n, inverse, wide, 2, out(2 * n));
  expect(wides.status, what).toBe(2 * n);
  expectSame(wides.out[0], toWide(binLevels(x, inverse, wide)), `${what}: wide codes`);
  const scale = Math.fround(0.0123);
  const error = run(tier, "binError", x, n, inverse, wide, scale, inout(Float64Array.of(0)));
  expectSame(error.out[0], Float64Array.of(binError(x, inverse, wide, scale)), `${what}: error`);
}

describe("the twin", () => {
  test("has bins by hand", () => {
    expect([0, 0.9, 1, -0.1, -1, 32767, 40000, -32768, -40000, -0].map((x) => binOf(x, 1))).toEqual([
      32768, 32768, 32769, 32767, 32767, 65535, 65535, 0, 0, 32768,
    ]);
  });

  test("keeps the low byte of a wide code where the level fits it", () => {
    expect([...toWide(Int16Array.of(0, -1, 127, -128, 128, -129, 300, -8192))]).toEqual([
      0, 0, 255, 0, 127, 0, 128, 0, 128, 1, 127, 255, 44, 1, 0, 224,
    ]);
    const all = new Int16Array(65536 - 128).map((_, i) => i - 32768);
    expectSame(fromWide(toWide(all)), all);
  });
});

describe.each(decodeTiers())("levels on $name", (tier) => {
  if (has(tier, "countBins")) {
    test.each(SIZES)("agree with their twin on %i weights", (n) => check(tier, weights(n, n), "weights"));

    test("agree with their twin on degenerate weights", () => {
      for (const [name, x] of degenerate(77)) check(tier, x, name);
    });
  }

  test.each(SIZES.filter((n) => n < 100000))("dequantize16 agrees with its twin on %i codes", (n) => {
    const next = random(n);
    const wide = toWide(new Int16Array(n).map(() => Math.floor(65536 * next()) - 32768));
    for (const scale of [0.1, 1e-40, 3e38, -2]) {
      const result = run(tier, "dequantize16", wide, n, Float32Array.of(scale), out(4 * n));
      expect(result.status).toBe(n);
      expectSame(f32(result.out[0]), dequantize16(wide, Math.fround(scale)), `scale ${scale}`);
    }
  });

  test("dequantize16 knows all 65536 codes", () => {
    const all = new Uint8Array(new Uint16Array(65536).map((_, i) => i).buffer);
    const result = run(tier, "dequantize16", all, 65536, Float32Array.of(0.5), out(4 * 65536));
    expectSame(f32(result.out[0]), dequantize16(all, 0.5));
  });
});

function binsOf(x: Float32Array): Bins {
  const inverse = inverseOf(x);
  return sumBins(Float64Array.from(countBins(x, inverse, new Uint32Array(BINS))), inverse);
}

function tableOf({ first, ends }: Levels): Int16Array {
  const table = new Int16Array(BINS);
  ends.forEach((end, k) => void table.fill(first + k, k > 0 ? ends[k - 1] : 0, end));
  return table;
}

function entropy(levels: Int16Array): number {
  const counts = new Map<number, number>();
  for (const level of levels) counts.set(level, (counts.get(level) ?? 0) + 1);
  return -[...counts.values()].reduce((sum, n) => sum + n * Math.log2(n / levels.length), 0);
}

/** Shares of the greatest magnitude. */
const STEPS = [0.001, 0.01, 0.1, 0.7];

describe("levels chosen from bins", () => {
  test.each([undefined, 0, 0.2])("are reckoned as they come out, dead zone %s", (dead) => {
    const x = weights(20000, 3);
    const bins = binsOf(x);
    for (const share of STEPS) {
      const { levels, counts, error, bits } = levelsFor(bins, (32767 / bins.inverse) * share, dead);
      const coded = binLevels(x, bins.inverse, tableOf(levels));
      expect(levels.ends.at(-1)).toBe(BINS);
      expect([...levels.ends]).toEqual([...levels.ends].sort((a, b) => a - b));
      const counted = counts.map((_, k) => coded.reduce((sum, level) => sum + Number(level === levels.first + k), 0));
      if (counts.length < 300) expect([...counts]).toEqual([...counted]);
      expect(bits).toBeCloseTo(entropy(coded), 4);
      const exact = binError(x, bins.inverse, tableOf(levels), levels.scale);
      expect(Math.abs(error / exact - 1)).toBeLessThan(0.005);
    }
  });

  test("round to nearest without a dead zone, but for the width of a bin", () => {
    const x = weights(5000, 4);
    const bins = binsOf(x);
    const { levels } = levelsFor(bins, (32767 / bins.inverse) * 0.02, 0);
    const coded = binLevels(x, bins.inverse, tableOf(levels));
    x.forEach((value, i) => {
      expect(Math.abs(value - coded[i] * levels.scale)).toBeLessThanOrEqual(levels.scale / 2 + 1 / bins.inverse);
    });
  });

  test("take fewer bits at the same error where rate decides too", () => {
    const bins = binsOf(weights(50000, 5));
    const [finest, coarsest] = stepRange(bins);
    const atError = (dead: number | undefined, most: number): number => {
      let [good, bad] = [finest, coarsest];
      for (let i = 0; i < 40; i++) {
        const middle = Math.sqrt(good * bad);
        if (levelsFor(bins, middle, dead).error <= most) good = middle;
        else bad = middle;
      }
      return levelsFor(bins, good, dead).bits / bins.elements;
    };
    const { error } = levelsFor(bins, 0.08, 0);
    const [plain, rate] = [atError(0, error), atError(undefined, error)];
    // About 1.7 bits per element: 3 to 4 % there.
    expect(plain).toBeGreaterThan(1.2);
    expect(plain).toBeLessThan(2.2);
    expect(rate).toBeLessThan(0.975 * plain);
    expect(rate).toBeGreaterThan(0.9 * plain);
  });

  test("are a single zero where there is nothing else", () => {
    const bins = binsOf(new Float32Array(100));
    const outcome = levelsFor(bins, 1, undefined);
    expect(outcome).toMatchObject({ error: 0, bits: 0, levels: { first: 0, scale: 1 } });
    expect(largestLevel(outcome)).toBe(0);
  });

  test("never pass a level of least error by more than a step, whatever the counts", () => {
    const shares = fc.array(fc.tuple(fc.integer({ min: 0, max: BINS - 1 }), fc.integer({ min: 1, max: 1000 })), {
      minLength: 1,
      maxLength: 40,
    });
    fc.assert(
      fc.property(shares, fc.double({ min: 0.0002, max: 1.5, noNaN: true }), (places, share) => {
        const totals = new Float64Array(BINS);
        for (const [bin, n] of places) totals[bin] += n;
        const bins = sumBins(totals, 1);
        const { levels, counts } = levelsFor(bins, 32767 * share, undefined);
        expect(counts.reduce((a, b) => a + b)).toBe(bins.elements);
        let [from, worst] = [0, 0];
        levels.ends.forEach((end, k) => {
          const level = (levels.first + k) * levels.scale;
          const edges = end > from ? [from, ...(end < BINS ? [end] : [])] : [];
          for (const edge of edges) worst = Math.max(worst, Math.abs(edge - 32768 - level));
          if (end < from) worst = Number.NaN;
          from = end;
        });
        expect(worst).toBeLessThanOrEqual(levels.scale + 1);
      }),
    );
  });
});
