import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codedBits, resolveTarget } from "../src/codec/target.ts";
import { decodeTensor, encodeTensor, type LazyTensor, parseSteps, printSteps, resolveSteps } from "../src/index.ts";
import { narrow, widen } from "../src/tensor.ts";
import { SCALAR, SIMD, tensorOf } from "./files.ts";
import { bytesOf, difference, expectSame, weights } from "./helpers.ts";

// Targets of the step size: what was asked for is what comes out, on the elements themselves.

function floats(x: Float32Array, dtype: "F32" | "F16" | "BF16" = "F32", shape = [x.length]): LazyTensor {
  return tensorOf("w", dtype, shape, narrow(dtype, x));
}

async function through(tensor: LazyTensor, plan: string, kernels = SIMD) {
  const steps = await resolveSteps(kernels, tensor, parseSteps(plan));
  const chunks: Uint8Array[] = [];
  for await (const chunk of encodeTensor(kernels, tensor, parseSteps(plan))) chunks.push(chunk.bytes);
  const back = decodeTensor(kernels, tensor, steps, chunks);
  const n = back.length;
  const x = widen(tensor.dtype, await tensor.read(0, n));
  let [error, signal] = [0, 0];
  for (let i = 0; i < n; i++) {
    error += (x[i] - back[i]) ** 2;
    signal += x[i] ** 2;
  }
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const snr = 10 * Math.log10(signal / error);
  return { steps: printSteps(steps), chunks, back, error, rmse: Math.sqrt(error / n), snr, bits: (8 * bytes) / n };
}

const WEIGHTS = weights(40000, 11);
// Without outliers, and so with room for fine steps.
const TAME = WEIGHTS.map((x) => Math.sign(x) * Math.min(Math.abs(x), 0.2));

describe("a target", () => {
  test.each([6, 13, 20, 31.5, 45])("of %d dB is met, and hardly passed", async (snr) => {
    const { snr: found } = await through(floats(WEIGHTS), `int8 snr ${snr}`);
    expect(found).toBeGreaterThanOrEqual(snr);
    expect(found).toBeLessThan(snr + 0.02);
  });

  test.each([0.02, 3e-3, 4e-4])("of an rmse of %d is met, and hardly passed", async (rmse) => {
    const { rmse: found } = await through(floats(WEIGHTS), `int8 rmse ${rmse}`);
    expect(found).toBeLessThanOrEqual(rmse);
    expect(found).toBeGreaterThan(0.997 * rmse);
  });

  test.each([0.6, 1, 2, 3.5, 5, 7.25])("of %d bits is met, headers and all, and hardly passed", async (bits) => {
    const { bits: found } = await through(floats(WEIGHTS), `int8 bits ${bits}`);
    expect(found).toBeLessThanOrEqual(bits);
    expect(found).toBeGreaterThan(0.99 * bits);
  });

  test.each(["int4", "int8"] as const)("like %s has no more error, and fewer bytes", async (format) => {
    const plain = await through(floats(WEIGHTS, "F32", [40, 1000]), `${format} channel`);
    const like = await through(floats(WEIGHTS, "F32", [40, 1000]), `int8 like ${format}`);
    expect(like.error).toBeLessThanOrEqual(plain.error);
    expect(like.error).toBeGreaterThan(0.99 * plain.error);
    expect(like.bits).toBeLessThan(plain.bits);
  });

  test("is a step that is taken as it is", async () => {
    const { back } = await through(floats(WEIGHTS), "int8 step 0.01 dead 0");
    const step = Math.fround(0.01);
    back.forEach((value, i) => {
      if (Math.abs(value / step - Math.round(value / step)) > 1e-3) throw new Error(`element ${i} is ${value}`);
      if (Math.abs(value - WEIGHTS[i]) > step / 2 + 1e-4) throw new Error(`element ${i} is ${value}`);
    });
  });

  test("counts what reaches it: the pruned elements", async () => {
    const pruned = await through(floats(TAME, "F32", [40, 1000]), "prune 0.5 > int8 like int8 > raw");
    expect(pruned.steps).toMatch(/^prune 0.5 > int(8|16) tensor like int8 > raw$/);
    expect(pruned.back.filter((x) => x === 0).length).toBeGreaterThanOrEqual(20000);
  });

  test.each(["F16", "BF16"] as const)("is met for %s, over several chunks", async (dtype) => {
    const tensor = floats(weights(700001, 3), dtype);
    const { snr, chunks } = await through(tensor, "int8 snr 25dB");
    expect(chunks.length).toBeGreaterThan(2);
    expect(snr).toBeGreaterThanOrEqual(25);
    expect(snr).toBeLessThan(25.05);
  });

  test("is a wide one where levels beyond 127 occur, and only there", async () => {
    const wide = await through(floats(TAME), "int8 snr 60");
    expect(wide.steps).toBe("int16 tensor snr 60dB > auto");
    expect(wide.snr).toBeGreaterThanOrEqual(60);
    expect((await through(floats(WEIGHTS), "int8 snr 15")).steps).toBe("int8 tensor snr 15dB > auto");
    expect((await through(floats(WEIGHTS), "int16 snr 15")).steps).toBe("int16 tensor snr 15dB > auto");
  });

  test.each(["raw", "pivot", "huffman", "zrl", "mask", "auto"])("goes with code %s, wide or not", async (code) => {
    for (const snr of [8, 62]) {
      const { snr: found } = await through(floats(TAME), `int8 snr ${snr} > ${code}`);
      expect(found).toBeGreaterThanOrEqual(snr);
    }
  });

  test("gives the same bytes on simd and scalar", async () => {
    const tame = floats(TAME, "F32", [40, 1000]);
    for (const plan of ["int8 snr 20dB", "int8 bits 2", "int16 rmse 1e-4", "int8 like int4 dead 0.1"]) {
      const [a, b] = [await through(tame, plan), await through(tame, plan, SCALAR)];
      for (const [i, chunk] of a.chunks.entries()) expectSame(chunk, b.chunks[i], plan);
      expect(b.back).toEqual(a.back);
    }
  });
});

