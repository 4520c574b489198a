import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  byteCases,
  decodeTiers,
  expectSame,
  has,
  out,
  outcome,
  randomBytes,
  run,
  SIZES,
  SLACK,
  STATUS,
  type Tier,
} from "./helpers.ts";
import { type Masked, maskCount, maskJoin, maskSplit } from "./reference.ts";

const BYTES = Uint8Array.of(0, 5, 0, 0, 255, 0, 0, 128, 0, 1);
const MASK = Uint8Array.of(0b10010010, 0b10);
const VALUES = Uint8Array.of(5, 255, 128, 1);

describe("the twin", () => {
  test("splits and joins by hand", () => {
    expect(maskSplit(BYTES)).toEqual({ mask: MASK, values: VALUES });
    expect(maskCount(MASK, 10)).toBe(4);
    expectSame(maskJoin(MASK, VALUES, 10), BYTES);
  });

  test("refuses a set bit behind the last byte", () => {
    expect(() => maskCount(MASK, 9)).toThrow("PADDING");
    expect(maskCount(Uint8Array.of(0x7f), 7)).toBe(7);
    expect(() => maskCount(Uint8Array.of(0xff), 7)).toThrow("PADDING");
  });

  test("joins stored bytes that are zero", () => {
    expectSame(maskJoin(Uint8Array.of(0b101), Uint8Array.of(0, 7), 3), Uint8Array.of(0, 0, 7));
  });
});

function checkJoin(tier: Tier, { mask, values }: Masked, n: number, what: string): void {
  expect(run(tier, "maskCount", mask, n).status, what).toBe(values.length);
  const joined = run(tier, "maskExpand", mask, n, values, out(n, SLACK));
  expect(joined.status, what).toBe(values.length);
  expectSame(joined.out[0], maskJoin(mask, values, n), `${what}: joined`);
}

function check(tier: Tier, bytes: Uint8Array, masked: Masked, what: string): void {
  const { mask, values } = masked;
  const n = bytes.length;
  if (has(tier, "maskSplit")) {
    const split = run(tier, "maskSplit", bytes, n, out(mask.length, SLACK), out(values.length, SLACK));
    expect(split.status, what).toBe(values.length);
    expectSame(split.out[0], mask, `${what}: mask`);
    expectSame(split.out[1], values, `${what}: values`);
  }
  checkJoin(tier, masked, n, what);
}

test.each(SIZES)("every tier agrees with the twin on %i bytes", { timeout: 30000 }, (n) => {
  for (const [name, bytes] of byteCases(n)) {
    const masked = maskSplit(bytes);
    for (const tier of decodeTiers()) check(tier, bytes, masked, `${name} on ${tier.name}`);
  }
});

describe.each(decodeTiers())("mask on $name", (tier) => {
  test("splits and joins by hand", () => {
    check(tier, BYTES, { mask: MASK, values: VALUES }, "by hand");
  });

  test("splits and joins any bytes", () => {
    const byte = fc.oneof(fc.constant(0), fc.nat({ max: 255 }));
    const any = (some: number[]) => {
      const bytes = Uint8Array.from(some);
      check(tier, bytes, maskSplit(bytes), `${some}`);
    };
    fc.assert(fc.property(fc.array(byte, { maxLength: 400, size: "max" }), any), { numRuns: 200 });
  });

  test("joins under any mask, whatever the stored bytes", () => {
    const any = (n: number, seed: number, sparse: boolean) => {
      const mask = randomBytes(Math.ceil(n / 8), seed).map((byte, i) => (sparse && i % 5 > 0 ? 0 : byte));
      if (n % 8 > 0) mask[mask.length - 1] &= (1 << (n % 8)) - 1;
      const values = randomBytes(maskCount(mask, n), seed + 1).map((byte) => (byte < 128 ? 0 : byte));
      checkJoin(tier, { mask, values }, n, `n = ${n}, mask ${mask}`);
    };
    fc.assert(fc.property(fc.integer({ min: 1, max: 2000 }), fc.nat(), fc.boolean(), any), { numRuns: 200 });
  });

  test("refuses every set bit behind the last byte, and no other", () => {
    for (const n of [1, 5, 8, 9, 127, 128, 129, 260]) {
      for (let bit = 0; bit < 8 * Math.ceil(n / 8); bit++) {
        const mask = new Uint8Array(Math.ceil(n / 8));
        mask[bit >> 3] = 1 << (bit & 7);
        const { status } = run(tier, "maskCount", mask, n);
        expect(status, `bit ${bit} of ${n}`).toBe(bit < n ? 1 : STATUS.PADDING);
        expect(status).toBe(outcome(() => maskCount(mask, n)));
      }
    }
  });
});
