import { describe, expect, test } from "vitest";
import { compare } from "../src/compare/compare.ts";
import type { Comparison, FormatFigures } from "../src/compare/comparison.ts";
import { curveBudgets } from "../src/compare/curve.ts";
import { FORMATS } from "../src/compare/formats.ts";
import { formatBytes } from "../src/compare/sizes.ts";
import { BINS } from "../src/compare/weights.ts";
import { diffModels, type Model, memorySink, open, pack, writeGguf, writeSafetensors } from "../src/index.ts";
import { modelOf, tensorOf } from "./files.ts";
import { weights } from "./helpers.ts";

// What `compare` reports, against the same figures reckoned another way.

const WIDE = weights(64 * 96, 1);
const DEEP = weights(40 * 90, 2).map((x) => 8 * x);
const BIAS = weights(64, 3);

function small(): Model {
  return modelOf([
    tensorOf("wide", "F32", [64, 96], WIDE),
    tensorOf("bias", "F32", [64], BIAS),
    tensorOf("deep", "F32", [40, 10, 3, 3], DEEP),
  ]);
}

const ELEMENTS = 64 * 96 + 64 + 40 * 90;

async function packedBytes(model: Model, plan: string, options = {}): Promise<Uint8Array> {
  const sink = memorySink();
  await pack(model, plan, sink, options);
  return sink.bytes();
}

async function snrOf(model: Model, bytes: Uint8Array): Promise<number> {
  return (await diffModels(model, (await open(bytes)).model("f32"))).total.snr;
}

function formatOf({ formats }: Comparison, name: string): FormatFigures {
  return formats.find((format) => format.name === name) as FormatFigures;
}

/** GGUF's Q4_0, a value at a time: its squared error over all elements. */
function q4Error(values: Float32Array): number {
  let error = 0;
  for (let start = 0; start < values.length; start += 32) {
    const block = values.subarray(start, start + 32);
    const most = block.reduce((a, x) => (Math.abs(x) > Math.abs(a) ? x : a), 0);
    const d = Math.fround(most / -8);
    const inverse = d === 0 ? 0 : Math.fround(1 / d);
    const stored = half(d);
    for (const x of block) {
      const code = Math.min(15, Math.trunc(Math.fround(Math.fround(x * inverse) + 8.5)));
      error += (x - Math.fround((code - 8) * stored)) ** 2;
    }
  }
  return error;
}

// To eleven bits, half to even; these scales are normal in f16.
function half(x: number): number {
  const unit = 2 ** (Math.floor(Math.log2(Math.abs(x))) - 10);
  const [down, rest] = [Math.floor(x / unit), x / unit - Math.floor(x / unit)];
  return unit * (rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down);
}

