import { describe, expect, test } from "vitest";
import { cutLayout } from "../src/codec/cut.ts";
import {
  decodeTensor,
  encodeTensor,
  type LazyTensor,
  open,
  PlanError,
  parseSteps,
  printSteps,
  resolveSteps,
  smoothFactors,
} from "../src/index.ts";
import { elementCount } from "../src/tensor.ts";
import { BOTH, DECODERS, floatsAs, modelOf, packed, tensorOf } from "./files.ts";
import { expectSame, weights } from "./helpers.ts";
import * as reference from "./reference.ts";
import { joinBlocks, quantizeBlocks } from "./reference.ts";
import { formatTwin } from "./twin.formats.ts";

// Steps of different features in one plan: each pair does what both say, or is refused with what to do.

/** What a tensor decodes to, the same on every tier, from bytes that every tier writes. */
async function through(tensor: LazyTensor, text: string): Promise<Float32Array> {
  const steps = await resolveSteps(BOTH[0], tensor, parseSteps(text));
  const [chunks, again] = await Promise.all(
    BOTH.map(async (kernels) => {
      const bytes: Uint8Array[] = [];
      for await (const chunk of encodeTensor(kernels, tensor, parseSteps(text))) bytes.push(chunk.bytes);
      return bytes;
    }),
  );
  for (const [i, bytes] of chunks.entries()) expectSame(again[i], bytes, `${text}: chunk ${i}`);
  const [back, ...others] = DECODERS.map((kernels) => decodeTensor(kernels, tensor, steps, chunks));
  for (const other of others) expectSame(other, back, text);
  return back;
}

type Prune = (values: Float32Array, shape: readonly number[]) => Float32Array;

function pattern(keep: number, of: number, axis: number): Prune {
  return (values, shape) => {
    const grid = [shape.slice(0, axis), shape.slice(axis, axis + 1), shape.slice(axis + 1)].map(elementCount);
    return reference.prunePattern(values, grid as [number, number, number], keep, of);
  };
}

const ELEMENTWISE: [text: string, Prune][] = [
  ["prune 0.6", (values) => reference.prune(values, 0.6)],
  ["prune 0.6 global", (values) => reference.prune(values, 0.6)],
  ["prune 2:4", pattern(2, 4, 1)],
  ["prune 1:3 axis 0", pattern(1, 3, 0)],
];

/** The kept channels through `make`, and zeros between them. */
function aroundRemoved(
  values: Float32Array,
  shape: readonly number[],
  sparsity: number,
  make: (kept: Float32Array, shape: readonly number[]) => Float32Array,
): Float32Array {
  const [count, ...rest] = shape;
  const size = elementCount(rest);
  const removed = reference.leastChannels(values, count, size, sparsity);
  const kept = Array.from({ length: count }, (_, i) => i).filter((i) => !removed.includes(i));
  const part = Float32Array.from(kept.flatMap((i) => [...values.subarray(i * size, i * size + size)]));
  const made = make(part, [kept.length, ...rest]);
  const out = new Float32Array(values.length);
  kept.forEach((channel, i) => {
    out.set(made.subarray(i * size, i * size + size), channel * size);
  });
  return out;
}

const PLAIN = ["uint8 tensor", "uint8 channel", "uint8 group 32", "int8 group 24 asymmetric", "int4 channel"];
const AXES = [
  "int8 channel axis 1",
  "uint8 channel axis -1",
  "int4 group 8 axis 0 asymmetric",
  "int8 group 32 axis -1",
];
const FORMATS = ["q8_0", "q4_0", "q4_1", "nf4 group 64", "nbits4 group 32", "nbits4 group 16 asymmetric"];
const TARGETS = ["int8 snr 20dB", "int8 rmse 0.01", "int8 bits 3", "int8 step 0.02", "int8 like q4_0"];
const SHAPES = [
  [12, 40],
  [6, 16, 3, 3],
  [9, 7, 33],
];
const LARGE = [7, 40_001];

