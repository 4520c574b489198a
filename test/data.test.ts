import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesSource } from "../src/bytes.ts";
import {
  batches,
  type DataOptions,
  type Dataset,
  joinedData,
  labelled,
  openCsv,
  openData,
  prepared,
  shuffled,
  split,
} from "../src/data.ts";
import { blobSource } from "../src/index.ts";
import { type Files, idx, memoryFiles, npy, raw, text, zip } from "./data.files.ts";

async function opened(file: Uint8Array, options: DataOptions = {}, name = "x"): Promise<Dataset> {
  return openData(memoryFiles({ [name]: file }), [{ path: name }], options);
}

async function samples(data: Dataset, indices = Array.from({ length: data.count }, (_, i) => i)): Promise<number[]> {
  const { inputs } = await data.read(indices);
  expect(inputs.shape).toEqual([indices.length, ...data.shape]);
  return [...inputs.data];
}

const FLOATS = Float32Array.from({ length: 24 }, (_, i) => Math.fround(i / 7 - 1));

describe(".npy", () => {
  test("samples along the first dimension, any of them in any order", async () => {
    const data = await opened(npy("<f4", [4, 2, 3], raw(FLOATS)));
    expect(data).toMatchObject({ count: 4, shape: [2, 3], labelled: false, classes: null });
    expect(await samples(data)).toEqual([...FLOATS]);
    expect(await samples(data, [3, 0, 0])).toEqual([...FLOATS.slice(18), ...FLOATS.slice(0, 6), ...FLOATS.slice(0, 6)]);
    expect(await samples(data, [])).toEqual([]);
    await expect(data.read([4])).rejects.toThrow(RangeError);
    await expect(data.read([-1])).rejects.toThrow(RangeError);
  });

  test("every dtype, in both orders of bytes", async () => {
    const cases: [string, ArrayBufferView, number[]][] = [
      ["|u1", Uint8Array.of(0, 200), [0, 200]],
      ["|b1", Uint8Array.of(0, 1), [0, 1]],
      ["|i1", Int8Array.of(-128, 7), [-128, 7]],
      ["<u2", Uint16Array.of(0, 65535), [0, 65535]],
      ["<i2", Int16Array.of(-32768, 1), [-32768, 1]],
      ["<u4", Uint32Array.of(0, 2 ** 20), [0, 2 ** 20]],
      ["<i4", Int32Array.of(-5, 2 ** 30), [-5, 2 ** 30]],
      ["<u8", BigUint64Array.of(3n, 4n), [3, 4]],
      ["<i8", BigInt64Array.of(-3n, 4n), [-3, 4]],
      ["<f2", Uint16Array.of(0x3c00, 0xc100), [1, -2.5]],
      ["<f4", Float32Array.of(0.5, -8), [0.5, -8]],
      ["<f8", Float64Array.of(0.25, 1e300), [0.25, Number.POSITIVE_INFINITY]],
    ];
    for (const [descr, data, expected] of cases) {
      expect(await samples(await opened(npy(descr, [2], raw(data)))), descr).toEqual(expected);
      const width = data.byteLength / 2;
      const swapped = raw(data).map((_, i, all) => all[i - (i % width) + width - 1 - (i % width)]);
      expect(await samples(await opened(npy(descr.replace("<", ">"), [2], swapped))), `big ${descr}`).toEqual(expected);
    }
  });

  test("i32 and i64 stay whole numbers, others when told to", async () => {
    const int = async (file: Uint8Array, integer?: boolean) =>
      (await (await opened(file, { integer })).read([0])).inputs.data instanceof Int32Array;
    expect(await int(npy("<i8", [1, 1], raw(BigInt64Array.of(5n))))).toBe(true);
    expect(await int(npy("<u2", [1, 1], raw(Uint16Array.of(5))))).toBe(false);
    expect(await int(npy("<u2", [1, 1], raw(Uint16Array.of(5))), true)).toBe(true);
    expect(await int(npy("<i4", [1, 1], raw(Int32Array.of(5))), false)).toBe(false);
  });

  test("version 2, a scalar, no samples, another shape of samples", async () => {
    expect((await opened(npy("<f4", [24], raw(FLOATS), undefined, 2))).count).toBe(24);
    expect(await samples(await opened(npy("<f4", [], raw(FLOATS.slice(0, 1)))))).toEqual([FLOATS[0]]);
    expect((await opened(npy("<f4", [0, 3], new Uint8Array(0)))).count).toBe(0);
    expect(await opened(npy("<f4", [24], raw(FLOATS)), { shape: [2, 4] })).toMatchObject({ count: 3, shape: [2, 4] });
    await expect(opened(npy("<f4", [24], raw(FLOATS)), { shape: [5] })).rejects.toMatchObject({
      name: "FormatError",
      field: "x: samples",
    });
  });

  test("reads only what is asked for", async () => {
    const files = memoryFiles({ x: npy("<f4", [24], raw(FLOATS)) });
    const data = await openData(files, [{ path: "x" }]);
    files.reads.length = 0;
    await data.read([5, 6, 7, 20]);
    expect(files.reads.map(([start, end]) => end - start)).toEqual([12, 4]);
    await data.close?.();
    expect(files.closed).toBe(files.opened);
  });

  test("from a Blob, as in pages", async () => {
    const blob = new Blob([npy("<f4", [4, 6], raw(FLOATS))]);
    const data = await openData({ open: async () => blobSource(blob) }, [{ path: "x" }]);
    expect(await samples(data)).toEqual([...FLOATS]);
  });
});

