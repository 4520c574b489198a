import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { encode } from "fast-png";
import jpeg from "jpeg-js";
import { describe, expect, test } from "vitest";
import { inChannels, resized } from "../src/data/pixels.ts";
import { type DataOptions, type Dataset, openData } from "../src/data.ts";
import { FormatError } from "../src/index.ts";
import { concat, type Files, little32, memoryFiles, png, pngChunk } from "./data.files.ts";

// Folders of PNG and JPEG files.

async function pixels(data: Dataset, index = 0): Promise<number[]> {
  return [...(await data.read([index])).inputs.data];
}

async function one(file: Uint8Array, options: DataOptions = {}): Promise<Dataset> {
  return openData(memoryFiles({ "a.png": file }), [{ path: "a.png" }], options);
}

async function refused(file: Uint8Array, what: object): Promise<void> {
  const error = await one(file).then(
    (data) => data.read([0]),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(FormatError);
  expect(error).toMatchObject(what);
}

function grey(height: number, width: number, at: (i: number) => number): Uint8Array<ArrayBuffer> {
  const data = Uint8Array.from({ length: height * width }, (_, i) => at(i));
  return new Uint8Array(encode({ width, height, data, channels: 1 }));
}

function photo(height: number, width: number, rgb: number[]): Uint8Array<ArrayBuffer> {
  const data = Uint8Array.from({ length: 4 * height * width }, (_, i) => [...rgb, 255][i % 4]);
  return new Uint8Array(jpeg.encode({ width, height, data }, 95).data);
}

describe("folders", () => {
  const files: Files = {
    "set/dog/2.png": grey(2, 2, () => 20),
    "set/dog/1.png": grey(2, 2, () => 10),
    "set/cat/9.png": grey(2, 2, (i) => i),
    "set/cat/notes.txt": Uint8Array.of(1),
    "set/readme.md": Uint8Array.of(1),
  };

  test("a folder in it is a class, in the order of names", async () => {
    const data = await openData(memoryFiles(files), [{ path: "set" }]);
    expect(data).toMatchObject({ count: 3, shape: [2, 2, 1], classes: ["cat", "dog"], labelled: true });
    expect([...((await data.read([0, 1, 2])).labels ?? [])]).toEqual([0, 1, 1]);
    expect(await pixels(data, 0)).toEqual([0, 1, 2, 3]);
    expect(await pixels(data, 1)).toEqual([10, 10, 10, 10]);
  });

  test("the model's classes number them", async () => {
    const data = await openData(memoryFiles(files), [{ path: "set" }], { classes: ["dog", "cow", "cat"] });
    expect([...((await data.read([0, 2])).labels ?? [])]).toEqual([2, 0]);
    await expect(openData(memoryFiles(files), [{ path: "set" }], { classes: ["cow"] })).rejects.toThrow(
      '"cat" is none of the classes',
    );
  });

  test("a folder without folders has no labels, but may have one as a whole; an empty one is refused", async () => {
    expect(await openData(memoryFiles(files), [{ path: "set/dog" }])).toMatchObject({ count: 2, labelled: false });
    const both = [
      { path: "set/dog", label: "1" },
      { path: "set/cat/9.png", label: "0" },
    ];
    const data = await openData(memoryFiles(files), both);
    expect([...((await data.read([0, 1, 2])).labels ?? [])]).toEqual([1, 1, 0]);
    await expect(openData(memoryFiles({ "e/x.txt": Uint8Array.of(1) }), [{ path: "e" }])).rejects.toThrow(
      "no PNG or JPEG files",
    );
  });

  test("pictures of another size say so, unless they are resized; what is open is closed", async () => {
    const mixed = memoryFiles({ "s/a.png": grey(2, 2, () => 1), "s/b.png": grey(4, 4, () => 7) });
    const data = await openData(mixed, [{ path: "s" }]);
    await expect(data.read([0, 1])).rejects.toMatchObject({
      name: "FormatError",
      field: "s/b.png: picture",
      expected: "2 x 2",
    });
    const same = await openData(mixed, [{ path: "s" }], { size: [3, 2] });
    expect(same.shape).toEqual([3, 2, 1]);
    expect(await pixels(same, 1)).toEqual([7, 7, 7, 7, 7, 7]);
    expect(mixed.closed).toBe(mixed.opened);
  });
});

describe("PNG", () => {
  test("every colour type and depth that there is, as 0 .. 255", async () => {
    const row = (...bytes: number[]) => Uint8Array.of(0, ...bytes);
    const size = { width: 2, height: 1 };
    const palette = pngChunk("PLTE", [1, 2, 3, 40, 50, 60]);
    const cases: [string, Uint8Array, number[]][] = [
      ["grey", png(size, row(7, 250)), [7, 250]],
      ["grey, 1 bit", png({ ...size, depth: 1 }, row(0b01000000)), [0, 255]],
      ["grey, 2 bits", png({ ...size, depth: 2 }, row(0b01100000)), [85, 170]],
      ["grey, 4 bits", png({ ...size, depth: 4 }, row(0x1f)), [17, 255]],
      ["grey, 16 bits", png({ ...size, depth: 16 }, row(255, 255, 128, 0)), [255, 32768 / 257]],
      ["grey and alpha", png({ ...size, colour: 4 }, row(7, 0, 250, 9)), [7, 250]],
      ["RGB", png({ ...size, colour: 2 }, row(1, 2, 3, 4, 5, 6)), [1, 2, 3, 4, 5, 6]],
      ["RGB and alpha", png({ ...size, colour: 6 }, row(1, 2, 3, 0, 4, 5, 6, 0)), [1, 2, 3, 4, 5, 6]],
      ["a palette", png({ ...size, colour: 3 }, row(1, 0), [palette]), [40, 50, 60, 1, 2, 3]],
      ["a palette, 1 bit", png({ ...size, colour: 3, depth: 1 }, row(0b10000000), [palette]), [40, 50, 60, 1, 2, 3]],
    ];
    for (const [name, file, expected] of cases) {
      const data = await one(file);
      expect(data.shape, name).toEqual([1, 2, expected.length / 2]);
      expect(await pixels(data), name).toEqual(expected.map(Math.fround));
    }
  });

  test("grey of RGB is luma, RGB of grey three times the same", async () => {
    const file = png({ width: 1, height: 1, colour: 2 }, Uint8Array.of(0, 100, 200, 50));
    expect((await pixels(await one(file, { channels: 1 })))[0]).toBeCloseTo(0.299 * 100 + 0.587 * 200 + 0.114 * 50, 4);
    expect(
      await pixels(
        await one(
          grey(1, 1, () => 9),
          { channels: 3 },
        ),
      ),
    ).toEqual([9, 9, 9]);
  });

  test("any pixels come back", async () => {
    const size = fc.record({ height: fc.integer({ min: 1, max: 9 }), width: fc.integer({ min: 1, max: 9 }) });
    await fc.assert(
      fc.asyncProperty(size, fc.infiniteStream(fc.nat(255)), async ({ height, width }, stream) => {
        const values = Array.from({ length: height * width }, () => stream.next().value as number);
        expect(await pixels(await one(grey(height, width, (i) => values[i])))).toEqual(values);
      }),
      { numRuns: 50 },
    );
  });

  const small = grey(3, 3, (i) => i);

  test("cuts, sizes that lie, checksums", async () => {
    for (let length = 8; length < small.length; length++) await refused(small.slice(0, length), { code: "truncated" });
    const wide = png({ width: 2 ** 31 - 1, height: 2 ** 31 - 1 }, Uint8Array.of(0, 1));
    await refused(wide, { code: "size", offset: 16 });
    await refused(png({ width: 0, height: 1 }, Uint8Array.of(0)), { code: "size" });
    await refused(png({ width: 1, height: 1, colour: 5 }, Uint8Array.of(0, 1)), { code: "png" });
    const flipped = small.slice();
    flipped[small.length - 20] ^= 1;
    await refused(flipped, { code: "png" });
    const long = small.slice();
    long.set(little32(2 ** 31), 33);
    await refused(long, { code: "truncated", offset: 33 });
    await refused(concat(small.slice(0, 8), pngChunk("IEND", [])), { code: "png", offset: 8 });
  });

  test("fewer pixels than the size says are refused, too", async () => {
    await refused(png({ width: 3, height: 3 }, Uint8Array.of(0, 1, 2, 3)), { code: "png" });
  });

  test("bombs: pixels beyond the size are not made, nor is what other chunks hold", async () => {
    const bomb = deflateSync(new Uint8Array(2 ** 26 + 2 ** 20));
    await refused(png({ width: 2, height: 2 }, new Uint8Array(2 ** 26 + 2 ** 20)), {
      code: "inflated-size",
      field: "a.png: png IDAT",
    });
    const profile = pngChunk("iCCP", concat([0x61, 0, 0], bomb));
    expect(await pixels(await one(png({ width: 1, height: 1 }, Uint8Array.of(0, 5), [profile])))).toEqual([5]);
  });
});

describe("JPEG", () => {
  test("colours are near what was written", async () => {
    const data = await openData(memoryFiles({ "a.jpg": photo(8, 16, [200, 30, 90]) }), [{ path: "a.jpg" }]);
    expect(data).toMatchObject({ count: 1, shape: [8, 16, 3], labelled: false });
    for (const [i, x] of (await pixels(data)).entries()) expect(Math.abs(x - [200, 30, 90][i % 3])).toBeLessThan(6);
  });

  test("cuts and sizes that lie", async () => {
    const file = photo(8, 8, [1, 2, 3]);
    for (let length = 3; length < file.length - 1; length += 7)
      await refused(file.slice(0, length), { name: "FormatError" });
    const frame = file.findIndex((byte, i) => byte === 0xff && file[i + 1] === 0xc0);
    const large = file.slice();
    large.set([0xff, 0xff, 0xff, 0xff], frame + 5);
    await refused(large, { code: "size", offset: frame + 5 });
    const none = file.slice();
    none.set([0, 0], frame + 5);
    await refused(none, { code: "size" });
    await refused(Uint8Array.of(0xff, 0xd8, 0xff, 0xd9), { name: "FormatError" });
  });
});

describe("sizes", () => {
  const ramp = { height: 1, width: 4, channels: 1, data: Uint8Array.of(0, 10, 20, 30) };

  test("bilinear and nearest, by the middle of pixels", () => {
    expect([...resized(ramp, 1, 2, "bilinear").data]).toEqual([5, 25]);
    expect([...resized(ramp, 1, 2, "nearest").data]).toEqual([10, 30]);
    expect([...resized(ramp, 1, 8, "bilinear").data]).toEqual([0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 30]);
    expect([...resized(ramp, 2, 4, "nearest").data]).toEqual([0, 10, 20, 30, 0, 10, 20, 30]);
    expect(resized(ramp, 1, 4)).toBe(ramp);
  });

  test("what is of one colour stays so, and nothing leaves the range", () => {
    const sizes = fc.tuple(...Array.from({ length: 4 }, () => fc.integer({ min: 1, max: 7 })));
    fc.assert(
      fc.property(
        sizes,
        fc.constantFrom("nearest", "bilinear"),
        fc.array(fc.nat(255), { minLength: 147, maxLength: 147 }),
        ([h, w, height, width], how, values) => {
          const picture = { height: h, width: w, channels: 3, data: Uint8Array.from(values.slice(0, 3 * h * w)) };
          const out = resized(picture, height, width, how as "nearest").data;
          expect(out.length).toBe(3 * height * width);
          for (let c = 0; c < 3; c++) {
            const old = picture.data.filter((_, i) => i % 3 === c);
            for (const x of out.filter((_, i) => i % 3 === c)) {
              expect(x).toBeGreaterThanOrEqual(Math.min(...old) - 1e-4);
              expect(x).toBeLessThanOrEqual(Math.max(...old) + 1e-4);
            }
          }
        },
      ),
      { numRuns: 100 },
    );
    expect(inChannels({ height: 1, width: 1, channels: 2, data: Uint8Array.of(3, 4) }, 3).data).toEqual(
      Float32Array.of(3, 3, 3),
    );
  });
});
