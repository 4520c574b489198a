import { describe, expect, test } from "vitest";
import { FormatError, open } from "../src/index.ts";
import { BOTH, modelOf, noise, packed, partsOf, readAll, SIMD, sealed } from "./files.ts";
import { bytesOf, expectSame } from "./helpers.ts";
import { u24 } from "./reference/bits.ts";
import { concat } from "./reference/huffman.ts";
import { CODE, codeLengths, histogram, maskSplit, pivotEncode, streamOf, zrlEncode } from "./reference.ts";

// The writer cuts smaller chunks than the format allows: what lies between has to work, what lies beyond to be refused.

describe("chunks as large as they may be", () => {
  const MOST = 1024 * 1024;
  const values = new Int8Array(MOST).map((_, i) => (i % 97 === 5 ? (i % 255) - 127 : 0));

  async function fileOf(dtype: "U8" | "F32", elements: number, plan: string, chunk: Uint8Array, decoded: number) {
    const base = partsOf((await packed(modelOf([noise("w", dtype, [1])]), "raw")).bytes);
    const value = JSON.parse(base.json) as object;
    Object.assign(value, { sections: [[dtype, plan, elements]], tensors: [[0, "w", [elements], 0]] });
    const parts = {
      ...base,
      json: JSON.stringify(value),
      chunks: [{ code: chunk.at(-1) ?? 0, bytes: bytesOf(chunk.subarray(0, -1)) }],
    };
    return sealed(parts, (header) => {
      header.setUint32(36, decoded, true);
      header.setBigUint64(48, BigInt(decoded), true);
    });
  }

  /** A stream, and behind it its code once more, for the table. */
  const stream = (code: number, payload: Uint8Array) =>
    Uint8Array.from([code, ...u24(payload.length), ...payload, code]);

  test("decode on both tiers", async () => {
    const plain = new Uint8Array(values.buffer);
    const { mask, values: kept } = maskSplit(plain);
    const masked = concat(streamOf(CODE.RAW, mask), streamOf(CODE.RAW, kept));
    for (const chunk of [
      stream(CODE.RAW, plain),
      stream(CODE.ZRL, zrlEncode(values, 1000)),
      stream(CODE.ZRL, zrlEncode(values, MOST)),
      stream(CODE.PIVOT, pivotEncode(plain, codeLengths(histogram(plain), 12))),
      stream(CODE.MASK, masked),
    ]) {
      const file = await fileOf("U8", MOST, "raw", chunk, MOST);
      for (const kernels of BOTH) {
        const opened = await open(file, { kernels });
        expectSame((await opened.tensor("w", { as: "stored" })).bytes, plain);
        expect(await opened.check(0)).toBe(chunk.length - 1);
      }
    }
  });

  test("and no larger", async () => {
    const constant = stream(1, Uint8Array.of(3));
    expect(await readAll(await fileOf("U8", MOST, "raw", constant, MOST), SIMD)).toHaveLength(64);
    for (const n of [MOST + 1, 2 ** 31, 2 ** 40]) {
      const file = await fileOf("U8", n, "raw", constant, Math.min(n, 2 ** 32 - 1));
      await expect(open(file, { kernels: SIMD })).rejects.toMatchObject({ name: "FormatError", code: "limit" });
    }
  });

  test.each([MOST, MOST + 1, 2 * MOST - 64, 2 * MOST - 8, 2 * MOST])(
    "%d int4 codes, of which two lie in a byte, are decoded right or refused",
    async (n) => {
      const decoded = 4 + Math.ceil(n / 2);
      const scale = Uint8Array.of(0, ...u24(4), 0, 0, 128, 63);
      for (const last of [stream(1, Uint8Array.of(0x11)), stream(3, zrlOnes(n))]) {
        const file = await fileOf("F32", n, "int4 tensor > zrl", Uint8Array.from([...scale, ...last]), decoded);
        const results = await Promise.all(
          BOTH.map(async (kernels) => {
            try {
              const { data } = await (await open(file, { kernels })).tensor("w");
              return data.reduce((sum, x) => sum + x, 0);
            } catch (error) {
              if (!(error instanceof FormatError)) throw error;
              return error.code;
            }
          }),
        );
        const refused = decoded > MOST ? ["limit"] : ["limit", n];
        expect(results[0]).toBe(results[1]);
        expect(refused).toContain(results[0]);
      }
    },
  );
});

/** zrl of n ones: every symbol is the same, so it has no bits, and all signs are 0. */
function zrlOnes(n: number): Uint8Array {
  const only = new Uint8Array(16).fill(15, 0, 1);
  const raw = new Uint8Array(Math.ceil(n / 8));
  return concat(Uint8Array.from([1, ...u24(n), ...u24(n)]), streamOf(CODE.HUFFMAN, only), raw);
}
