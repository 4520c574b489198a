import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  byteCases,
  decodeTiers,
  encodeNodes,
  expectSame,
  fibonacci,
  has,
  inout,
  out,
  random,
  randomBytes,
  run,
  SLACK,
  type Tier,
  treeFor,
  WORK,
} from "./helpers.ts";
import { concat } from "./reference/huffman.ts";
import {
  BLOCK,
  codeLengths,
  flatsOf,
  histogram,
  PIVOT_LIMIT,
  pivotDecode,
  pivotEncode,
  readNodes,
  treeOf,
  writeLengths,
  writeNodes,
} from "./reference.ts";
import { completeCode, drawn, shapes } from "./trees.ts";

const LENGTHS = [1, 2, 7, 8, 9, 31, 33, 255, 1023, 4097, 32767, 32768];

const SYMBOLS = Uint8Array.of(5, 7, 5, 6, 5, 5, 8, 5);
const CODE = new Uint8Array(256);
[CODE[5], CODE[6], CODE[7], CODE[8]] = [1, 3, 3, 2];
// -128 to 4 absent, 133 symbols, then lengths 1 3 3 2; the root, the inner node beside {5}, the flat {6, 7}.
const TABLE = [0xf0, 0x75, 0x31, 0x23];
const NODES = [0x4a, 0x03, 0x01];

describe("the twin", () => {
  test("codes by hand", () => {
    expectSame(writeNodes(SYMBOLS, CODE), Uint8Array.from(NODES));
    expectSame(pivotEncode(SYMBOLS, CODE), Uint8Array.of(2, ...TABLE, ...NODES));
    expectSame(pivotDecode(Uint8Array.of(2, ...TABLE, ...NODES), 8), SYMBOLS);
  });

  test("cuts flats by the count's binary digits, in signed order", () => {
    const lengths = new Uint8Array(256).fill(3, 125, 132).fill(4, 0, 2);
    expect(flatsOf(lengths)).toEqual([
      { length: 3, bits: 2, symbols: [128, 129, 130, 131] },
      { length: 3, bits: 1, symbols: [125, 126] },
      { length: 3, bits: 0, symbols: [127] },
      { length: 4, bits: 1, symbols: [0, 1] },
    ]);
    // Depth 1: the flat of 4. Depth 2: the flat of 2. Depth 3: the single leaf, then the flat of {0, 1}.
    const leaves = treeOf(lengths).map((node) => ("left" in node ? node.left : node.symbols));
    expect(leaves).toEqual([1, [128, 129, 130, 131], 3, [125, 126], 5, [127], [0, 1]]);
  });

  test("reads a root that is a flat", () => {
    const lengths = new Uint8Array(256).fill(8);
    const symbols = randomBytes(300, 1);
    // Place 0 is -128; fields of 8 bits lie as they are, in groups or not.
    expectSame(
      writeNodes(symbols, lengths),
      symbols.map((symbol) => symbol ^ 128),
    );
    expectSame(
      readNodes(symbols, 300, lengths).symbols,
      symbols.map((symbol) => symbol ^ 128),
    );
  });

  test("lays 128 fields of one bit into 16 lanes", () => {
    // Symbols 0 and 1; only the last of lane 3 and the first behind the group are 1.
    const symbols = new Uint8Array(129);
    [symbols[16 * 7 + 3], symbols[128]] = [1, 1];
    const bytes = new Uint8Array(17);
    [bytes[3], bytes[16]] = [0x80, 1];
    const lengths = new Uint8Array(256).fill(1, 0, 2);
    expectSame(writeNodes(symbols, lengths), bytes);
    expectSame(readNodes(bytes, 129, lengths).symbols, symbols);
  });

  test("starts a block anew after 32768 symbols, under the lengths it has", () => {
    const symbols = concat(
      new Uint8Array(BLOCK).fill(9),
      randomBytes(BLOCK + 3, 2).map((x) => x & 3),
    );
    symbols[2 * BLOCK] = 9;
    const lengths = codeLengths(histogram(symbols), PIVOT_LIMIT);
    const payload = pivotEncode(symbols, lengths);
    const table = writeLengths(lengths, -1, 12);
    const second = writeNodes(symbols.subarray(BLOCK, 2 * BLOCK), lengths);
    const third = writeNodes(symbols.subarray(2 * BLOCK), lengths);
    expectSame(payload, Uint8Array.of(1, 9, 2, ...table, ...second, 3, ...third));
    expectSame(pivotDecode(payload, symbols.length), symbols);
  });
});

function checkBlock(tier: Tier, symbols: Uint8Array, lengths: Uint8Array, nodes: Uint8Array, what: string): void {
  const n = symbols.length;
  if (has(tier, "pivotNodes")) {
    const encoded = encodeNodes(tier, symbols, lengths, nodes.length);
    expect(encoded.status, what).toBe(nodes.length);
    expectSame(encoded.out[0], nodes, `${what}: encoded`);
  }
  const block = concat(Uint8Array.of(2), writeLengths(lengths, -1, 12), nodes);
  const decoded = run(tier, "pivotBlock", block, block.length, n, 1, out(n, SLACK), out(WORK));
  expect(decoded.status, what).toBe(block.length);
  expectSame(decoded.out[0], symbols, `${what}: decoded`);
}

/** On every tier, with what the twin makes of it worked out once. */
function checkAll(symbols: Uint8Array, lengths: Uint8Array, what: string): void {
  const nodes = writeNodes(symbols, lengths);
  expectSame(readNodes(nodes, symbols.length, lengths).symbols, symbols, `${what}: the twin`);
  for (const tier of decodeTiers()) checkBlock(tier, symbols, lengths, nodes, `${what} on ${tier.name}`);
}

