import { describe, expect, test } from "vitest";
import { type DataOptions, type Dataset, openData } from "../src/data.ts";
import type { Engine } from "../src/engine/engine.ts";
import { evaluate } from "../src/evaluate.ts";
import { DataError } from "../src/index.ts";
import { memoryFiles, raw } from "./data.files.ts";
import { type Layer, mlpEngine } from "./mlp.engine.ts";
import { random } from "./random.ts";
import { classFigures, valueFigures } from "./reference/loss.ts";

const next = random(1);
const floats = (count: number, size = 1): Float32Array =>
  Float32Array.from({ length: count }, () => size * (2 * next() - 1));
const LAYERS: readonly Layer[] = [
  { name: "a", weight: floats(6 * 8), bias: floats(8, 0.1), activation: "relu" },
  { name: "b", weight: floats(8 * 8), bias: floats(8, 0.1), activation: "relu" },
  { name: "c", weight: floats(8 * 4, 3), bias: floats(4, 0.1), activation: "softmax" },
];
const SAMPLES = floats(50 * 6);
const LABELS = Int32Array.from({ length: 50 }, (_, i) => i % 4);

async function data(options: DataOptions = {}, labels = true): Promise<Dataset> {
  const files = memoryFiles({ x: raw(SAMPLES), y: raw(LABELS) });
  return openData(files, [{ path: "x" }], { shape: [6], dtype: "f32", ...(labels && { labels: "y" }), ...options });
}

/** Weights with few bits. */
const coarse = (weight: Float32Array, levels: number): Float32Array =>
  weight.map((x) => Math.round(x * levels) / levels);
const edits = (levels: number, names = ["a", "b", "c"]) => ({
  weights: new Map(
    LAYERS.filter(({ name }) => names.includes(name)).map(({ name, weight }) => [
      `${name}.weight`,
      coarse(weight, levels),
    ]),
  ),
});

/** Outputs of an engine for all samples, as rows. */
async function rowsOf(engine: Engine, name: string, samples = SAMPLES): Promise<number[][]> {
  const values = await engine.run(new Map([["x", { shape: [samples.length / 6, 6], data: samples }]]), [name]);
  const { shape, data } = values.get(name) ?? { shape: [0], data: new Float32Array(0) };
  return Array.from({ length: shape[0] }, (_, n) => [...data.subarray(n * shape[1], (n + 1) * shape[1])]);
}

