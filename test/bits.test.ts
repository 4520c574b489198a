import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codes, decodeTiers, expectSame, out, run, SIZES, type Tier } from "./helpers.ts";
import { pack4, unpack4 } from "./reference.ts";

const BY_HAND = Int8Array.of(-8, 7, 1, -1, 0);
const PACKED = Uint8Array.of(0x78, 0xf1, 0x00);

function check(tier: Tier, values: Int8Array): void {
  const bytes = pack4(values);
  const packed = run(tier, "pack4", values, values.length, out(bytes.length));
  expect(packed.status).toBe(bytes.length);
  expectSame(packed.out[0], bytes);
  const unpacked = run(tier, "unpack4", bytes, values.length, out(values.length));
  expect(unpacked.status).toBe(values.length);
  expectSame(unpacked.out[0], values);
}

test("the twin packs by hand: the earlier code in the low nibble", () => {
  expectSame(pack4(BY_HAND), PACKED);
  expectSame(unpack4(PACKED, 5), BY_HAND);
});

describe.each(decodeTiers())("bits on $name", (tier) => {
  test("pack and unpack by hand", () => {
    expectSame(run(tier, "pack4", BY_HAND, 5, out(3)).out[0], PACKED);
    expectSame(run(tier, "unpack4", PACKED, 5, out(5)).out[0], BY_HAND);
  });

  test("unpack every pair of nibbles", () => {
    const bytes = new Uint8Array(256).map((_, i) => i);
    expectSame(run(tier, "unpack4", bytes, 512, out(512)).out[0], unpack4(bytes, 512));
  });

  test.each(SIZES)("agree with their twin on %i codes", (n) => {
    check(
      tier,
      codes(n, 4, n).map((code) => Math.max(-8, Math.min(7, code))),
    );
  });

  test("agree with their twin on any codes", () => {
    const values = fc.int8Array({ min: -8, max: 7, maxLength: 300, size: "max" });
    fc.assert(fc.property(values, (array) => check(tier, Int8Array.from(array))));
  });
});
