import { describe, expect, test } from "vitest";
import { bytesTarget, problem, stream, type Target, taken } from "./forge.ts";
import { bytesOf, randomBytes } from "./helpers.ts";
import { u24 } from "./reference/bits.ts";
import { concat, writeLengths } from "./reference/huffman.ts";
import { huffmanEncode } from "./reference.ts";

// Each rule of docs/FORMAT.md on streams, broken on purpose in a file whose checksums are all right.

function nibbles(...all: number[]): number[] {
  return Array.from({ length: Math.ceil(all.length / 2) }, (_, i) => all[2 * i] + 16 * (all[2 * i + 1] ?? 0));
}

describe("a stream", () => {
  test.each([8, 9, 100, 255])("has no code %d", async (code) => {
    expect((await problem(bytesTarget(8), stream(code, new Uint8Array(8)), 0)).code).toBe("code");
  });

  test.each([0, 1, 7, 9, 0xffffff])("does not have %d bytes if it has 8", async (length) => {
    await problem(bytesTarget(8), stream(0, new Uint8Array(8), length));
  });

  test("of code constant has one byte", async () => {
    for (const payload of [[], [1, 1]]) {
      expect((await problem(bytesTarget(8), stream(1, payload))).code).toBe("length");
    }
    expect(await taken(bytesTarget(3), stream(1, [9]))).toEqual(Uint8Array.of(9, 9, 9));
  });

  test("is the last one: nothing lies behind it", async () => {
    expect((await problem(bytesTarget(4), concat(stream(0, [1, 2, 3, 4]), Uint8Array.of(0)))).code).toBe("trailing");
    await problem(bytesTarget(4), concat(stream(0, [1, 2, 3, 4]), stream(0, [])));
  });

  test("has a head of four bytes", async () => {
    for (const head of [[], [0], [0, 0], [0, 0, 0]]) {
      expect((await problem(bytesTarget(4), Uint8Array.from(head), 0)).code).toBe("truncated");
    }
  });
});

describe("planes", () => {
  const brain: Target = { dtype: "BF16", shape: [4], plan: "lossless" };
  const plane = stream(0, [0, 0, 0, 0]);

  test("are one for each byte of an element, and end with the stream", async () => {
    expect(await taken(brain, stream(4, concat(plane, plane)))).toHaveLength(8);
    await problem(brain, stream(4, plane));
    expect((await problem(brain, stream(4, concat(plane, plane, plane)))).code).toBe("trailing");
    await problem(brain, stream(4, concat(plane, plane, Uint8Array.of(0))));
    await problem(brain, stream(4, concat(plane, stream(0, [0, 0, 0]))));
    await problem(brain, stream(4, []));
  });

  test("are not in planes, and not of bytes", async () => {
    expect((await problem(brain, stream(4, concat(plane, stream(4, plane))))).code).toBe("code");
    expect((await problem(bytesTarget(4), stream(4, plane))).code).toBe("code");
  });
});