describe("compare", () => {
  test("reports sizes that pack writes and errors that diff measures", async () => {
    const found = await compare(small(), { points: 3 });
    expect(found).toMatchObject({ elements: ELEMENTS, sourceBytes: 4 * ELEMENTS, reference: "q4_0" });
    expect(found.quantized).toEqual({ tensors: 2, elements: ELEMENTS - 64 });
    for (const { name, same, equal } of found.formats) {
      const codes = await packedBytes(small(), `${name} > smallest`);
      expect(same).toMatchObject({ bytes: codes.length, bits: (8 * codes.length) / ELEMENTS });
      expect(same?.snr).toBe(await snrOf(small(), await packedBytes(small(), `${name} > raw`)));
      const like = await packedBytes(small(), `int8 like ${name} > smallest`);
      expect(equal).toMatchObject({ bytes: like.length, snr: await snrOf(small(), like) });
    }
    expect(found.curve).toHaveLength(3);
    for (const { budget, bytes, snr } of found.curve) {
      const file = await packedBytes(small(), "int8 > smallest", { budget: { bits: budget } });
      expect(file.length).toBe(bytes);
      expect(8 * bytes).toBeLessThanOrEqual(budget * ELEMENTS);
      expect(snr).toBe(await snrOf(small(), file));
    }
  });

  test("measures the error that Q4_0 makes, and none of ours is above it", async () => {
    const found = await compare(small(), { points: 1 });
    const signal = [WIDE, DEEP, BIAS].reduce((sum, values) => values.reduce((a, x) => a + x * x, sum), 0);
    const snr = 10 * Math.log10(signal / (q4Error(WIDE) + q4Error(DEEP)));
    expect(formatOf(found, "q4_0").own?.snr).toBeCloseTo(snr, 6);
    for (const { own, equal } of found.formats) {
      expect(equal?.worst).toBeGreaterThan(0.9);
      expect(equal?.worst).toBeLessThanOrEqual(1 + 1e-9);
      expect(equal?.snr).toBeGreaterThanOrEqual((own?.snr as number) - 1e-9);
      expect(equal?.saved).toBe(1 - (equal?.bytes as number) / (own?.bytes as number));
    }
  });

  test("counts the bytes that each format stores", async () => {
    const found = await compare(small(), { points: 1 });
    const sizeOf = (name: string) => formatOf(found, name).own?.bytes as number;
    const blocks = (64 * 96) / 32 + Math.ceil(3600 / 32);
    // The blocks and the bias; what GGUF adds is a header, and padding to 32.
    for (const [name, block] of [
      ["q8_0", 34],
      ["q4_0", 18],
      ["q4_1", 20],
    ] as const) {
      expect(sizeOf(name) - block * blocks - 256).toBeGreaterThan(150);
      expect(sizeOf(name) - block * blocks - 256).toBeLessThan(350);
    }
    const scales = { nf4: 4 * Math.ceil(ELEMENTS / 64), int8: 4 * 104, int4: 4 * 104 };
    const codes = { nf4: 4872, int8: 9744, int4: 4872 };
    for (const name of ["nf4", "int8", "int4"] as const) {
      expect(sizeOf(name) - codes[name] - scales[name] - 256).toBeGreaterThan(200);
      expect(sizeOf(name) - codes[name] - scales[name] - 256).toBeLessThan(500);
    }
  });

  test("accounts for every byte of the file like Q4_0", async () => {
    const found = await compare(small(), { points: 1 });
    const sum = found.tensors.reduce((bytes, { equal }) => bytes + (equal?.bytes ?? 0), found.headerBytes);
    expect(sum).toBe(formatOf(found, "q4_0").equal?.bytes);
    const file = await open(await packedBytes(small(), "int8 like q4_0 > smallest"));
    for (const { name, quantized, equal } of found.tensors) {
      expect(quantized).toBe(name !== "bias");
      if (!equal || !quantized) continue;
      expect(equal.codes).toBeGreaterThan(0.9 * equal.bytes);
      expect(equal.codes).toBeLessThan(equal.bytes);
      const { quantization } = await file.tensor(name, { as: "stored" });
      expect(equal.step).toBe(quantization?.scales[0]);
    }
  });

  test("counts weights by value", async () => {
    const { tensors } = await compare(small(), { points: 1 });
    const { limit, counts } = tensors[0]?.histogram ?? { limit: 0, counts: [] };
    expect(limit).toBe(WIDE.reduce((a, x) => Math.max(a, Math.abs(x)), 0));
    const expected = new Array(BINS).fill(0);
    for (const x of WIDE) expected[Math.min(Math.floor(((x + limit) * BINS) / (2 * limit)), BINS - 1)]++;
    expect(counts.reduce((a, b) => a + b)).toBe(WIDE.length);
    for (const [i, count] of counts.entries()) expect(Math.abs(count - expected[i])).toBeLessThanOrEqual(1);
    expect(tensors[1]?.histogram).toBeNull();
  });

  test("tells how far it is, ever further, to the end", async () => {
    const shares: number[] = [];
    await compare(small(), { points: 2, onProgress: (share) => shares.push(share) });
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(shares.at(-1)).toBe(1);
  });

  test("stops when it is told to", async () => {
    const controller = new AbortController();
    const done = compare(small(), {
      signal: controller.signal,
      onProgress: () => controller.abort(new Error("enough")),
    });
    await expect(done).rejects.toThrow("enough");
  });
});