describe("evaluate", () => {
  test("global figures are those of all outputs at once, whatever the batch", async () => {
    const engine = mlpEngine(LAYERS);
    const after = await engine.withWeights(edits(4));
    const expected = classFigures(
      { original: await rowsOf(engine, "c:out"), compressed: await rowsOf(after, "c:out") },
      [...LABELS],
      false,
    );
    const reports = await Promise.all(
      [1, 7, 50, 64].map(async (batch) => evaluate(engine, edits(4), await data(), { batch })),
    );
    for (const report of reports) {
      expect(report).toMatchObject({
        kind: "classes",
        model: "mlp",
        output: "c:out",
        samples: 50,
        notFinite: 0,
        units: null,
        runtime: "plain JavaScript",
      });
      for (const name of [
        "kl",
        "agreement",
        "confidence",
        "mse",
        "snr",
        "top1Original",
        "top1Compressed",
        "top1Change",
      ])
        expect(report.figures[name]?.value, name).toBeCloseTo(expected[name], 5);
      expect(report).toEqual(reports[0]);
      expect(JSON.parse(JSON.stringify(report))).toEqual(report);
    }
  });

  test("another engine is compared as edits are, and stays open", async () => {
    const open = { count: 0 };
    const engine = mlpEngine(LAYERS, { open });
    const other = mlpEngine(LAYERS, { open }, edits(4));
    expect(await evaluate(engine, other, await data(), { perUnit: true })).toEqual(
      await evaluate(engine, edits(4), await data(), { perUnit: true }),
    );
    expect(open.count).toBe(2);
  });

  test("units alone, each fed by the original", async () => {
    const engine = mlpEngine(LAYERS);
    const { units } = await evaluate(engine, edits(4, ["b"]), await data(), { perUnit: true, batch: 8 });
    expect(units?.map(({ name }) => name)).toEqual(["a", "b", "c"]);
    expect(units?.map(({ mse }) => mse.value === 0)).toEqual([true, false, true]);
    // Only b is edited, so b's output in the whole is what b alone makes.
    const after = await engine.withWeights(edits(4, ["b"]));
    const expected = valueFigures({
      original: await rowsOf(engine, "b:out"),
      compressed: await rowsOf(after, "b:out"),
    });
    expect(units?.[1]?.mse.value).toBeCloseTo(expected.mse, 8);
    expect(units?.[1]?.snr.value).toBeCloseTo(expected.snr, 4);
    expect(units?.[1]).toMatchObject({ type: "dense", weight: "b.weight", bytes: 4 * 72, macs: 64, notFinite: 0 });
    const all = await evaluate(engine, edits(4), await data(), { perUnit: true });
    // b alone does not suffer from what a lost.
    expect(all.units?.[1]).toEqual(units?.[1]);
    const some = await evaluate(engine, edits(4), await data(), { perUnit: ["c"] });
    expect(some.units).toEqual([all.units?.[2]]);
    await expect(evaluate(engine, edits(4), await data(), { perUnit: ["d"] })).rejects.toThrow(
      'no unit with a weight is called "d"',
    );
  });

  test("no edits, no loss", async () => {
    const report = await evaluate(mlpEngine(LAYERS), {}, await data(), { perUnit: true });
    expect(report).toMatchObject({
      loss: { value: 0, low: 0, high: 0 },
      figures: { agreement: { value: 1 }, top1Change: { value: 0 } },
    });
    for (const { mse } of report.units ?? []) expect(mse).toEqual({ value: 0, low: 0, high: 0 });
  });

  test("a model that takes so many samples at once is fed so, and what fills up counts for nothing", async () => {
    const free = await evaluate(mlpEngine(LAYERS), edits(4), await data(), { perUnit: true });
    const fixed = await evaluate(mlpEngine(LAYERS, { batch: 16 }), edits(4), await data(), { perUnit: true });
    expect(fixed).toEqual(free);
  });

  test("limits draw by the seed, indices choose", async () => {
    const engine = mlpEngine(LAYERS);
    const indices = [3, 9, 40];
    const chosen = await evaluate(engine, edits(4), await data(), { indices });
    const samples = Float32Array.from(indices.flatMap((i) => [...SAMPLES.subarray(6 * i, 6 * i + 6)]));
    const after = await engine.withWeights(edits(4));
    const expected = valueFigures({
      original: await rowsOf(engine, "c:out", samples),
      compressed: await rowsOf(after, "c:out", samples),
    });
    expect(chosen.samples).toBe(3);
    expect(chosen.figures.mse?.value).toBeCloseTo(expected.mse, 6);
    const limited = async (seed: number) => evaluate(engine, edits(4), await data(), { limit: 10, seed });
    expect((await limited(1)).samples).toBe(10);
    expect(await limited(1)).toEqual(await limited(1));
    expect((await limited(1)).figures.mse?.value).not.toBe((await limited(2)).figures.mse?.value);
    expect((await evaluate(engine, edits(4), await data(), { limit: 999 })).samples).toBe(50);
    await expect(evaluate(engine, edits(4), await data(), { limit: 0 })).rejects.toThrow('"limit"');
    await expect(evaluate(engine, edits(4), await data(), { batch: 0.5 })).rejects.toThrow('"batch"');
  });

  test("kinds: values without labels and probabilities, and whatever is asked for", async () => {
    const linear = mlpEngine(LAYERS.slice(0, 2));
    expect(await evaluate(linear, {}, await data({}, false))).toMatchObject({ kind: "values" });
    expect(await evaluate(linear, {}, await data())).toMatchObject({ kind: "classes" });
    expect(await evaluate(mlpEngine(LAYERS), {}, await data({}, false))).toMatchObject({
      kind: "classes",
      figures: { agreement: { value: 1 } },
    });
    expect(await evaluate(linear, {}, await data(), { kind: "embedding" })).toMatchObject({
      kind: "embedding",
      loss: { value: 0 },
    });
    await expect(evaluate(linear, {}, await data(), { kind: "text" })).rejects.toThrow("are no text");
    await expect(evaluate(linear, {}, await data(), { kind: "detection" })).rejects.toThrow(
      "detection needs an output for box",
    );
    await expect(evaluate(linear, {}, await data(), { output: "z" })).rejects.toThrow('no output "z", only b:out');
  });

  test("no samples", async () => {
    const report = await evaluate(mlpEngine(LAYERS), edits(4), await data(), { indices: [], perUnit: true });
    expect(report).toMatchObject({ samples: 0, loss: { value: null } });
    expect(report.units?.map(({ mse }) => mse.value)).toEqual([null, null, null]);
  });

  test("weights that are not numbers are told of, not hidden", async () => {
    const broken = { weights: new Map([["b.weight", new Float32Array(64).fill(Number.NaN)]]) };
    const report = await evaluate(mlpEngine(LAYERS), broken, await data(), { perUnit: true });
    expect(report).toMatchObject({
      notFinite: 50,
      loss: { value: null },
      figures: { agreement: { value: 0 }, top1Compressed: { value: 0 } },
    });
    expect(report.units?.map(({ notFinite }) => notFinite)).toEqual([0, 50, 0]);
  });
});

