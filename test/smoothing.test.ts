import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { activationBits, alphaRange } from "../src/activations/coefficients.ts";
import { type Grouping, groupChannels } from "../src/activations/groups.ts";
import { type CoefficientSet, searchCoefficients } from "../src/activations/search.ts";

const maximaOf = (...values: number[]): Float32Array => Float32Array.from(values);

describe("channels are grouped by their ranges", () => {
  const few = maximaOf(1, 0.9, 1.1, 40, 1, 3.2, 0.8);

  test("all alike, normal ones and outliers, several bands of outliers", () => {
    expect([...groupChannels(few, "one").groups]).toEqual([0, 0, 0, 0, 0, 0, 0]);
    expect([...groupChannels(few, "threshold").groups]).toEqual([0, 0, 0, 1, 0, 1, 0]);
    expect([...groupChannels(few, "bands").groups]).toEqual([0, 0, 0, 2, 0, 1, 0]);
    expect([...groupChannels(few, "bands", 2).groups]).toEqual([0, 0, 0, 1, 0, 1, 0]);
  });

  test("the magnitude of a group is its geometric mean, by the median", () => {
    const { magnitudes } = groupChannels(few, "threshold");
    expect(magnitudes[1]).toBeCloseTo(Math.sqrt(40 * 3.2), 5);
    expect(magnitudes[0]).toBeCloseTo((0.9 * 1.1 * 0.8) ** (1 / 5), 5);
  });

  test("nothing, zeros, one channel and equal ones are one group", () => {
    for (const maxima of [maximaOf(), maximaOf(0, 0), maximaOf(5), maximaOf(2, 2, 2)]) {
      for (const rule of ["one", "threshold", "bands", "clusters"] as const)
        expect([...groupChannels(maxima, rule).groups]).toEqual([...maxima].map(() => 0));
    }
  });

  test("clusters are the division of least squares, as trying all of them finds", () => {
    const value = fc.float({ min: Math.fround(0.01), max: 100, noNaN: true });
    fc.assert(
      fc.property(fc.array(value, { minLength: 2, maxLength: 8 }), (values) => {
        const maxima = Float32Array.from(values);
        const { groups } = groupChannels(maxima, "clusters", 3);
        const logs = [...maxima].map(Math.log2);
        const count = Math.max(...groups) + 1;
        const found = spreadOf(logs, [...groups]);
        for (const division of divisions(logs, count))
          expect(found).toBeLessThanOrEqual(spreadOf(logs, division) + 1e-9);
      }),
    );
  });

  test("groups rise, and each has a channel", () => {
    const value = fc.float({ min: 0, max: 1000, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 60 }),
        fc.constantFrom("one", "threshold", "bands", "clusters" as const),
        fc.integer({ min: 2, max: 6 }),
        (values, rule, most) => {
          const maxima = Float32Array.from(values);
          const { groups, magnitudes } = groupChannels(maxima, rule, most);
          expect(magnitudes.length).toBeLessThanOrEqual(most);
          expect([...magnitudes].sort((a, b) => a - b)).toEqual([...magnitudes]);
          magnitudes.forEach((_, group) => void expect(groups).toContain(group));
          groups.forEach((a, i) => {
            groups.forEach((b, j) => {
              // All that is smaller counts as this.
              if (a < b) expect(Math.max(maxima[i], 1e-5)).toBeLessThanOrEqual(Math.max(maxima[j], 1e-5));
            });
          });
        },
      ),
    );
  });
});

/** Sum of squares around the means of the groups. */
function spreadOf(logs: number[], groups: number[]): number {
  let sum = 0;
  for (const group of new Set(groups)) {
    const own = logs.filter((_, i) => groups[i] === group);
    const mean = own.reduce((a, b) => a + b, 0) / own.length;
    for (const x of own) sum += (x - mean) ** 2;
  }
  return sum;
}

/** Every division of the sorted points into `count` intervals. */
function* divisions(logs: number[], count: number): Generator<number[]> {
  const order = logs.map((_, i) => i).sort((a, b) => logs[a] - logs[b]);
  for (let cuts = 0; cuts < 2 ** (logs.length - 1); cuts++) {
    const out = new Array<number>(logs.length);
    let group = 0;
    order.forEach((index, place) => {
      if (place > 0 && (cuts >> (place - 1)) & 1) group++;
      out[index] = group;
    });
    if (group + 1 === count) yield out;
  }
}

