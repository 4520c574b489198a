import { describe, expect, test } from "vitest";
import { accepted, difference, expectSame, int8Cases } from "../helpers.ts";
import { zrlDecode, zrlEncode } from "./tokens.ts";

const VALUES = Int8Array.of(0, 0, 3, 0, -1, 0, 0, 0);
// C, G, m; a stream of Huffman codes: the symbols 5 and 2 have 2 bits, 255 has 1; one raw byte.
const PAYLOAD = Uint8Array.from([
  ...[2, 8, 0, 0, 3, 0, 0],
  ...[2, 7, 0, 0, 0x10, 0x02, 0x21, 0xf0, 0xe9, 0x01, 0b00111],
  0b101,
]);

describe("a zrl payload", () => {
  test("is written and read by hand", () => {
    expectSame(zrlEncode(VALUES, 8), PAYLOAD);
    expectSame(zrlDecode(PAYLOAD, 8), VALUES);
  });

  test("refuses every prefix of a payload, and one byte more", () => {
    for (let size = 0; size < PAYLOAD.length; size++) {
      expect(accepted(() => zrlDecode(PAYLOAD.subarray(0, size), 8))).toBeUndefined();
    }
    expect(accepted(() => zrlDecode(Uint8Array.of(...PAYLOAD, 0), 8))).toBeUndefined();
  });

  test("refuses what a signed nibble cannot hold, if asked to", () => {
    for (const [value, fits] of [
      [-8, true],
      [7, true],
      [8, false],
      [-9, false],
      [16, false],
    ] as const) {
      const payload = zrlEncode(Int8Array.of(value), 1);
      expect(accepted(() => zrlDecode(payload, 1, 4)) !== undefined).toBe(fits);
      expectSame(zrlDecode(payload, 1), Int8Array.of(value));
    }
  });

  test("decodes what it encodes", () => {
    for (const [name, values] of int8Cases(5000)) {
      for (const group of [1, 7, 64, 4999, 0xffffff]) {
        expect(difference(zrlDecode(zrlEncode(values, group), 5000), values), name).toBe("");
      }
    }
  });
});