describe("degenerate tensors", () => {
  test.each(["int8 snr 20", "int8 bits 2", "int8 rmse 0.1", "int8 like int8", "int8 step 1"])(
    "of zeros, of one element, of none: %s",
    async (plan) => {
      expectSame((await through(floats(new Float32Array(3000)), plan)).back, new Float32Array(3000));
      expect((await through(floats(new Float32Array(0)), plan)).back).toHaveLength(0);
      // A single element costs more than any bits, because headers count too, and has a channel of its own.
      if (/bits|like/.test(plan))
        await expect(through(floats(Float32Array.of(1.5)), plan)).rejects.toThrow(/"w".*(bits|lossless)/);
      else expect((await through(floats(Float32Array.of(1.5)), plan)).back[0]).toBeCloseTo(1.5, -1);
    },
  );

  test("of a constant", async () => {
    const { snr } = await through(floats(new Float32Array(5000).fill(-0.3)), "int8 snr 30");
    expect(snr).toBeGreaterThanOrEqual(30);
  });

  test("with one outlier: the rest becomes zero unless the target asks for more", async () => {
    const x = weights(5000, 6);
    x[77] = 1e6;
    expect((await through(floats(x), "int8 snr 40")).back[77]).toBeCloseTo(1e6, -5);
    await expect(through(floats(x), "int8 rmse 1e-6")).rejects.toThrow(/tensor "w".*lossless/);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("with %f are refused, with its index", async (bad) => {
    const x = weights(300000, 6);
    x[270001] = bad;
    await expect(through(floats(x), "int8 snr 40")).rejects.toThrow('tensor "w": element 270001 is');
  });

  test("of tiny elements become zeros if that is good enough, and say so if not", async () => {
    const tiny = floats(weights(3000, 6).map((x) => x * 2 ** -125));
    for (const plan of ["int8 rmse 1e-9", "int8 bits 1", "int8 step 1e-3"]) {
      expectSame((await through(tiny, plan)).back, new Float32Array(3000));
    }
    for (const plan of ["int8 snr 10", "int8 rmse 1e-42", "int8 step 1e-37"]) {
      await expect(through(tiny, plan)).rejects.toThrow(/tensor "w".*finest/);
    }
    const small = floats(weights(3000, 6).map((x) => x * 2 ** -108));
    expect((await through(small, "int8 snr 20")).snr).toBeGreaterThanOrEqual(20);
  });

  test("of huge elements keep to what f32 can hold", async () => {
    const most = 3.4028234663852886e38;
    const huge = floats(TAME.map((x) => (x / 0.2) * most));
    expect((await through(huge, "int8 snr 20")).snr).toBeGreaterThanOrEqual(20);
    for (const plan of [
      "int8 bits 0.01",
      "int8 bits 0.5",
      "int8 bits 1",
      "int8 bits 2",
      "int8 step 2e38",
      "int8 step 1e39",
    ]) {
      const back = await through(huge, plan).then(
        (made) => made.back,
        (error: Error) => {
          expect(error.message).toMatch(/largest f32|ask for more bits/);
          return new Float32Array(0);
        },
      );
      expect(back.every(Number.isFinite), plan).toBe(true);
    }
  });

  test("are refused where the target is finer than int16 can be", async () => {
    await expect(through(floats(WEIGHTS), "int8 snr 120")).rejects.toThrow(/lossless/);
    await expect(through(floats(WEIGHTS), "int8 step 1e-9")).rejects.toThrow(/too fine/);
  });
});

test("any elements meet any target that can be met", async () => {
  const x = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -1000, max: 1000 }), {
    minLength: 1,
    maxLength: 300,
  });
  await fc.assert(
    fc.asyncProperty(x, fc.integer({ min: 1, max: 40 }), async (values, snr) => {
      const array = Float32Array.from(values);
      const { snr: found } = await through(floats(array), `int8 snr ${snr} > raw`).catch((error: Error) => {
        expect(error.message).toContain("finest");
        return { snr: Number.POSITIVE_INFINITY };
      });
      expect(Number.isNaN(found) || found >= snr).toBe(true);
    }),
  );
});

test("what is measured is what is written", async () => {
  const tensor = floats(WEIGHTS);
  const resolved = await resolveTarget(SIMD, { tensor, steps: parseSteps("int8 snr 20") });
  expect(await codedBits(SIMD, resolved)).toBe((await through(tensor, "int8 snr 20")).bits * WEIGHTS.length);
  const untouched = await resolveTarget(SIMD, { tensor, steps: parseSteps("int8") });
  expect(untouched).toEqual({ tensor, steps: parseSteps("int8"), levels: null });
  expect(difference(bytesOf(WEIGHTS), bytesOf(WEIGHTS))).toBe("");
});