describe("code lengths", () => {
  const coded = (...all: number[]) => stream(2, [...nibbles(...all), 0, 0, 0]);
  test.each([
    ["more than full", [1, 1, 1], "bits"],
    ["overfull in one step", [2, 2, 2, 1], "kraft"],
    ["not full at the end of the alphabet", [1, 0, 15, 14, 14], "code-lengths"],
    ["cut short", [2, 2], "code-lengths"],
    ["of 12", [12], "code-lengths"],
    ["of 13", [1, 13], "code-lengths"],
    ["of 14", [14], "code-lengths"],
    ["of 15 after a length", [1, 15], "code-lengths"],
    ["beyond symbol 255", [0, 15, 15, 14, 1, 1], "code-lengths"],
    ["of an only symbol 256", [0, 15, 0, 15, 15], "code-lengths"],
    ["with a run behind a run", [0, 0, 0, 0, 1, 1], "code-lengths"],
    ["with a filling that is not zero", [2, 2, 1, 5], "code-lengths"],
    ["with a run at the end", [1, 2, 0, 3], "code-lengths"],
  ])("%s", async (_, lengths, code) => {
    const error = await problem(bytesTarget(9), coded(...lengths));
    expect(error.code).toBe(code);
  });

  test("are not an empty payload", async () => {
    expect((await problem(bytesTarget(9), stream(2, []))).code).toBe("code-lengths");
  });

  test("of a single symbol leave no bits", async () => {
    const only = writeLengths(new Uint8Array(256), 77);
    expect(await taken(bytesTarget(9), stream(2, only))).toEqual(new Uint8Array(9).fill(77));
    await problem(bytesTarget(9), stream(2, [...only, 0]));
    const six = [...only, ...new Array(15).fill(0)];
    expect(await taken(bytesTarget(1024), stream(2, six))).toEqual(new Uint8Array(1024).fill(77));
    for (const wrong of [six.slice(1), [...six, 0], [...only, 1, ...new Array(14).fill(0)], only]) {
      await problem(bytesTarget(1024), stream(2, wrong));
    }
  });
});

describe("bit streams", () => {
  const symbols = randomBytes(1500, 8).map((byte) => byte & 7);
  const table = 4;
  const payload = huffmanEncode(symbols);
  const six = (edit: (bytes: Uint8Array, sizes: DataView) => void) => {
    const bytes = bytesOf(payload);
    edit(bytes, new DataView(bytes.buffer, table));
    return stream(2, bytes);
  };

  test("are taken as the twin writes them", async () => {
    expect(payload.subarray(0, table)).toEqual(Uint8Array.from(nibbles(3, 3, 3, 3, 3, 3, 3, 3)));
    expect(await taken(bytesTarget(1500), stream(2, payload))).toEqual(symbols);
    expect(await taken(bytesTarget(9), stream(2, huffmanEncode(symbols.slice(0, 9))))).toEqual(symbols.slice(0, 9));
  });

  test.each([0, 1, 2, 3, 4])("have the sizes that they say: size %d", async (k) => {
    for (const by of [1, -1, 94, 1000, 100_000, -94]) {
      const at = table + 3 * k;
      const bytes = bytesOf(payload);
      const size = bytes[at] + 256 * bytes[at + 1];
      bytes.set(u24(Math.max(0, size + by)), at);
      const { code } = await problem(bytesTarget(1500), stream(2, bytes));
      expect(["bits", "stream-sizes", "padding"]).toContain(code);
    }
  });

  test("do not lend each other bytes", async () => {
    const borrowed = six((bytes) => {
      bytes[table]++;
      bytes[table + 3]--;
    });
    expect((await problem(bytesTarget(1500), borrowed)).code).toBe("bits");
    for (let k = 0; k < 5; k++) {
      const huge = six((bytes) => bytes.fill(255, table + 3 * k, table + 3 * k + 3));
      expect((await problem(bytesTarget(1500), huge)).code).toBe("stream-sizes");
    }
  });

  test("are used up, and filled with zeros", async () => {
    const nine = huffmanEncode(symbols.slice(0, 9));
    expect((await problem(bytesTarget(9), stream(2, [...nine, 0]))).code).toBe("bits");
    expect((await problem(bytesTarget(9), stream(2, nine.slice(0, -1)))).code).toBe("bits");
    expect(
      (
        await problem(
          bytesTarget(9),
          stream(
            2,
            nine.map((b, i) => (i === nine.length - 1 ? b | 128 : b)),
          ),
        )
      ).code,
    ).toBe("padding");
    const last = six((bytes) => {
      bytes[bytes.length - 1] |= 128;
    });
    expect((await problem(bytesTarget(1500), last)).code).toBe("padding");
    expect((await problem(bytesTarget(1500), stream(2, [...payload, 0]))).code).toBe("bits");
    await problem(bytesTarget(1500), stream(2, payload.slice(0, table + 14)));
  });
});
