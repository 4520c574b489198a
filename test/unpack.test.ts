import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectSame, out, randomBytes, run, SIZES, SLACK, type Tier, tiers } from "./helpers.ts";
import { bytesOfBits } from "./reference/bits.ts";
import { unpack } from "./reference.ts";

const DEPTHS = [1, 2, 3, 4, 5, 6, 7, 8];

test("the twin unpacks by hand", () => {
  // From the lowest bit on: 5, 1, 7, 0 of three bits.
  const packed = Uint8Array.of(0b11001101, 0b0001);
  expectSame(unpack(packed, 4, 3, Uint8Array.of(10, 11, 12, 13, 14, 15, 16, 17)), Uint8Array.of(15, 11, 17, 10));
});

function check(tier: Tier, packed: Uint8Array, n: number, depth: number, symbols: Uint8Array, what: string): void {
  const result = run(tier, "unpack", packed, n, depth, symbols, out(n, SLACK));
  expect(result.status, what).toBe(n);
  expectSame(result.out[0], unpack(packed, n, depth, symbols), what);
}

describe.each(tiers())("unpack on $name", (tier) => {
  test.each(DEPTHS)("gives every field of %i bits at every place back", (depth) => {
    const symbols = randomBytes(2 ** depth, depth);
    for (let place = 0; place < 2 ** depth; place++) {
      const bits = Array.from({ length: 64 * depth }, (_, i) => (place >> (i % depth)) & 1);
      const packed = bytesOfBits(bits);
      const result = run(tier, "unpack", packed, 64, depth, symbols, out(64, SLACK));
      expectSame(result.out[0], new Uint8Array(64).fill(symbols[place]), `place ${place}`);
    }
  });

  test.each(DEPTHS)("agrees with the twin on any count of fields of %i bits", (depth) => {
    const identity = new Uint8Array(2 ** depth).map((_, i) => i);
    const counts = [...SIZES.filter((n) => n <= 65537), ...Array.from({ length: 70 }, (_, n) => n), 32767, 32768];
    for (const n of counts) {
      // As kernels find them: no bit set behind the last field.
      const packed = randomBytes(Math.ceil((n * depth) / 8), n);
      if ((n * depth) % 8 > 0) packed[packed.length - 1] &= (1 << ((n * depth) % 8)) - 1;
      check(tier, packed, n, depth, identity, `${n} fields`);
      check(tier, packed, n, depth, randomBytes(2 ** depth, n), `${n} fields looked up`);
    }
  });

  test("unpacks any fields", () => {
    const any = (depth: number, n: number, seed: number) => {
      check(
        tier,
        randomBytes(Math.ceil((n * depth) / 8), seed),
        n,
        depth,
        randomBytes(2 ** depth, seed + 1),
        `seed ${seed}`,
      );
    };
    fc.assert(fc.property(fc.constantFrom(...DEPTHS), fc.nat({ max: 1000 }), fc.nat(), any), { numRuns: 300 });
  });
});
