import { describe, expect, test } from "vitest";
import { bytesTarget, int4Target, problem, stream, type Target, taken } from "./forge.ts";
import { randomBytes } from "./helpers.ts";
import { concat, writeLengths } from "./reference/huffman.ts";
import {
  BLOCK,
  CODE,
  codeLengths,
  histogram,
  huffmanEncode,
  maskSplit,
  pivotEncode,
  streamOf,
  writeNodes,
  zrlEncode,
} from "./reference.ts";

// Each rule of docs/FORMAT.md on pivot and mask, broken on purpose in a file whose checksums are all right.

const { RAW, CONSTANT, HUFFMAN, ZRL, PLANES, PIVOT, MASK } = CODE;

/** A code of its own, that of Huffman. */
function pivot(symbols: Uint8Array): Uint8Array {
  return pivotEncode(symbols, codeLengths(histogram(symbols), 12));
}

describe("pivot", () => {
  // docs/FORMAT.md, by hand.
  const symbols = Uint8Array.of(5, 7, 5, 6, 5, 5, 8, 5);
  // 133 absent symbols, -128 to 4, then lengths 1 3 3 2.
  const table = [0xf0, 0x75, 0x31, 0x23];
  const nodes = [0x4a, 0x03, 0x01];
  const eight = bytesTarget(8);
  const block = (...bytes: number[]) => stream(PIVOT, bytes);

  test("is taken as the twin writes it", async () => {
    expect([...(await taken(eight, block(2, ...table, ...nodes)))]).toEqual([...symbols]);
    const many = randomBytes(2 * BLOCK + 77, 3).map((byte) => byte & (byte >> 4));
    expect(await taken(bytesTarget(many.length), stream(PIVOT, pivot(many)))).toEqual(many);
  });

  test("may hold lengths of symbols that do not occur", async () => {
    expect([...(await taken(bytesTarget(3), block(2, ...table, 0)))]).toEqual([5, 5, 5]);
  });

  test.each<[string, number[], string]>([
    ["no block", [], "stream-sizes"],
    ["a block of kind 4", [4, ...table, ...nodes], "kind"],
    ["a block of kind 255", [255, ...table, ...nodes], "kind"],
    ["nodes without code lengths", [3, ...nodes], "kind"],
    ["a raw block cut short", [0, 1, 2, 3, 4, 5, 6, 7], "stream-sizes"],
    ["a constant block cut short", [1], "stream-sizes"],
    ["no code lengths", [2], "code-lengths"],
    ["code lengths cut short", [2, ...table.slice(0, -1)], "code-lengths"],
    ["a code of one symbol", [2, 0x0f], "code-lengths"],
    ["a length of 14", [2, 0x0e, 0x00], "code-lengths"],
    ["a run of the length before the first", [2, 0x0d, 0x00], "code-lengths"],
    ["a run of the length before a run of absent symbols", [2, 0x01, 0xd2, 0x00], "code-lengths"],
    ["a run behind a run of the same length", [2, 0xd4, 0xd0, 0x00], "code-lengths"],
    ["a run beyond the alphabet", [2, 0xdc, 0xff, 0xff], "code-lengths"],
    ["a run of too many codes", [2, 0xd1, 0x00], "kraft"],
    ["a filling that is not zero", [2, 0x21, 0x12, 0, 0], "code-lengths"],
    ["too many codes", [2, 0x21, 0x01, 0, 0], "kraft"],
    ["no nodes", [2, ...table], "stream-sizes"],
    ["nodes cut short", [2, ...table, ...nodes.slice(0, -1)], "stream-sizes"],
    ["a set bit behind an inner node", [2, ...table, 0x4a, 0x0b, 0x01], "padding"],
    ["a set bit behind a flat", [2, ...table, 0x4a, 0x03, 0x05], "padding"],
    ["a byte behind the nodes", [2, ...table, ...nodes, 0], "trailing"],
    ["a byte behind a raw block", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "trailing"],
    ["a byte behind a constant", [1, 5, 5], "trailing"],
    ["a second block where there is one", [1, 5, 1, 5], "trailing"],
  ])("refuses %s", async (_, bytes, code) => {
    expect((await problem(eight, block(...bytes))).code).toBe(code);
  });

  test("keeps code lengths within a payload, not beyond it", async () => {
    const target = bytesTarget(3 * BLOCK + 8);
    const [first, constant] = [new Uint8Array(BLOCK).fill(5), [1, 5]];
    const lengths = new Uint8Array(256).fill(1, 5, 6).fill(3, 6, 8).fill(2, 8, 9);
    const whole = [2, ...writeLengths(lengths, -1, 12), ...writeNodes(first, lengths)];
    const read = await taken(target, block(...whole, ...constant, 0, ...first, 3, ...nodes));
    expect([...read.subarray(3 * BLOCK)]).toEqual([...symbols]);
    const late = await problem(target, block(...constant, ...constant, 0, ...first, 3, ...nodes));
    expect(late.code).toBe("kind");
    expect(late.field).toContain(`block at ${3 * BLOCK}`);
    expect((await problem(target, block(...whole, ...constant, ...constant))).code).toBe("stream-sizes");
    // Planes are payloads of their own.
    const brain: Target = { dtype: "BF16", shape: [8], plan: "lossless" };
    const planes = concat(block(2, ...table, ...nodes), block(3, ...nodes));
    expect((await problem(brain, stream(PLANES, planes))).code).toBe("kind");
  });

  test("says where a block begins", async () => {
    const { offset, field } = await problem(bytesTarget(BLOCK + 8), block(1, 9, 3, ...nodes));
    const other = await problem(bytesTarget(BLOCK + 8), block(9, 9, 3, ...nodes));
    expect(field).toContain(`block at ${BLOCK}`);
    expect(offset - other.offset).toBe(2);
  });
});

