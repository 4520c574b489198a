import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesOf, decodeTiers, expectSame, has, out, randomBytes, run, SIZES, type Tier, weights } from "./helpers.ts";
import { mergePlanes, splitPlanes } from "./reference.ts";

// 1.0 = 3f800000, rotated left 7f000000; -2.0 = c0000000, rotated 80000001.
const FLOATS = bytesOf(Float32Array.of(1, -2));
const PLANES = Uint8Array.of(0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x7f, 0x80);
const UNROTATED = Uint8Array.of(0x00, 0x00, 0x00, 0x00, 0x80, 0x00, 0x3f, 0xc0);

function check(tier: Tier, bytes: Uint8Array, width: number, rotate: boolean): void {
  const planes = splitPlanes(bytes, width, rotate);
  const what = `${bytes.length} bytes of width ${width}, rotate ${rotate}`;
  const n = bytes.length / width;
  if (has(tier, "splitPlanes")) {
    const split = run(tier, "splitPlanes", bytes, n, width, Number(rotate), out(bytes.length));
    expect(split.status, what).toBe(bytes.length);
    expectSame(split.out[0], planes, `split ${what}`);
  }
  const merged = run(tier, "mergePlanes", planes, n, width, Number(rotate), out(bytes.length));
  expect(merged.status, what).toBe(bytes.length);
  expectSame(merged.out[0], bytes, `merge ${what}`);
}

describe("the twin", () => {
  test("splits by hand", () => {
    expectSame(splitPlanes(FLOATS, 4, true), PLANES);
    expectSame(splitPlanes(FLOATS, 4, false), UNROTATED);
    expectSame(splitPlanes(Uint8Array.of(1, 0x80, 0xff, 0), 2, true), Uint8Array.of(3, 0xfe, 0, 1));
  });

  test("puts planes together again", () => {
    for (const width of [2, 4, 8]) {
      for (const rotate of [false, true]) {
        const bytes = randomBytes(width * 37, width);
        expectSame(mergePlanes(splitPlanes(bytes, width, rotate), width, rotate), bytes);
      }
    }
  });
});

describe.each(decodeTiers())("planes on $name", (tier) => {
  test("split by hand", () => {
    if (has(tier, "splitPlanes")) {
      expectSame(run(tier, "splitPlanes", FLOATS, 2, 4, 1, out(8)).out[0], PLANES);
      expectSame(run(tier, "splitPlanes", FLOATS, 2, 4, 0, out(8)).out[0], UNROTATED);
    }
    expectSame(run(tier, "mergePlanes", PLANES, 2, 4, 1, out(8)).out[0], FLOATS);
  });

  test.each(SIZES)("agree with their twin on %i elements", (n) => {
    check(tier, bytesOf(weights(n, 1)), 4, true);
    for (const width of n < 2000 ? [2, 4, 8] : [2, 8]) {
      for (const rotate of n < 2000 ? [false, true] : [n % 2 === 1]) {
        check(tier, randomBytes(n * width, n), width, rotate);
      }
    }
  });

  test("agree with their twin on any elements", () => {
    const bytes = fc.uint8Array({ maxLength: 600, size: "max" });
    fc.assert(
      fc.property(bytes, fc.constantFrom(2, 4, 8), fc.boolean(), (array, width, rotate) => {
        check(tier, Uint8Array.from(array.subarray(0, array.length - (array.length % width))), width, rotate);
      }),
    );
  });
});