describe(".npz", () => {
  const arrays = (deflate: boolean) =>
    zip([
      { name: "images.npy", data: npy("<f4", [4, 6], raw(FLOATS)), deflate },
      { name: "classes.npy", data: npy("<i8", [4], raw(BigInt64Array.of(3n, 0n, 1n, 2n))), deflate },
    ]);

  test.each([false, true])("arrays of samples and labels, deflated: %s", async (deflate) => {
    const data = await opened(arrays(deflate), { array: "images", label: "classes" });
    expect(await samples(data)).toEqual([...FLOATS]);
    expect([...((await data.read([2, 0])).labels ?? [])]).toEqual([1, 3]);
    expect(await samples(await opened(arrays(deflate), { label: "classes" }))).toEqual([...FLOATS]);
    await expect(opened(arrays(deflate))).rejects.toThrow('which array of the .npz: one of ["images","classes"]');
    await expect(opened(arrays(deflate), { array: "other" })).rejects.toThrow("which array");
    await expect(opened(arrays(deflate), { label: "other" })).rejects.toThrow('no array "other"');
  });
});

describe("idx", () => {
  test("images and labels, zipped or not", async () => {
    const pixels = Uint8Array.from({ length: 12 }, (_, i) => i);
    const files = { x: idx(8, [3, 2, 2], pixels), y: gzipSync(idx(8, [3], Uint8Array.of(7, 0, 9))) };
    const data = await openData(memoryFiles(files), [{ path: "x" }], { labels: "y" });
    expect(data).toMatchObject({ count: 3, shape: [2, 2], labelled: true });
    expect(await samples(data)).toEqual([...pixels]);
    expect([...((await data.read([2, 1])).labels ?? [])]).toEqual([9, 0]);
    expect(await samples(await opened(gzipSync(files.x, { level: 1 })))).toEqual([...pixels]);
    expect(await samples(await opened(idx(11, [1], Uint8Array.of(255, 254))))).toEqual([-2]);
  });
});

describe("CSV", () => {
  test("labels by name, by index, and none; headers are seen", async () => {
    const rows = "a,b,kind\n1,2.5,cat\r\n-3,1e3,dog\n\n4,0,cat";
    const data = await opened(text(rows), { label: "kind" }, "x.csv");
    expect(data).toMatchObject({ count: 3, shape: [2], labelled: true, classes: ["cat", "dog"] });
    expect(await samples(data, [2, 1, 0])).toEqual([4, 0, -3, 1000, 1, 2.5]);
    expect([...((await data.read([0, 1, 2])).labels ?? [])]).toEqual([0, 1, 0]);
    const byIndex = await opened(text("1,2,7\n3,4,5\n"), { label: -1 }, "x.csv");
    expect(byIndex).toMatchObject({ count: 2, shape: [2], classes: null });
    expect([...((await byIndex.read([1])).labels ?? [])]).toEqual([5]);
    expect(await opened(text("1,2\n3,4\n"), { header: true }, "x.csv")).toMatchObject({ count: 1, labelled: false });
    const given = await opened(text("1\tdog\n"), { label: 1, classes: ["cow", "dog"] }, "x.tsv");
    expect([...((await given.read([0])).labels ?? [])]).toEqual([1]);
  });

  test("quotes, doubled quotes, line ends and delimiters within them, a byte order mark", async () => {
    const rows = '\ufeff"n","a ""b"", c\nd"\n"1","2"\n3,"4"\n';
    const data = await openCsv(bytesSource(new TextEncoder().encode(rows)), { label: 'a "b", c\nd' });
    expect(await samples(data)).toEqual([1, 3]);
    expect([...((await data.read([0, 1])).labels ?? [])]).toEqual([2, 4]);
  });

  test("files beyond a piece give the same rows as if they were read whole", async () => {
    const count = 100_000;
    const rows = Array.from({ length: count }, (_, i) => `${i},${i % 2 ? `"${i + 1}"` : i + 1}`);
    const data = await opened(text(rows.join("\n")), {}, "x.csv");
    expect(data.count).toBe(count);
    for (const i of [0, 1, 77_777, 70_001, count - 1]) expect(await samples(data, [i])).toEqual([i, i + 1]);
  });

  test("any table of numbers comes back", async () => {
    const table = fc.integer({ min: 1, max: 5 }).chain((width) =>
      fc.array(fc.array(fc.float({ noNaN: true }), { minLength: width, maxLength: width }), {
        minLength: 1,
        maxLength: 20,
      }),
    );
    await fc.assert(
      fc.asyncProperty(table, fc.boolean(), async (rows, quoted) => {
        const file = rows.map((row) => row.map((x) => (quoted ? `"${x}"` : `${x}`)).join(",")).join("\n");
        const data = await opened(text(file), { header: false }, "x.csv");
        expect(await samples(data)).toEqual(rows.flat().map((x) => x + 0 || 0));
      }),
    );
  });
});

