import { deflateRawSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type DataOptions, openData } from "../src/data.ts";
import { FormatError } from "../src/index.ts";
import { concat, idx, little32, memoryFiles, npy, raw, text, zip } from "./data.files.ts";

// Data that are malformed, or made to hurt.

/** Opens a file, and reads all of it where there is little. */
async function all(file: Uint8Array, options: DataOptions = {}, name = "x"): Promise<unknown> {
  const data = await openData(memoryFiles({ [name]: file, y: Uint8Array.of(0) }), [{ path: name }], options);
  return data.read(Array.from({ length: Math.min(data.count, 100) }, (_, i) => i));
}

async function refused(file: Uint8Array, what: object, options?: DataOptions, name?: string): Promise<void> {
  const error = await all(file, options, name).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(FormatError);
  expect(error).toMatchObject(what);
}

const FOUR = raw(Float32Array.of(1, 2, 3, 4));
const dictionary = (descr: string, order: string, shape: string) =>
  `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }`;

describe(".npy", () => {
  const good = npy("<f4", [4], FOUR);

  test("headers that lie", async () => {
    const long = good.slice();
    long[9] = 0xff;
    await refused(long, { code: "header-length", offset: 8, field: "x: npy header length" });
    const longer = npy("<f4", [4], FOUR, undefined, 2);
    longer.set([0xff, 0xff, 0xff, 0xff], 8);
    await refused(longer, { code: "header-length", expected: `at most ${longer.length - 12}`, actual: "4294967295" });
    const newer = good.slice();
    newer[6] = 4;
    await refused(newer, { code: "version", offset: 6, actual: "4" });
    await refused(npy("<f4", [5], FOUR), { code: "shape" });
    await refused(npy("<f4", [3], FOUR), { code: "length", expected: "12 bytes", actual: "16" });
  });

  test.each([
    ["a product beyond any number", "<f4", `(${2 ** 52}, ${2 ** 52})`],
    ["a product beyond 2^64", "<f4", `(${"9".repeat(30)},)`],
    ["a zero beside an extent beyond any number", "<f4", `(0, ${"9".repeat(30)})`],
    ["a billion elements", "<f8", "(1000000000,)"],
  ])("%s", async (_, descr, shape) => {
    await refused(npy(descr, [], FOUR, dictionary(`'${descr}'`, "False", shape)), { code: "shape" });
  });

  test.each([
    ["objects", dictionary("'|O'", "False", "(4,)"), "dtype"],
    ["a structured type", dictionary("[('a', '<f4')]", "False", "(4,)"), "dtype"],
    ["complex numbers", dictionary("'<c8'", "False", "(2,)"), "dtype"],
    ["no type", "{'fortran_order': False, 'shape': (4,), }", "dtype"],
    ["no shape", "{'descr': '<f4', 'fortran_order': False, }", "shape"],
    ["a negative extent", dictionary("'<f4'", "False", "(-4,)"), "shape"],
    ["no order", "{'descr': '<f4', 'shape': (4,), }", "header"],
    ["columns first", dictionary("'<f4'", "True", "(2, 2)"), "order"],
    ["many dimensions", dictionary("'<f4'", "False", `(${"1,".repeat(65)})`), "shape"],
  ])("%s", async (_, header, code) => {
    await refused(npy("", [], FOUR, header), { code });
  });

  test("every cut is refused, and so is a byte more", async () => {
    for (let length = 6; length < good.length; length++) await refused(good.slice(0, length), { name: "FormatError" });
    await refused(concat(good, [0]), { code: "length" });
  });

  test("columns first is the same where there is one column", async () => {
    await all(npy("", [], FOUR, dictionary("'<f4'", "True", "(4,)")));
  });
});

describe(".npz", () => {
  const data = npy("<f4", [4], FOUR);

  test("sizes that lie, bombs, checksums", async () => {
    await refused(zip([{ name: "a", data, deflate: true, size: 2 ** 31 }]), { code: "inflated-size" });
    await refused(zip([{ name: "a", data, deflate: true, size: 1000 }]), {
      code: "inflated-size",
      actual: `${data.length}`,
    });
    await refused(zip([{ name: "a", data, deflate: true, crc: 1 }]), { code: "checksum" });
    // 64 MiB of zeros in 64 KiB, told as if they were 1000 bytes: what is behind is never made.
    await refused(zip([{ name: "a", data: new Uint8Array(2 ** 26), deflate: true, size: 1000 }]), {
      name: "FormatError",
    });
    await refused(zip([{ name: "a", data, size: 10 }]), { code: "zip" });
    await refused(zip([{ name: "a", data: npy("<f4", [5], FOUR) }]), { code: "shape", field: 'x: npy shape of "a"' });
  });

  test("every cut is refused", async () => {
    const file = zip([
      { name: "a", data },
      { name: "b", data, deflate: true },
    ]);
    await all(file, { array: "a" });
    for (let length = 4; length < file.length; length += 3)
      await refused(file.slice(0, length), { name: "FormatError" }, { array: "a" });
  });

  test("what zip has and .npz does not", async () => {
    const file = zip([{ name: "a", data }]);
    const at = file.lastIndexOf(0x50, file.length - 23);
    const encrypted = file.slice();
    encrypted[at + 8] = 1;
    await refused(encrypted, { code: "zip", field: "x: zip flags" });
    const method = file.slice();
    method[at + 10] = 12;
    await refused(method, { code: "zip", field: "x: zip method" });
  });
});