describe("models of other kinds", () => {
  test("one tensor, zeros or constant, has its figures", async () => {
    for (const value of [0, 0.5]) {
      const model = modelOf([tensorOf("w", "F32", [40, 50], new Float32Array(2000).fill(value))]);
      const found = await compare(model, { points: 2 });
      expect(found.formats.filter(({ own, equal, why }) => own && equal && why === null)).toHaveLength(6);
      expect(found.formats.every(({ equal }) => (equal?.worst as number) <= 1 + 1e-9)).toBe(true);
      expect(found.tensors[0]?.histogram?.counts.filter((count) => count > 0)).toEqual([2000]);
    }
  });

  test("what f16 cannot hold is said of the formats that need it", async () => {
    const model = modelOf([
      tensorOf(
        "w",
        "F32",
        [40, 50],
        weights(2000, 5).map((x) => 1e8 * x),
      ),
    ]);
    const found = await compare(model, { points: 1 });
    expect(formatOf(found, "q4_0")).toMatchObject({
      own: null,
      same: null,
      equal: null,
      why: expect.stringContaining("w"),
    });
    expect(formatOf(found, "int8").why).toBeNull();
    expect(found).toMatchObject({ reference: null, headerBytes: 0 });
    expect(found.tensors[0]?.equal).toBeNull();
  });

  test("f16, bf16 and tensors that are no numbers are taken", async () => {
    const bytes = new Uint16Array(2048).map((_, i) => 0x3c00 + ((i * 37) & 0x83ff));
    const model = modelOf([
      tensorOf("half", "F16", [32, 64], bytes),
      tensorOf("brain", "BF16", [32, 64], bytes),
      tensorOf("mask", "BOOL", [4], Uint8Array.of(0, 1, 1, 0)),
    ]);
    const { quantized, formats } = await compare(model, { points: 1 });
    expect(quantized.tensors).toBe(2);
    expect(formats.every(({ equal }) => equal !== null)).toBe(true);
  });

  test("without a tensor to quantize there is nothing to compare", async () => {
    const model = modelOf([tensorOf("bias", "F32", [2000], weights(2000, 6))]);
    await expect(compare(model)).rejects.toThrow(/quantizes no tensor.*--plan/);
    await expect(compare(modelOf([]))).rejects.toThrow(/quantizes no tensor/);
    const plan = "small 17=lossless; int8 > smallest";
    const tiny = modelOf([tensorOf("w", "F32", [8, 9], weights(72, 7))]);
    expect((await compare(tiny, { plan, points: 2 })).quantized).toEqual({ tensors: 1, elements: 72 });
  });

  test("NaN and infinity are refused by name and place, unless the tensor is kept", async () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const values = weights(2000, 8);
      values[777] = value;
      const model = modelOf([tensorOf("w", "F32", [40, 50], values), tensorOf("v", "F32", [40, 50], weights(2000, 9))]);
      await expect(compare(model)).rejects.toThrow(`tensor "w": element 777 is ${value}: only finite values`);
      const kept = await compare(model, { plan: "w=lossless; int8 > auto", points: 1 });
      expect(kept.quantized.tensors).toBe(1);
    }
  });

  test.each(["prune 0.5 > int8 > auto", "int4 > auto", "q4_0 > raw", "a*=int4; int8"])(
    "plan %s is refused",
    async (plan) => {
      await expect(compare(small(), { plan })).rejects.toThrow(/compare chooses step sizes/);
    },
  );

  test.each([0, 101, 1.5, Number.NaN])("%d points are refused", async (points) => {
    await expect(compare(small(), { points })).rejects.toThrow(RangeError);
  });
});

describe("sizes of other formats", () => {
  const q4 = FORMATS[1] as (typeof FORMATS)[number];

  test("are those of the file that unpack writes of the same blocks", async () => {
    const model = modelOf([
      tensorOf("blocks", "F32", [64, 96], WIDE),
      tensorOf("bias", "F32", [64], BIAS),
      tensorOf("half", "F16", [3], Uint16Array.of(1, 2, 3)),
    ]);
    const metadata = { task: "näme" };
    const stored = modelOf([
      tensorOf("blocks", "Q4_0", [64, 96], new Uint8Array((64 * 96 * 18) / 32)),
      ...model.tensors.slice(1),
    ]);
    const sink = memorySink();
    const size = await writeGguf({ ...stored, metadata }, sink);
    expect(sink.bytes()).toHaveLength(size);
    expect(await formatBytes({ ...model, metadata }, q4, new Set(["blocks"]))).toBe(size);
  });

  test("exist where the format has no such names, shapes, dtypes or metadata", async () => {
    const model = {
      tensors: [
        tensorOf("x".repeat(200), "F32", [2, 2, 2, 2, 64], weights(1024, 4)),
        tensorOf("\ud800", "BOOL", [3], Uint8Array.of(1, 0, 1)),
      ],
      metadata: { schlüssel: "\udfff", "": "" },
    };
    const size = await formatBytes(model, q4, new Set([model.tensors[0]?.name as string]));
    expect(size).toBeGreaterThan(18 * 32);
    expect(size).toBeLessThan(18 * 32 + 500);
  });

  test("count scales beside a tensor that has their name", async () => {
    const int8 = FORMATS.find(({ name }) => name === "int8") as (typeof FORMATS)[number];
    const named = (other: string) =>
      modelOf([tensorOf("w", "F32", [32, 64], weights(2048, 1)), tensorOf(other, "F32", [1], weights(1, 2))]);
    const plain = await formatBytes(named("w.other"), int8, new Set(["w"]));
    const clash = await formatBytes(named("w.scale"), int8, new Set(["w"]));
    expect(Math.abs(clash - plain)).toBeLessThanOrEqual(8);
    const whole = await writeSafetensors(named("w.other"), memorySink());
    expect(plain).toBeLessThan(whole - 3 * 2048 + 300);
  });
});

describe("budgets of the curve", () => {
  test("lie evenly between what is possible", () => {
    expect(curveBudgets(0.2, 27, 4)).toEqual([1.5, 4.067, 6.633, 9.2]);
    expect(curveBudgets(3, 27, 2)).toEqual([3.5, 12]);
    expect(curveBudgets(0.2, 6, 2)).toEqual([1.5, 6]);
    expect(curveBudgets(0.2, 27, 1)).toEqual([1.5]);
    expect(curveBudgets(5, 5.2, 8)).toEqual([5.2]);
  });
});