test.each(LENGTHS)("every tier agrees with the twin on %i symbols", { timeout: 30000 }, (n) => {
  const two = randomBytes(n, 8).map((byte) => (byte & 1) * 200);
  for (const [name, symbols] of [...byteCases(n), ["two symbols", two] as const]) {
    const lengths = codeLengths(histogram(symbols), PIVOT_LIMIT);
    if (lengths.some((length) => length > 0)) checkAll(symbols, lengths, name);
  }
});

test("every tier agrees with the twin on codes of every length up to 12", () => {
  const symbols = fibonacci();
  const mixed = symbols.map((_, i) => symbols[(i * 7919) % symbols.length]);
  const lengths = codeLengths(histogram(mixed), PIVOT_LIMIT);
  expect(Math.max(...lengths)).toBe(12);
  for (let start = 0; start < mixed.length; start += BLOCK) {
    checkAll(mixed.subarray(start, start + BLOCK), lengths, `fibonacci from ${start}`);
  }
});

test.each(shapes())("every tier agrees with the twin on a tree of %s", { timeout: 30000 }, (name, lengths) => {
  const next = random(3);
  for (const n of [1, 9, 33, 1023, 32768]) {
    checkAll(drawn(lengths, n, next, true), lengths, `${name}, ${n} symbols like bits`);
    checkAll(drawn(lengths, n, next, false), lengths, `${name}, ${n} symbols at will`);
  }
});

test("every tier agrees with the twin where most nodes are passed by no symbol", () => {
  for (const [name, lengths] of shapes()) {
    const present = [...lengths.keys()].filter((symbol) => lengths[symbol] > 0);
    const some = [present[0], present[present.length - 1], present[present.length >> 1]];
    for (const symbol of some) checkAll(new Uint8Array(50).fill(symbol), lengths, `${name}, only ${symbol}`);
    checkAll(
      new Uint8Array(70).map((_, i) => some[i % 2]),
      lengths,
      `${name}, two symbols`,
    );
  }
});

describe.each(decodeTiers())("pivot on $name", (tier) => {
  test("codes by hand", () => {
    if (has(tier, "pivotNodes")) {
      const encoded = encodeNodes(tier, SYMBOLS, CODE, 3);
      expect(encoded.status).toBe(3);
      expectSame(encoded.out[0], Uint8Array.from(NODES));
    }
    const block = Uint8Array.of(2, ...TABLE, ...NODES);
    const decoded = run(tier, "pivotBlock", block, block.length, 8, 1, out(8, SLACK), out(WORK));
    expect(decoded.status).toBe(block.length);
    expectSame(decoded.out[0], SYMBOLS);
  });

  test.each([1, 8, 100, 32768])("takes raw and constant blocks of %i symbols, whatever follows", (n) => {
    const symbols = randomBytes(n, n);
    const raw = concat(Uint8Array.of(0), symbols, Uint8Array.of(9, 9));
    const copied = run(tier, "pivotBlock", raw, raw.length, n, 1, out(n, SLACK), out(WORK));
    expect(copied.status).toBe(1 + n);
    expectSame(copied.out[0], symbols);
    const filled = run(tier, "pivotBlock", Uint8Array.of(1, 77, 9), 3, n, 0, out(n, SLACK), out(WORK));
    expect(filled.status).toBe(2);
    expectSame(filled.out[0], new Uint8Array(n).fill(77));
  });

  test("keeps the tree between the blocks of a payload", () => {
    const codes = shapes();
    let work: Uint8Array = randomBytes(WORK, 5);
    const take = (first: number, block: Uint8Array, symbols: Uint8Array) => {
      const result = run(
        tier,
        "pivotBlock",
        block,
        block.length,
        symbols.length,
        first,
        out(symbols.length, SLACK),
        inout(work),
      );
      expect(result.status).toBe(block.length);
      expectSame(result.out[0], symbols);
      work = result.out[1];
    };
    codes.forEach(([, lengths], i) => {
      const [a, b] = [300, 40].map((n) => drawn(lengths, n, random(i), true));
      take(i === 0 ? 1 : 0, Uint8Array.of(2, ...writeLengths(lengths, -1, 12), ...writeNodes(a, lengths)), a);
      take(0, Uint8Array.of(3, ...writeNodes(b, lengths)), b);
      take(0, Uint8Array.of(0, 1, 2, 3), Uint8Array.of(1, 2, 3));
      take(0, Uint8Array.of(1, 200), new Uint8Array(500).fill(200));
      take(0, Uint8Array.of(3, ...writeNodes(a, lengths)), a);
    });
  });

  test("codes blocks under the tree it has", () => {
    if (!has(tier, "pivotNodes")) return;
    for (const [name, lengths] of shapes()) {
      let work = treeFor(tier, lengths);
      for (const n of [300, 1, 40, 300]) {
        const symbols = drawn(lengths, n, random(n), n < 300);
        const nodes = writeNodes(symbols, lengths);
        const coded = run(tier, "pivotNodes", symbols, n, out(nodes.length, SLACK), inout(work));
        expectSame(coded.out[0], nodes, `${name}, ${n}`);
        work = coded.out[1];
      }
    }
  });

  test("decodes what it codes, under any complete code", () => {
    const check = (lengths: Uint8Array, n: number, seed: number, likeBits: boolean) => {
      const symbols = drawn(lengths, n, random(seed), likeBits);
      checkBlock(tier, symbols, lengths, writeNodes(symbols, lengths), `lengths ${lengths}`);
    };
    const count = fc.oneof(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 3000 }));
    fc.assert(fc.property(completeCode, count, fc.nat(), fc.boolean(), check), { numRuns: 200 });
  });
});
