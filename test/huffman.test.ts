import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  accepted,
  byteCases,
  decodeTiers,
  expectSame,
  fibonacci,
  has,
  out,
  randomBytes,
  readTable,
  run,
  SIZES,
  SLACK,
  STATUS,
  type Tier,
} from "./helpers.ts";
import { huffmanDecode, huffmanEncode, readStreams, type Table, tableOf, writeStreams } from "./reference.ts";

const THREE = Uint8Array.of(0, 1, 2, 0);
// Lengths 1 2 2, a nibble 0 to fill; then 0, 10, 11, 0 from the lowest bit on.
const THREE_CODED = Uint8Array.of(0x21, 0x02, 0b011010);

describe("the twin", () => {
  test("codes by hand", () => {
    expectSame(huffmanEncode(THREE), THREE_CODED);
    expectSame(huffmanDecode(THREE_CODED, 4), THREE);
  });

  test("holds six streams from 1024 symbols on", () => {
    expect(huffmanEncode(new Uint8Array(1023).fill(3)).length).toBe(2);
    expectSame(huffmanEncode(new Uint8Array(1024).fill(3)), Uint8Array.of(0x20, 0x0f, ...new Uint8Array(15)));
    // One bit a symbol: 171 of them in five streams, 173 in the last, so 22 bytes each.
    const coded = huffmanEncode(new Uint8Array(1028).map((_, i) => i & 1));
    expect([...coded.subarray(0, 16)]).toEqual([0x11, 22, 0, 0, 22, 0, 0, 22, 0, 0, 22, 0, 0, 22, 0, 0]);
    expect(coded.length).toBe(16 + 6 * 22);
  });
});

/** As the caller of the kernels decodes a payload: undefined if one refuses. */
function decode(tier: Tier, payload: Uint8Array, n: number): Uint8Array | undefined {
  const table = readTable(tier, payload);
  if (table.status < 0) return undefined;
  const rest = payload.subarray(table.status);
  if (table.onlySymbol >= 0) return accepted(() => readStreams(rest, n, table));
  const result = run(tier, "huffmanDecode", rest, rest.length, n, table.lengths, out(n), out(8192));
  if (result.status < 0) return undefined;
  expect(result.status).toBe(n);
  return result.out[0];
}

/** Accepts and refuses what the twin does. */
function checkDecode(tier: Tier, payload: Uint8Array, n: number): void {
  const expected = accepted(() => huffmanDecode(payload, n));
  const actual = decode(tier, payload, n);
  const what = `n = ${n}, payload ${payload}`;
  expect(actual === undefined, `${what}: refused`).toBe(expected === undefined);
  if (actual && expected) expectSame(actual, expected, what);
}

/** What the twin makes of the symbols, worked out once for all tiers. */
interface Expected {
  table: Table;
  streams: Uint8Array;
}

function expectedOf(symbols: Uint8Array): Expected {
  const table = tableOf(symbols);
  return { table, streams: writeStreams(symbols, table.lengths) };
}

function checkStreams(tier: Tier, symbols: Uint8Array, { table, streams }: Expected, what: string): void {
  // One symbol alone needs no bits, so no kernel: the caller fills.
  if (table.onlySymbol >= 0) return;
  const n = symbols.length;
  if (has(tier, "huffmanEncode")) {
    const encoded = run(tier, "huffmanEncode", symbols, n, table.lengths, out(streams.length, SLACK), out(4096));
    expect(encoded.status, what).toBe(streams.length);
    expectSame(encoded.out[0], streams, `${what}: encoded`);
  }
  const decoded = run(tier, "huffmanDecode", streams, streams.length, n, table.lengths, out(n), out(8192));
  expect(decoded.status, what).toBe(n);
  expectSame(decoded.out[0], symbols, `${what}: decoded`);
}

test.each(SIZES.slice(1))("every tier agrees with the twin on %i symbols", { timeout: 30000 }, (n) => {
  const two = randomBytes(n, 8).map((byte) => (byte & 1) * 200);
  for (const [name, symbols] of [...byteCases(n), ["two symbols", two] as const]) {
    const expected = expectedOf(symbols);
    for (const tier of decodeTiers()) checkStreams(tier, symbols, expected, `${name} on ${tier.name}`);
  }
});

test("every tier agrees with the twin on codes of every length up to 11", () => {
  const symbols = fibonacci();
  const mixed = symbols.map((_, i) => symbols[(i * 7919) % symbols.length]);
  for (const tier of decodeTiers()) checkStreams(tier, mixed, expectedOf(mixed), `fibonacci on ${tier.name}`);
});