describe.each([...PLAIN, ...AXES, ...FORMATS])("%s", (text) => {
  test.each(ELEMENTWISE)("behind %s quantizes the pruned values", async (prune, twin) => {
    for (const shape of prune.includes(":4") ? [...SHAPES, LARGE] : SHAPES) {
      const values = weights(elementCount(shape), 71);
      const expected = formatTwin(twin(values, shape), shape, text).back;
      expectSame(await through(tensorOf("w", "F32", shape, values), `${prune} > ${text}`), expected, `${shape}`);
    }
  });

  test("behind removed channels is what it is without them", async () => {
    for (const shape of SHAPES) {
      const values = weights(elementCount(shape), 72);
      const make = (kept: Float32Array, of: readonly number[]) => formatTwin(kept, of, text).back;
      const expected = aroundRemoved(values, shape, 0.4, make);
      const tensor = tensorOf("w", "F32", shape, values);
      expectSame(await through(tensor, `prune channels 0.4 > ${text}`), expected, `${shape}`);
      for (const as of ["f32", "quantized"] as const) {
        const file = await open((await packed(modelOf([tensor]), `small 0=raw; prune channels 0.4 > ${text}`)).bytes);
        const [whole] = file.model(as).tensors;
        expect(whole.dtype).toBe("F32");
        expectSame(new Float32Array((await whole.read(0, values.length)).slice().buffer), expected, `${shape}, ${as}`);
      }
    }
  });
});

describe.each(PLAIN)("%s", (text) => {
  test.each(ELEMENTWISE)("before %s prunes what the codes stand for", async (prune, twin) => {
    for (const shape of [...SHAPES, LARGE]) {
      const values = weights(elementCount(shape), 73);
      const expected = twin(formatTwin(values, shape, text).back, shape);
      expectSame(await through(tensorOf("w", "F32", shape, values), `${text} > ${prune}`), expected, `${shape}`);
    }
  });

  test("before removed channels leaves the scales of the whole", async () => {
    for (const shape of SHAPES) {
      const values = weights(elementCount(shape), 74);
      const tensor = tensorOf("w", "F32", shape, values);
      const size = elementCount(shape.slice(1));
      const group = Number(/group (\d+)/.exec(text)?.[1] ?? 1);
      if (size % group > 0) {
        await expect(through(tensor, `${text} > prune channels 0.4`)).rejects.toThrow("prune channels first");
        continue;
      }
      const { back } = formatTwin(values, shape, text);
      const expected = aroundRemoved(back, shape, 0.4, (kept) => kept);
      expectSame(await through(tensor, `${text} > prune channels 0.4`), expected, `${shape}`);
    }
  });
});

test.each(TARGETS)("%s behind pruning counts the pruned values, and keeps them zero", async (text) => {
  const shape = [24, 100];
  const values = weights(2400, 75);
  const whole = await resolveSteps(BOTH[0], tensorOf("w", "F32", shape, values), parseSteps(text));
  expect(printSteps(whole)).toContain(text.replace(/ (snr|rmse|bits|step|like)/, " tensor $1"));
  for (const [prune, twin] of ELEMENTWISE) {
    const pruned = twin(values, shape);
    const back = await through(tensorOf("w", "F32", shape, values), `${prune} > ${text}`);
    expect(pruned.some((x, i) => x === 0 && back[i] !== 0)).toBe(false);
    // A tensor that was pruned before gets the same step.
    expectSame(back, await through(tensorOf("w", "F32", shape, pruned), text), prune);
  }
  const make = (kept: Float32Array, of: readonly number[]) => through(tensorOf("w", "F32", of, kept), text);
  let alone = new Float32Array(0);
  aroundRemoved(values, shape, 0.25, (kept, of) => {
    expect(of).toEqual([18, 100]);
    alone = kept.slice();
    return kept;
  });
  const made = await make(alone, [18, 100]);
  const expected = aroundRemoved(values, shape, 0.25, () => made);
  expectSame(await through(tensorOf("w", "F32", shape, values), `prune channels 0.25 > ${text}`), expected);
});

test.each([...AXES, ...FORMATS, ...TARGETS])("pruning behind %s is refused: prune first", (text) => {
  const info = { name: "w", dtype: "F32", shape: [12, 40] } as const;
  for (const prune of [...ELEMENTWISE.map(([words]) => words), "prune channels 3"]) {
    expect(() => cutLayout(info, parseSteps(`${text} > ${prune}`)), prune).toThrow(PlanError);
    expect(() => cutLayout(info, parseSteps(`${text} > ${prune}`)), prune).toThrow("prune first");
  }
});