describe("raw bytes", () => {
  test("by shape and dtype, labels beside them, a class for each file", async () => {
    const files: Files = { a: Uint8Array.of(1, 2, 3, 4), b: Uint8Array.of(5, 6), y: Uint8Array.of(2, 1, 0) };
    const parts = [{ path: "a" }, { path: "b" }];
    const data = await openData(memoryFiles(files), parts, { shape: [2], labels: "y" });
    expect(await samples(data, [2, 0, 1])).toEqual([5, 6, 1, 2, 3, 4]);
    expect([...((await data.read([2, 0, 1])).labels ?? [])]).toEqual([0, 2, 1]);
    const named = await openData(
      memoryFiles(files),
      [
        { path: "a", label: "dog" },
        { path: "b", label: "0" },
      ],
      { shape: [2], classes: ["cat", "dog"] },
    );
    expect([...((await named.read([0, 2])).labels ?? [])]).toEqual([1, 0]);
    expect(named.classes).toEqual(["cat", "dog"]);
    expect(await samples(await opened(raw(FLOATS), { shape: [6], dtype: "f32" }))).toEqual([...FLOATS]);
    await expect(openData(memoryFiles(files), parts, {})).rejects.toThrow("need the shape of a sample");
    await expect(openData(memoryFiles(files), parts, { shape: [2], labels: "b" })).rejects.toThrow("b: file size");
    await expect(openData(memoryFiles(files), parts, { shape: [1], labels: "y" })).rejects.toThrow("y: file size");
    await expect(openData(memoryFiles(files), [{ path: "a", label: "cow" }], { shape: [2] })).rejects.toThrow(
      "no names of classes are given",
    );
  });

  test("pixels and labels that begin like idx or are a .csv are not taken for what they are not", async () => {
    const files: Files = {
      a: Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 9),
      y: Uint8Array.of(0, 0, 8, 1),
      "y.csv": text("1,2\n"),
    };
    const data = await openData(memoryFiles(files), [{ path: "a" }], { shape: [2], labels: "y" });
    expect(await samples(data)).toEqual([0, 0, 8, 1, 0, 0, 0, 9]);
    expect([...((await data.read([2, 3])).labels ?? [])]).toEqual([8, 1]);
    const idxFile = idx(8, [2, 2], Uint8Array.of(1, 2, 3, 4));
    expect(await opened(idxFile, { shape: [2] })).toMatchObject({ count: 2, shape: [2] });
    const csv = memoryFiles({ a: Uint8Array.of(1, 2), "y.csv": text("1,2\n") });
    await expect(openData(csv, [{ path: "a" }], { shape: [1], labels: "y.csv" })).rejects.toThrow(
      "expected .npy, idx or raw bytes, got csv",
    );
    expect(csv.closed).toBe(csv.opened);
    await expect(openData(csv, [{ path: "a" }], { shape: [1], std: [0] })).rejects.toThrow(RangeError);
    expect(csv.closed).toBe(csv.opened);
  });

  test("labels that no class has are found out", async () => {
    const files = { a: Uint8Array.of(1, 2, 3), y: Uint8Array.of(0, 1, 2) };
    const data = await openData(memoryFiles(files), [{ path: "a" }], {
      shape: [1],
      labels: "y",
      classes: ["cat", "dog"],
    });
    await data.read([0, 1]);
    await expect(data.read([2])).rejects.toThrow("label 2: there are 2 classes");
  });

  test("a part that cannot be opened closes those before it", async () => {
    const files = memoryFiles({ a: Uint8Array.of(1, 2), b: Uint8Array.of(1) });
    await expect(openData(files, [{ path: "a" }, { path: "b" }], { shape: [2] })).rejects.toThrow("b: file size");
    expect(files.closed).toBe(files.opened);
  });
});

