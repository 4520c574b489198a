import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Choice, costsOf, type Most, type Solution, solve } from "../src/strategy/solve.ts";
import { random } from "./random.ts";

// The budget problem, by brute force where that is possible.

function best(rows: readonly (readonly Choice[])[], most: Most): Solution | null {
  const { bytes = Number.POSITIVE_INFINITY, ms = Number.POSITIVE_INFINITY } = most;
  let found: Solution | null = null;
  const walk = (choices: number[]): void => {
    if (choices.length < rows.length) {
      for (let i = 0; i < rows[choices.length].length; i++) walk([...choices, i]);
      return;
    }
    const one = costsOf(rows, choices);
    if (one.bytes <= bytes && one.ms <= ms && Number.isFinite(one.loss) && !(found && found.loss <= one.loss))
      found = one;
  };
  walk([]);
  return found;
}

const choice = fc.record({
  loss: fc.oneof({ weight: 20, arbitrary: fc.integer({ min: 0, max: 50 }) }, fc.constant(Number.POSITIVE_INFINITY)),
  bytes: fc.integer({ min: 0, max: 40 }),
  ms: fc.integer({ min: 0, max: 5 }),
});
const tables = fc.array(fc.array(choice, { minLength: 1, maxLength: 4 }), { maxLength: 5 });

describe("solve", () => {
  test("is as good as trying all choices", () => {
    fc.assert(
      fc.property(tables, fc.integer({ min: 0, max: 120 }), fc.integer({ min: 0, max: 18 }), (rows, bytes, ms) => {
        for (const most of [{ bytes }, { ms }, { bytes, ms }, {}]) {
          const [found, expected] = [solve(rows, most), best(rows, most)];
          expect(found?.loss).toBe(expected?.loss);
          if (!found) continue;
          expect(found).toEqual(costsOf(rows, found.choices));
          expect(found.bytes).toBeLessThanOrEqual(most.bytes ?? Number.POSITIVE_INFINITY);
          expect(found.ms).toBeLessThanOrEqual(most.ms ?? Number.POSITIVE_INFINITY);
        }
      }),
      { numRuns: 400, seed: 7 },
    );
  });

  test("with few states keeps the limits, is near the best, and the same each time", () => {
    const next = random(5);
    const rows = Array.from({ length: 30 }, () =>
      Array.from({ length: 8 }, (_, i) => ({ loss: next() * 2 ** -i, bytes: 100 * (i + 1) + 50 * next() })),
    );
    for (const bytes of [5000, 9000, 14000, 20000]) {
      const [few, many] = [solve(rows, { bytes }, 100), solve(rows, { bytes }, 100_000)];
      if (!few || !many) throw new Error("a solution was there");
      expect(few.bytes).toBeLessThanOrEqual(bytes);
      expect(few.loss).toBeGreaterThanOrEqual(many.loss);
      expect(few.loss).toBeLessThan(1.02 * many.loss);
      expect(solve(rows, { bytes }, 100)).toEqual(few);
    }
  });

  test("more bytes are never worse", () => {
    fc.assert(
      fc.property(tables, fc.integer({ min: 0, max: 120 }), (rows, bytes) => {
        const [less, more] = [solve(rows, { bytes }), solve(rows, { bytes: bytes + 10 })];
        expect(more?.loss ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(less?.loss ?? Number.POSITIVE_INFINITY);
      }),
      { numRuns: 200, seed: 3 },
    );
  });

  test("nothing to choose, and nothing that can be", () => {
    expect(solve([], {})).toEqual({ choices: [], loss: 0, bytes: 0, ms: 0 });
    expect(solve([[{ loss: 1, bytes: 5 }], []], {})).toBeNull();
    expect(solve([[{ loss: 1, bytes: 5 }]], { bytes: 4 })).toBeNull();
    expect(solve([[{ loss: Number.NaN, bytes: 1 }]], {})).toBeNull();
  });
});