describe("mask", () => {
  const bytes = Uint8Array.of(0, 5, 0, 0, 255, 0, 0, 128, 0, 1);
  const { mask, values } = maskSplit(bytes);
  const ten = bytesTarget(10);
  const good = concat(streamOf(RAW, mask), streamOf(RAW, values));

  test("is taken as the twin writes it", async () => {
    expect(await taken(ten, stream(MASK, good))).toEqual(bytes);
  });

  test("may store zeros, and everything, and nothing", async () => {
    const masked = (bits: number[], kept: Uint8Array) =>
      stream(MASK, concat(streamOf(RAW, Uint8Array.from(bits)), kept));
    const zeros = await taken(ten, masked([0x03, 0], streamOf(RAW, Uint8Array.of(0, 7))));
    expect([...zeros]).toEqual([0, 7, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(await taken(ten, masked([0xff, 3], streamOf(CONSTANT, Uint8Array.of(4))))).toEqual(
      new Uint8Array(10).fill(4),
    );
    expect(await taken(ten, masked([0, 0], streamOf(RAW, new Uint8Array(0))))).toEqual(new Uint8Array(10));
    for (const code of [CONSTANT, HUFFMAN, PIVOT, ZRL, MASK]) {
      expect((await problem(ten, masked([0, 0], streamOf(code, Uint8Array.of(1))))).code).toBe("code");
    }
  });

  test("holds raw, constant, huffman and pivot, and no other", async () => {
    const sparse = randomBytes(3000, 6).map((byte) => (byte < 220 ? 0 : byte & 15 || 1));
    const { mask, values } = maskSplit(sparse);
    const target = bytesTarget(3000);
    const coders = [
      (part: Uint8Array) => streamOf(RAW, part),
      (part: Uint8Array) => streamOf(HUFFMAN, huffmanEncode(part)),
      (part: Uint8Array) => streamOf(PIVOT, pivot(part)),
    ];
    for (const a of coders) {
      for (const b of coders) expect(await taken(target, stream(MASK, concat(a(mask), b(values))))).toEqual(sparse);
    }
    const nested = (part: Uint8Array) => [
      streamOf(ZRL, zrlEncode(new Int8Array(part.slice().buffer), part.length)),
      streamOf(MASK, concat(streamOf(RAW, maskSplit(part).mask), streamOf(RAW, maskSplit(part).values))),
      streamOf(PLANES, streamOf(RAW, part)),
      streamOf(7, part),
    ];
    for (const wrong of nested(mask)) {
      expect((await problem(target, stream(MASK, concat(wrong, streamOf(RAW, values))))).code).toBe("code");
    }
    for (const wrong of nested(values)) {
      expect((await problem(target, stream(MASK, concat(streamOf(RAW, mask), wrong)))).code).toBe("code");
    }
  });

  test.each<[string, Uint8Array, string]>([
    ["nothing", new Uint8Array(0), "truncated"],
    ["a mask alone", streamOf(RAW, mask), "truncated"],
    ["a mask of one byte", concat(streamOf(RAW, mask.subarray(0, 1)), streamOf(RAW, values)), "length"],
    ["a mask of three bytes", concat(streamOf(RAW, Uint8Array.of(...mask, 0)), streamOf(RAW, values)), "length"],
    ["a bit behind the last byte", concat(streamOf(RAW, Uint8Array.of(mask[0], 4)), streamOf(RAW, values)), "padding"],
    [
      "a constant mask with such bits",
      concat(streamOf(CONSTANT, Uint8Array.of(255)), streamOf(RAW, new Uint8Array(16))),
      "padding",
    ],
    ["too few bytes", concat(streamOf(RAW, mask), streamOf(RAW, values.subarray(1))), "length"],
    ["too many bytes", concat(streamOf(RAW, mask), streamOf(RAW, Uint8Array.of(...values, 1))), "length"],
    ["bytes beyond the payload", concat(streamOf(RAW, mask), streamOf(RAW, values).subarray(0, -1)), "truncated"],
    ["a byte behind", concat(good, Uint8Array.of(0)), "trailing"],
    ["a stream behind", concat(good, streamOf(RAW, new Uint8Array(0))), "trailing"],
  ])("refuses %s", async (_, payload, code) => {
    expect((await problem(ten, stream(MASK, payload))).code).toBe(code);
  });

  test("ends in a zero nibble where there is an odd count of int4 codes", async () => {
    const scale = streamOf(RAW, new Uint8Array(Float32Array.of(1).buffer));
    const chunk = (last: number) =>
      concat(scale, stream(MASK, concat(streamOf(RAW, Uint8Array.of(2)), streamOf(RAW, Uint8Array.of(last)))));
    expect([...(await taken(int4Target(3), chunk(0x0f), MASK))]).toEqual([0, 0x0f]);
    expect((await problem(int4Target(3), chunk(0x1f), MASK)).code).toBe("padding");
  });
});

describe("zrl", () => {
  const values = Int8Array.from(randomBytes(3000, 5), (byte) => (byte < 200 ? 0 : byte));
  const target = bytesTarget(3000);

  test("holds raw, constant, huffman and pivot, and no other", async () => {
    const coded = (inner: (symbols: Uint8Array) => Uint8Array) => stream(ZRL, zrlEncode(values, 100, inner));
    const back = new Uint8Array(values.buffer);
    expect(
      await taken(
        target,
        coded((symbols) => streamOf(RAW, symbols)),
      ),
    ).toEqual(back);
    expect(
      await taken(
        target,
        coded((symbols) => streamOf(PIVOT, pivot(symbols))),
      ),
    ).toEqual(back);
    for (const code of [ZRL, PLANES, MASK, 7]) {
      expect(
        (
          await problem(
            target,
            coded((symbols) => streamOf(code, symbols)),
          )
        ).code,
      ).toBe("code");
    }
    const ones = stream(
      ZRL,
      zrlEncode(new Int8Array(50).fill(1), 50, () => streamOf(CONSTANT, Uint8Array.of(0))),
    );
    expect(await taken(bytesTarget(50), ones)).toEqual(new Uint8Array(50).fill(1));
  });
});