describe("what goes in", () => {
  test("extents of 1 may come and go", async () => {
    const engine = mlpEngine(LAYERS, { inputShape: [1, 2, 3] });
    for (const shape of [
      [2, 3],
      [1, 2, 3],
      [2, 3, 1],
    ])
      expect((await evaluate(engine, {}, await data({ shape }))).samples).toBe(50);
    const error = await evaluate(engine, {}, await data({ shape: [3, 2] })).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DataError);
    expect((error as Error).message).toBe('samples are 3 x 2, but the input "x" takes 1 x 2 x 3 for each');
  });

  test("whole numbers for inputs that are such", async () => {
    const engine = mlpEngine(LAYERS, { integer: true });
    await expect(evaluate(engine, {}, await data())).rejects.toThrow('the input "x" takes whole numbers');
    const pixels = await openData(memoryFiles({ x: Uint8Array.of(1, 2, 3, 4, 5, 6) }), [{ path: "x" }], { shape: [6] });
    expect((await evaluate(engine, {}, pixels)).samples).toBe(1);
  });

  test("one input", async () => {
    const engine = mlpEngine(LAYERS);
    const { inputs, ...rest } = await engine.describe();
    const two = { ...engine, describe: async () => ({ ...rest, inputs: [...inputs, ...inputs] }) };
    await expect(evaluate(two, {}, await data())).rejects.toThrow(
      "the model has 2 inputs (x, x): data sets go into one",
    );
  });
});

describe("how it ends", () => {
  test("progress goes up to the end", async () => {
    const seen: number[] = [];
    await evaluate(mlpEngine(LAYERS), edits(4), await data(), {
      batch: 16,
      onProgress: ({ done, total }) => seen.push(done / total),
    });
    expect(seen).toEqual([0.32, 0.64, 0.96, 1]);
  });

  test("everything is closed, after an error and an abort too", async () => {
    const open = { count: 0 };
    const engine = mlpEngine(LAYERS, { open });
    await evaluate(engine, edits(4), await data(), { perUnit: true });
    expect(open.count).toBe(1);
    await expect(evaluate(engine, { weights: new Map([["z", new Float32Array(1)]]) }, await data())).rejects.toThrow(
      DataError,
    );
    await expect(evaluate(engine, edits(4), await data(), { perUnit: true, kind: "text" })).rejects.toThrow(DataError);
    expect(open.count).toBe(1);
    const controller = new AbortController();
    const onProgress = () => controller.abort(new Error("stop"));
    const stopped = evaluate(engine, edits(4), await data(), {
      perUnit: true,
      batch: 8,
      signal: controller.signal,
      onProgress,
    });
    await expect(stopped).rejects.toThrow("stop");
    expect(open.count).toBe(1);
  });
});

describe("detection", () => {
  test("boxes, scores and classes are found by the names of outputs", async () => {
    const run = async (score: number): Promise<ReadonlyMap<string, { shape: number[]; data: Float32Array }>> =>
      new Map([
        ["boxes", { shape: [1, 2, 4], data: Float32Array.of(0, 0, 1, 1, 5, 5, 6, 6) }],
        ["scores", { shape: [1, 2], data: Float32Array.of(0.9, score) }],
        ["classes", { shape: [1, 2], data: Float32Array.of(3, 4) }],
      ]);
    const engine = mlpEngine(LAYERS);
    const { inputs, units } = await engine.describe();
    const outputs = ["boxes", "scores", "classes"].map((name) => ({ name, integer: false, shape: [1, 2] }));
    const of = (score: number): Engine => ({
      ...engine,
      run: () => run(score),
      describe: async () => ({ kind: "cnn", inputs, outputs, units }),
    });
    const options = { kind: "detection", indices: [0] } as const;
    expect(await evaluate(of(0.75), of(0.875), await data(), options)).toMatchObject({
      figures: { score: { value: 0.0625 }, lost: { value: 0 } },
    });
    expect(await evaluate(of(0.75), of(0.25), await data(), options)).toMatchObject({
      figures: { lost: { value: 1 }, quality: { value: 1 / 1.5 } },
    });
    const low = { ...options, detection: { least: 0.1 } };
    expect(await evaluate(of(0.75), of(0.25), await data(), low)).toMatchObject({
      figures: { lost: { value: 0 }, score: { value: 0.25 } },
    });
    const wrong = { ...options, detection: { boxes: "scores" } };
    await expect(evaluate(of(0.75), of(0.25), await data(), wrong)).rejects.toThrow("do not belong together");
  });
});