describe.each([...PLAIN, ...AXES])("smooth 0.5 > %s", (text) => {
  const smoothed = (values: Float32Array, shape: readonly number[], words: string) => {
    const inner = elementCount(shape.slice(2));
    const maxima = reference.columnMax(values, [shape[0], shape[1], inner], new Float32Array(shape[1]));
    const [step] = parseSteps(`${words} > int8`);
    if (step.op !== "smooth") throw new Error(words);
    const factors = smoothFactors(maxima, step);
    return Float32Array.from(values, (_, i) => factors[Math.floor(i / inner) % shape[1]]);
  };

  test.each(["smooth 0.5", "smooth 0.3 pow2"])("(%s) is divided out again, pruned or not", async (words) => {
    for (const shape of [...SHAPES, [3, 50_000, 2]]) {
      const values = weights(elementCount(shape), 76);
      const factors = smoothed(values, shape, words);
      const product = values.map((x, i) => Math.fround(x * factors[i]));
      const divide = (x: Float32Array) => x.map((y, i) => Math.fround(y / factors[i]));
      const tensor = tensorOf("w", "F32", shape, values);
      const expected = divide(formatTwin(product, shape, text).back);
      expectSame(await through(tensor, `${words} > ${text}`), expected, `${shape}`);
      const first = divide(formatTwin(reference.prune(product, 0.5), shape, text).back);
      expectSame(await through(tensor, `${words} > prune 0.5 > ${text}`), first, `pruned ${shape}`);
    }
  });
});

test.each([...FORMATS, ...TARGETS])("smooth before %s is refused, with what would do", (text) => {
  const info = { name: "w", dtype: "F32", shape: [12, 40] } as const;
  expect(() => cutLayout(info, parseSteps(`smooth 0.5 > ${text}`))).toThrow(PlanError);
  expect(() => cutLayout(info, parseSteps(`smooth 0.5 > ${text}`))).toThrow(
    "smooth needs int8 or int4 behind it, without a target",
  );
});

describe("a budget", () => {
  const model = modelOf(
    ["a", "b", "c"].map((name, i) =>
      tensorOf(
        name,
        "F32",
        [40, 64],
        weights(2560, i).map((x) => x * (i + 1)),
      ),
    ),
  );
  const budget = { bytes: 5500 };

  test.each(["uint8 channel", "int8 channel axis 1", "int4 group 32", "nf4 group 64", "q4_0"])(
    "leaves %s as it is, and decides about int8",
    async (text) => {
      const { bytes } = await packed(model, `a=${text}; int8`, { budget });
      expect(bytes.length).toBeLessThanOrEqual(budget.bytes);
      expect(bytes.length).toBeGreaterThan(0.97 * budget.bytes);
      const file = await open(bytes);
      expect(file.index.map(({ plan }) => plan)).toEqual([
        `${text} > auto`,
        expect.stringMatching(/^int(8|16) tensor step /),
        expect.stringMatching(/^int(8|16) tensor step /),
      ]);
      const a = new Float32Array((await model.tensors[0].read(0, 2560)).buffer);
      expectSame((await file.tensor("a")).data, formatTwin(a, [40, 64], text).back);
      await expect(packed(model, text, { budget })).rejects.toThrow("a budget needs tensors whose plan says int8");
    },
  );

  test("goes with pruning before it, and refuses what it would undo", async () => {
    for (const prune of ["prune 0.5", "prune 2:4", "prune channels 0.25", "prune 0.5 global"]) {
      const { bytes } = await packed(model, `${prune} > int8`, { budget });
      expect(bytes.length, prune).toBeLessThanOrEqual(budget.bytes);
      expect(bytes.length, prune).toBeGreaterThan(0.9 * budget.bytes);
      await expect(packed(model, `int8 > ${prune}`, { budget }), prune).rejects.toThrow("prune first");
    }
    await expect(packed(model, "smooth 0.5 > int8", { budget })).rejects.toThrow(
      "smooth needs int8 or int4 behind it, without a target",
    );
  });

  test("that is large leaves loss to tensors that cannot be pruned without", async () => {
    const values = weights(2560, 5);
    const blocks = tensorOf("blocks", "Q8_0", [40, 64], joinBlocks("q8_0", quantizeBlocks("q8_0", values)));
    const double = tensorOf("double", "F64", [40, 64], floatsAs("F64", values));
    for (const prune of ["prune 0.5", "prune channels 0.25"]) {
      const all = modelOf([...model.tensors, blocks, double]);
      const { bytes } = await packed(all, `${prune} > int8`, { budget: { bytes: 100_000 } });
      const file = await open(bytes);
      const wide = /^prune .* > int16 tensor step /;
      expect(file.index.slice(3).map(({ plan }) => plan)).toEqual([
        expect.stringMatching(wide),
        expect.stringMatching(wide),
      ]);
      for (const { plan } of file.index.slice(0, 3)) expect(plan).not.toContain("int");
    }
  });
});