describe("idx", () => {
  test("dimensions and types that lie", async () => {
    await refused(idx(8, [5], new Uint8Array(4)), { code: "shape", offset: 4 });
    await refused(idx(8, [3], new Uint8Array(4)), { code: "length", expected: "3 bytes", actual: "4" });
    await refused(idx(14, [2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1], new Uint8Array(4)), { code: "shape" });
    await refused(
      idx(8, [0, 2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1], new Uint8Array(0)),
      { code: "shape" },
      { kind: "idx" },
    );
    await refused(idx(10, [4], new Uint8Array(4)), { code: "dtype", offset: 2, actual: "10" }, { kind: "idx" });
    await refused(concat([0, 0, 8, 0]), { code: "shape", offset: 3 }, { kind: "idx" });
    await refused(concat([0, 0, 8, 2, 0, 0]), { code: "truncated" });
    await refused(concat([0, 1, 8, 1]), { code: "magic" }, { kind: "idx" });
    await refused(concat([0]), { code: "truncated" }, { kind: "idx" });
  });

  test("labels that are none", async () => {
    const files = memoryFiles({ x: Uint8Array.of(1, 2), y: npy("<f4", [2], raw(Float32Array.of(1, 1.5))) });
    const opening = openData(files, [{ path: "x" }], { shape: [1], labels: "y" });
    await expect(opening).rejects.toMatchObject({ code: "labels", field: "y: label 1", actual: "1.5" });
  });
});

describe("gzip", () => {
  const file = gzipSync(npy("<f4", [4], FOUR));

  test("sizes that lie, bombs, cuts", async () => {
    await all(file);
    const lying = file.slice();
    lying.set(little32(2 ** 30), lying.length - 4);
    await refused(lying, { code: "inflated-size" });
    lying.set(little32(20), lying.length - 4);
    await refused(lying, { name: "FormatError" });
    for (let length = 2; length < file.length; length++) await refused(file.slice(0, length), { name: "FormatError" });
    const bomb = concat(file.slice(0, 10), deflateRawSync(new Uint8Array(2 ** 24)), little32(0), little32(64));
    await refused(bomb, { name: "FormatError" });
  });
});

describe("CSV", () => {
  const csv = (rows: string, what: object, options?: DataOptions) => refused(text(rows), what, options, "x.csv");

  test("says in which row", async () => {
    await csv("1,2\n3\n", { code: "csv", offset: 4, field: "x.csv: row 1", expected: "2 fields", actual: "1" });
    await csv("1,2\n3,x\n", { code: "csv", offset: 4, field: "column 1", actual: '"x"' });
    await csv("1,2\n3,\n", { code: "csv", offset: 4, expected: "a number", actual: '""' });
    await csv('1,2\n3,"4\n', { code: "csv", offset: 4, expected: "a closing quote" });
    await csv('1,2\n3,4"5"\n', { code: "csv", offset: 4 });
    await csv("", { code: "csv", field: "x.csv: rows" });
    await csv("1,cow\n", { code: "label", actual: '"cow"' }, { label: 1, classes: ["cat"] });
    await csv("a,b\n1,2\n", { code: "csv", field: "x.csv: label column", actual: '"c"' }, { label: "c" });
    await refused(Uint8Array.of(0x31, 0x2c, 0xff, 0xfe, 0x0a), { code: "csv", offset: 0 }, {}, "x.csv");
    await csv("1".repeat(2 ** 21 + 1), { code: "csv", expected: `at most ${2 ** 20} bytes` });
  });
});

test("no bytes make anything but data or errors with a place", async () => {
  const valid = [
    npy("<f4", [4], FOUR),
    idx(8, [4], Uint8Array.of(1, 2, 3, 4)),
    zip([{ name: "a", data: npy("<f4", [4], FOUR), deflate: true }]),
    gzipSync(FOUR),
  ];
  const changed = fc.record({ base: fc.constantFrom(...valid), at: fc.nat(400), byte: fc.nat(255), cut: fc.nat(400) });
  await fc.assert(
    fc.asyncProperty(changed, fc.boolean(), async ({ base, at, byte, cut }, cutting) => {
      const bytes = base.slice(0, cutting ? Math.max(1, cut) : undefined);
      bytes[at % bytes.length] = byte;
      await all(bytes, { shape: [1] }).catch((error: unknown) =>
        expect(["FormatError", "DataError"]).toContain((error as Error).name),
      );
    }),
    { numRuns: 500 },
  );
});
