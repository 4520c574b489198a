import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeTiers, expectSame, has, out, randomBytes, run, SIZES, SLACK, type Tier } from "./helpers.ts";
import { packFields, unpack } from "./reference.ts";

const WIDTHS = [1, 2, 3, 4, 5, 6, 7, 8];

describe("the twin", () => {
  test("packs by hand", () => {
    // From the lowest bit on: 5, 1, 7, 0 of three bits.
    const packed = Uint8Array.of(0b11001101, 0b0001);
    expectSame(packFields(Uint8Array.of(5, 1, 7, 0), 3), packed);
    expectSame(unpack(packed, 4, 3, Uint8Array.of(10, 11, 12, 13, 14, 15, 16, 17)), Uint8Array.of(15, 11, 17, 10));
  });

  test("packs a group of 128 by hand", () => {
    // Three bits, in lane 2: rows 0, 1, 2 lie low in its three bytes; rows 3..7 are 4, 2, 7, 1, 6: from the lowest bit of
    // each on 001 010 111 100 011, five of them on top of each byte: 00101, 01111, 00011.
    const fields = new Uint8Array(128);
    [5, 1, 3, 4, 2, 7, 1, 6].forEach((field, row) => {
      fields[16 * row + 2] = field;
    });
    const packed = new Uint8Array(48);
    [packed[2], packed[18], packed[34]] = [0b10100_101, 0b11110_001, 0b11000_011];
    expectSame(packFields(fields, 3), packed);
    expectSame(unpack(packed, 128, 3, Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7)), fields);
  });

  test.each(WIDTHS)("gives every field of %i bits back, each bit in a place of its own", (width) => {
    const symbols = new Uint8Array(2 ** width).map((_, i) => i);
    for (const n of [1, 127, 128, 129, 255, 256, 300]) {
      expectSame(
        unpack(packFields(new Uint8Array(n).fill(2 ** width - 1), width), n, width, symbols).filter(
          (x) => x + 1 < 2 ** width,
        ),
        new Uint8Array(0),
      );
      const fields = randomBytes(n, n).map((byte) => byte & (2 ** width - 1));
      expectSame(unpack(packFields(fields, width), n, width, symbols), fields);
    }
  });
});

function check(tier: Tier, packed: Uint8Array, n: number, width: number, symbols: Uint8Array, what: string): void {
  const result = run(tier, "unpack", packed, n, width, symbols, out(n, SLACK));
  expect(result.status, what).toBe(n);
  expectSame(result.out[0], unpack(packed, n, width, symbols), what);
}

function checkPack(tier: Tier, fields: Uint8Array, width: number, first: number, what: string): void {
  if (!has(tier, "packFields")) return;
  const packed = packFields(fields, width);
  const bytes = fields.map((field) => field + first);
  const result = run(tier, "packFields", bytes, bytes.length, width, first, out(packed.length, SLACK));
  expect(result.status, what).toBe(packed.length);
  expectSame(result.out[0], packed, what);
}

describe.each(decodeTiers())("unpack on $name", (tier) => {
  test.each(WIDTHS)("gives every field of %i bits at every place back", (width) => {
    const symbols = randomBytes(2 ** width, width);
    for (let place = 0; place < 2 ** width; place++) {
      const packed = packFields(new Uint8Array(200).fill(place), width);
      const result = run(tier, "unpack", packed, 200, width, symbols, out(200, SLACK));
      expectSame(result.out[0], new Uint8Array(200).fill(symbols[place]), `place ${place}`);
    }
  });

  test.each(WIDTHS)("agrees with the twin on any count of fields of %i bits", (width) => {
    const identity = new Uint8Array(2 ** width).map((_, i) => i);
    const counts = [...SIZES.filter((n) => n <= 65537), ...Array.from({ length: 300 }, (_, n) => n), 32767, 32768];
    for (const n of counts) {
      // As kernels find them: no bit set behind the last field.
      const packed = randomBytes(Math.ceil((n * width) / 8), n);
      if ((n * width) % 8 > 0) packed[packed.length - 1] &= (1 << ((n * width) % 8)) - 1;
      check(tier, packed, n, width, identity, `${n} fields`);
      check(tier, packed, n, width, randomBytes(2 ** width, n), `${n} fields looked up`);
    }
  });

  test.each(WIDTHS)("packs any count of fields of %i bits as the twin does", (width) => {
    for (const n of [...SIZES.filter((size) => size <= 65537), ...Array.from({ length: 300 }, (_, i) => i), 32768]) {
      const fields = randomBytes(n, n).map((byte) => byte & (2 ** width - 1));
      for (const first of [0, 256 - 2 ** width]) checkPack(tier, fields, width, first, `${n} fields from ${first}`);
    }
  });

  test("unpacks any fields", () => {
    const any = (width: number, n: number, seed: number) => {
      check(
        tier,
        randomBytes(Math.ceil((n * width) / 8), seed),
        n,
        width,
        randomBytes(2 ** width, seed + 1),
        `seed ${seed}`,
      );
    };
    fc.assert(fc.property(fc.constantFrom(...WIDTHS), fc.nat({ max: 1000 }), fc.nat(), any), { numRuns: 300 });
  });
});