describe("preparation", () => {
  const pixels = async (options: DataOptions) =>
    opened(Uint8Array.of(0, 51, 102, 153, 204, 255), { shape: [1, 2, 3], ...options });

  test("scale, mean, standard deviation, layout", async () => {
    expect(await samples(await pixels({ scale: 1 / 255 }))).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1].map(Math.fround));
    const normal = await samples(await pixels({ scale: 1 / 255, mean: [0, 0.2, 0.4], std: [1, 2, 0.5] }));
    for (const [i, x] of [0, 0, 0, 0.6, 0.3, 1.2].entries()) expect(normal[i]).toBeCloseTo(x, 6);
    expect(await samples(await pixels({ mean: [51], std: [51] }))).toEqual([-1, 0, 1, 2, 3, 4]);
    const first = await pixels({ layout: "nchw" });
    expect(first.shape).toEqual([3, 1, 2]);
    expect(await samples(first)).toEqual([0, 153, 51, 204, 102, 255]);
    await expect(pixels({ mean: [1, 2] })).rejects.toThrow('"mean" expected 1 or 3 numbers');
    await expect(pixels({ std: [0] })).rejects.toThrow('"std"');
    await expect(pixels({ scale: Number.NaN })).rejects.toThrow('"scale"');
    await expect(pixels({ shape: [6], layout: "nchw" })).rejects.toThrow('"layout"');
  });

  test("nothing to do changes nothing, and sets that do not fit are not joined", async () => {
    const data = await pixels({});
    expect(prepared(data, {})).toBe(data);
    const other = await opened(Uint8Array.of(1, 2), { shape: [2] });
    expect(() => joinedData([data, other])).toThrow('"parts" expected samples of shape');
    expect(() => joinedData([])).toThrow(RangeError);
    expect(() => labelled(other, Int32Array.of(1, 2))).toThrow('"labels"');
    await expect(joinedData([other, other]).read([2])).rejects.toThrow(RangeError);
  });
});

describe("order", () => {
  test("shuffles are permutations that the seed decides", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.integer(), (count, seed) => {
        const order = shuffled(count, seed);
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
        expect(shuffled(count, seed)).toEqual(order);
      }),
    );
    expect(shuffled(50, 1)).not.toEqual(shuffled(50, 2));
    expect(shuffled(8, 1)).toMatchInlineSnapshot(`
      [
        3,
        0,
        7,
        1,
        2,
        6,
        5,
        4,
      ]
    `);
  });

  test("every place is as likely", () => {
    const counts = Array.from({ length: 6 }, () => new Array<number>(6).fill(0));
    for (let seed = 0; seed < 6000; seed++)
      for (const [i, x] of shuffled(6, seed).entries()) (counts[i] as number[])[x]++;
    // 1000 each, with a standard deviation of 29.
    for (const count of counts.flat()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  test("splits are disjoint, and leave nothing out where the fractions make 1", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 500 }),
        fc.integer(),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (count, seed, part) => {
          const whole = split(count, { train: part, validation: (1 - part) / 2, test: (1 - part) / 2 }, seed);
          const all = [...whole.train, ...whole.validation, ...whole.test];
          expect(all.sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
          expect(Math.abs(whole.train.length - part * count)).toBeLessThanOrEqual(0.5);
        },
      ),
    );
    expect(split(10, { test: 0.2 }, 3)).toMatchObject({ train: [], validation: [] });
    expect(() => split(10, { train: 0.9, test: 0.2 }, 1)).toThrow(RangeError);
    expect(() => split(10, { train: Number.NaN }, 1)).toThrow(RangeError);
  });

  test("batches end with a short one", async () => {
    const data = await opened(Uint8Array.of(1, 2, 3, 4, 5), { shape: [1] });
    const all = async (options: { size: number; indices?: number[] }) => {
      const found: number[][] = [];
      for await (const { inputs } of batches(data, options)) found.push([...inputs.data]);
      return found;
    };
    expect(await all({ size: 2 })).toEqual([[1, 2], [3, 4], [5]]);
    expect(await all({ size: 2, indices: [4, 0, 2] })).toEqual([[5, 1], [3]]);
    expect(await all({ size: 9, indices: [] })).toEqual([]);
    await expect(all({ size: 0 })).rejects.toThrow('"size"');
  });
});