describe.each(decodeTiers())("huffman on $name", (tier) => {
  test("codes by hand", () => {
    expectSame(decode(tier, THREE_CODED, 4) ?? new Uint8Array(0), THREE);
    if (!has(tier, "huffmanEncode")) return;
    const { lengths } = tableOf(THREE);
    expectSame(run(tier, "huffmanEncode", THREE, 4, lengths, out(1, SLACK), out(4096)).out[0], THREE_CODED.subarray(2));
  });

  test("decodes what it codes", () => {
    const symbol = fc.oneof(fc.constant(0), fc.nat({ max: 9 }), fc.nat({ max: 255 }));
    const symbols = fc.array(symbol, { minLength: 1, maxLength: 2600, size: "max" });
    const check = (some: number[]) => {
      const bytes = Uint8Array.from(some);
      checkStreams(tier, bytes, expectedOf(bytes), "any symbols");
    };
    fc.assert(fc.property(symbols, check));
  });

  test.each([5, 300, 1023, 1024, 1500])("refuses every prefix of a payload of %i symbols, and one byte more", (n) => {
    const symbols = randomBytes(n, n).map((byte) => byte % 7);
    const payload = huffmanEncode(symbols);
    for (let size = 0; size < payload.length; size++) {
      expect(decode(tier, payload.subarray(0, size), n), `${size} bytes`).toBeUndefined();
    }
    expect(decode(tier, Uint8Array.of(...payload, 0), n)).toBeUndefined();
    expectSame(decode(tier, payload, n) ?? new Uint8Array(0), symbols);
  });

  test("names what is wrong", () => {
    const status = (lengths: Uint8Array, n: number, bytes: number[]) =>
      run(tier, "huffmanDecode", Uint8Array.from(bytes), bytes.length, n, lengths, out(n), out(8192)).status;
    const bit = tableOf(Uint8Array.of(0, 1)).lengths;
    const zeros = (n: number) => new Array<number>(n).fill(0);
    expect(status(bit, 9, [0])).toBe(STATUS.BITS);
    expect(status(bit, 7, [0, 0])).toBe(STATUS.BITS);
    expect(status(bit, 7, [0x80])).toBe(STATUS.PADDING);
    expect(status(bit, 1200, zeros(14))).toBe(STATUS.SIZES);
    const sizes = [25, 0, 0, 25, 0, 0, 25, 0, 0, 25, 0, 0];
    expect(status(bit, 1200, [...sizes, 25, 0, 0, ...zeros(150)])).toBe(1200);
    expect(status(bit, 1200, [...sizes, 25, 0, 1, ...zeros(150)])).toBe(STATUS.SIZES);
    expect(status(bit, 1200, [...sizes, 24, 0, 0, ...zeros(150)])).toBe(STATUS.BITS);
    expect(status(bit, 1200, [...sizes, 25, 0, 0, ...zeros(151)])).toBe(STATUS.BITS);
    expect(status(bit, 1201, [...sizes, 25, 0, 0, ...zeros(150), 2])).toBe(STATUS.PADDING);
  });
});

describe.each(decodeTiers())("hostile payloads on $name", (tier) => {
  const change = fc.tuple(fc.nat(), fc.nat({ max: 255 }));
  const changes = fc.array(change, { maxLength: 3 });

  test("are decoded or refused as by the twin when changed", () => {
    const check = (n: number, kinds: number, edits: [at: number, bits: number][], grow: number) => {
      const payload = huffmanEncode(randomBytes(n, kinds).map((byte) => byte % kinds));
      const changed = new Uint8Array(Math.max(0, payload.length + grow));
      changed.set(payload.subarray(0, changed.length));
      for (const [at, bits] of edits) changed[at % changed.length] ^= bits;
      checkDecode(tier, changed, n);
    };
    const count = fc.constantFrom(1, 2, 9, 700, 1023, 1024, 1025, 1300);
    const grow = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: -3, max: 2 }));
    fc.assert(fc.property(count, fc.integer({ min: 1, max: 40 }), changes, grow, check), { numRuns: 400 });
  });

  test("are decoded or refused as by the twin when only streams are changed", () => {
    // With codes of one length every bit string is a symbol: changed payloads stay valid but for their ends.
    const check = (n: number, edits: [at: number, bits: number][]) => {
      const payload = huffmanEncode(new Uint8Array(n).map((_, i) => i % 8));
      const streams = 4 + (n < 1024 ? 0 : 15);
      for (const [at, bits] of edits) payload[streams + (at % (payload.length - streams))] ^= bits;
      checkDecode(tier, payload, n);
    };
    fc.assert(fc.property(fc.integer({ min: 8, max: 1500 }), changes, check), { numRuns: 200 });
  });

  test("are decoded or refused as by the twin when their sizes lie", () => {
    const size = fc.oneof(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 0xffffff }));
    const check = (sizes: number[], more: number) => {
      const head = sizes.flatMap((s) => [s & 255, (s >> 8) & 255, s >> 16]);
      checkDecode(tier, Uint8Array.from([0x11, ...head, ...new Array<number>(more).fill(0)]), 1200);
    };
    fc.assert(fc.property(fc.array(size, { minLength: 5, maxLength: 5 }), fc.integer({ min: 0, max: 400 }), check));
    check([25, 25, 25, 25, 25], 150);
    check([0, 0, 0, 0, 0], 150);
    check([25, 25, 25, 25, 50], 150);
  });

  test("are decoded or refused as by the twin when random, or for another count", () => {
    const bytes = fc.uint8Array({ maxLength: 80, size: "max" });
    const check = (some: Uint8Array, n: number) => checkDecode(tier, Uint8Array.from(some), n);
    fc.assert(fc.property(bytes, fc.integer({ min: 1, max: 90 }), check), { numRuns: 300 });
    const payload = huffmanEncode(randomBytes(1100, 3).map((byte) => byte % 5));
    for (const n of [1, 1023, 1024, 1095, 1099, 1100, 1101, 1106, 2000]) checkDecode(tier, payload, n);
  });
});
