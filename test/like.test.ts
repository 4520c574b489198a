import { describe, expect, test } from "vitest";
import { decodeTensor, encodeTensor, type LazyTensor, lazyTensor, parseSteps, resolveSteps } from "../src/index.ts";
import { LIKE_FORMATS, type LikeFormat } from "../src/plan/target.ts";
import { elementCount, widen } from "../src/tensor.ts";
import { SCALAR, SIMD, tensorOf } from "./files.ts";
import { expectSame, weights } from "./helpers.ts";
import { joinBlocks, prune, quantizeBlocks } from "./reference.ts";
import { formatTwin } from "./twin.formats.ts";

// "int8 like FORMAT": no more squared error than the format makes of the tensor, by the format's twin, and fewer bytes.

function squared(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0);
}

async function through(tensor: LazyTensor, plan: string, kernels = SIMD) {
  const steps = await resolveSteps(kernels, tensor, parseSteps(plan));
  const chunks: Uint8Array[] = [];
  for await (const { bytes } of encodeTensor(kernels, tensor, parseSteps(plan))) chunks.push(bytes);
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  return { chunks, bytes, back: decodeTensor(kernels, tensor, steps, chunks) };
}

/** The format as a step with all that it says by default. */
const STEPS: Record<LikeFormat, string> = {
  q8_0: "q8_0",
  q4_0: "q4_0",
  q4_1: "q4_1",
  nf4: "nf4 group 64",
  int8: "int8 channel",
  int4: "int4 channel",
};

const SHAPES: [name: string, shape: number[]][] = [
  ["linear", [96, 128]],
  ["convolution 3 x 3", [48, 24, 3, 3]],
  ["last dimension of 50", [120, 50]],
  ["vector", [7000]],
  ["several chunks", [70, 9001]],
];

describe.each(LIKE_FORMATS)("int8 like %s", (format) => {
  test.each(SHAPES)("of a %s has its error at most, and fewer bytes", async (_, shape) => {
    const values = weights(elementCount(shape), 17);
    const most = squared(values, formatTwin(values, shape, STEPS[format]).back);
    const tensor = tensorOf("w", "F32", shape, values);
    if (shape.length === 1 && STEPS[format].endsWith("channel")) {
      // Each element is a channel, with hardly any error.
      await expect(through(tensor, `int8 like ${format}`)).rejects.toThrow(/finer than .* keep the tensor lossless/);
      return;
    }
    const like = await through(tensor, `int8 like ${format}`);
    expect(squared(values, like.back)).toBeLessThanOrEqual(most);
    expect(squared(values, like.back)).toBeGreaterThan(0.99 * most);
    expect(like.bytes).toBeLessThan((await through(tensor, `${format} > auto`)).bytes);
    const scalar = await through(tensor, `int8 like ${format}`, SCALAR);
    for (const [i, chunk] of like.chunks.entries()) expectSame(scalar.chunks[i], chunk);
  });

  test("counts pruned values as zeros", async () => {
    const values = weights(6000, 18);
    const pruned = prune(values, 0.5);
    const most = squared(pruned, formatTwin(pruned, [60, 100], STEPS[format]).back);
    const { back } = await through(tensorOf("w", "F32", [60, 100], values), `prune 0.5 > int8 like ${format}`);
    expect(squared(pruned, back)).toBeLessThanOrEqual(most);
    expect(squared(pruned, back)).toBeGreaterThan(0.98 * most);
  });
});

describe("blocks of GGUF", () => {
  const blocks = (format: "q8_0" | "q4_0" | "q4_1") =>
    lazyTensor({
      name: "w",
      dtype: format.toUpperCase() as "Q8_0",
      shape: [60, 96],
      bytes: joinBlocks(format, quantizeBlocks(format, weights(5760, 19))),
    });

  test("of Q8_0 like q4_0 are reckoned from what they stand for", async () => {
    const tensor = blocks("q8_0");
    const values = widen("Q8_0", await tensor.read(0, 5760));
    const most = squared(values, formatTwin(values, [60, 96], "q4_0").back);
    const { back } = await through(tensor, "int8 like q4_0");
    expect(squared(values, back)).toBeLessThanOrEqual(most);
    expect(squared(values, back)).toBeGreaterThan(0.98 * most);
  });

  test.each(["q8_0", "q4_0", "q4_1"] as const)(
    "like their own %s, which loses nothing, say to stay",
    async (format) => {
      await expect(through(blocks(format), `int8 like ${format}`)).rejects.toThrow(
        /tensor "w".*finer than the finest.*keep the tensor lossless/,
      );
    },
  );
});

test("a scale that f16 cannot hold is said to be the format's", async () => {
  const values = weights(500, 20).fill(1e9, 44, 45);
  await expect(through(tensorOf("w", "F32", [5, 100], values), "int8 like q4_0")).rejects.toThrow(/"w".*f16 of q4_0/);
});
