import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { byteCases, expectSame, out, run, SIZES, tiers, u32 } from "./helpers.ts";
import { histogram } from "./reference.ts";

const BY_HAND = Uint8Array.of(0, 255, 7, 255, 255);

test("the twin counts by hand", () => {
  const counts = histogram(BY_HAND);
  expect([counts[0], counts[7], counts[255]]).toEqual([1, 1, 3]);
  expect(counts.reduce((sum, count) => sum + count)).toBe(5);
});

describe.each(tiers())("histogram on $name", (tier) => {
  function check(bytes: Uint8Array, what?: string): void {
    const result = run(tier, "histogram", bytes, bytes.length, out(1024));
    expect(result.status, what).toBe(256);
    expectSame(u32(result.out[0]), histogram(bytes), what);
  }

  test("counts by hand", () => check(BY_HAND));

  test.each(SIZES)("agrees with its twin on %i bytes", (n) => {
    for (const [name, bytes] of byteCases(n)) check(bytes, name);
  });

  test("agrees with its twin on any bytes", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 700, size: "max" }), (bytes) => check(bytes)));
  });
});