describe("where coefficients are looked for", () => {
  test("larger values, larger coefficients; fewer bits of weights, smaller ones", () => {
    const magnitudes = [0.2, 1, 3, 10, 100];
    const ranges = magnitudes.map((magnitude) => alphaRange(magnitude, 8, 8, "tensor"));
    ranges.slice(1).forEach(({ low, high }, i) => {
      expect(low).toBeGreaterThanOrEqual(ranges[i].low);
      expect(high).toBeGreaterThanOrEqual(ranges[i].high);
      expect(low).toBeLessThan(high);
    });
    expect(alphaRange(1, 8, 8, "tensor").high).toBeCloseTo(0.9);
    expect(alphaRange(1, 4, 8, "tensor").high).toBeCloseTo(0.58);
    expect(alphaRange(1, 8, 8, "channel").low).toBeCloseTo(0.3);
  });

  test("a narrow accumulator takes bits of the activations", () => {
    expect(activationBits({}, 4096)).toBe(8);
    expect(activationBits({ accumulatorBits: 24, weightBits: 8 }, 4096)).toBe(5);
    expect(activationBits({ accumulatorBits: 16, weightBits: 4 }, 1024)).toBe(3);
    expect(() => activationBits({ weightBits: 1 }, 4)).toThrow(/weightBits.*2..8/);
  });
});

describe("the search", () => {
  const maxima = Float32Array.from({ length: 32 }, (_, i) => (i % 8 === 3 ? 40 + i : 1 + i / 32));
  const one = groupChannels(maxima, "one");
  const groupings = (["threshold", "bands", "clusters"] as const)
    .map((rule) => groupChannels(maxima, rule))
    .filter(({ magnitudes }) => magnitudes.length > 1);
  const range = (magnitude: number) => alphaRange(magnitude, 8, 8, "tensor");

  /** A loss with a valley somewhere for each channel's coefficient, and hills. */
  function landscape(seed: number) {
    const wanted = (channel: number): number => 0.3 + 0.4 * (maxima[channel] > 10 ? 1 : 0) + 0.01 * (seed % 7);
    const seen: (CoefficientSet | null)[] = [];
    const lossOf = (set: CoefficientSet | null): number => {
      if (!set) return 5 + (seed % 3) * 10;
      const { grouping, alphas } = set;
      let loss = 0;
      grouping.groups.forEach((group, channel) => {
        const alpha = alphas[group];
        loss += alpha === null ? 0.4 : (alpha - wanted(channel)) ** 2 + 0.02 * Math.sin(40 * alpha + seed);
      });
      return loss;
    };
    const evaluate = async (set: CoefficientSet | null): Promise<number> => {
      seen.push(set);
      return lossOf(set);
    };
    return { lossOf, seen, evaluate };
  }

  test.each([1, 2, 3, 4, 5, 6])(
    "is never worse than none, nor than one coefficient, in at most 40 tries (%i)",
    async (seed) => {
      const { lossOf, seen, evaluate } = landscape(seed);
      const result = await searchCoefficients({ one, groupings, range, evaluate });
      expect(seen.length).toBeLessThanOrEqual(40);
      expect(result.trials.length).toBe(seen.length);
      expect(result.none).toBe(lossOf(null));
      expect(result.loss).toBe(lossOf(result.best));
      expect(result.loss).toBeLessThanOrEqual(Math.min(result.none, result.single.loss));
      expect(result.loss).toBe(Math.min(...result.trials.map(({ loss }) => loss)));
      expect(new Set(seen.map((set) => JSON.stringify([set?.grouping.rule, set?.alphas]))).size).toBe(seen.length);
      for (const set of seen) for (const alpha of set?.alphas ?? []) expect(alpha ?? 0).toBeLessThanOrEqual(1);
    },
  );

  test("finds groups where they are what is wanted", async () => {
    const { evaluate } = landscape(1);
    const { best, loss, single } = await searchCoefficients({ one, groupings, range, evaluate });
    expect(best?.grouping.rule).not.toBe("one");
    expect(loss).toBeLessThan(0.8 * single.loss);
  });

  test("takes nothing where nothing is better than nothing", async () => {
    const evaluate = async (set: CoefficientSet | null): Promise<number> => (set ? 2 : 1);
    const { best, loss } = await searchCoefficients({ one, groupings, range, evaluate });
    expect([best, loss]).toEqual([null, 1]);
  });

  test("a loss that is no number is as bad as can be", async () => {
    const evaluate = async (set: CoefficientSet | null): Promise<number> => (set ? Number.NaN : 3);
    expect((await searchCoefficients({ one, groupings, range, evaluate })).loss).toBe(3);
  });

  test("keeps to fewer tries", async () => {
    for (const evaluations of [1, 2, 9, 17]) {
      const { evaluate, seen } = landscape(2);
      await searchCoefficients({ one, groupings, range, evaluate, evaluations });
      expect(seen.length).toBeLessThanOrEqual(evaluations);
    }
    const { evaluate, seen } = landscape(2);
    await searchCoefficients({ one, groupings: [] as Grouping[], range, evaluate });
    expect(seen.length).toBeLessThanOrEqual(10);
  });
});
