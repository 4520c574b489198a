import { describe, expect, test } from "vitest";
import { editsOf, type ModelPlan, type PlanOptions, planModel } from "../../src/activations/model.ts";
import { packingOf } from "../../src/activations/pack.ts";
import type { Engine, Value, Values } from "../../src/engine/engine.ts";
import { onnxEngine } from "../../src/engine/onnx.ts";
import { tfjsEngine } from "../../src/engine/tfjs.ts";
import {
  bytesSource,
  DataError,
  loadKernels,
  memorySink,
  open,
  PlanError,
  pack,
  parsePlan,
  readOnnx,
  readTfjs,
} from "../../src/index.ts";
import { parseSteps } from "../../src/plan.ts";
import { weights } from "../helpers.ts";
import { convNet, outliers, PLANTED, perceptron, recurrent, tied } from "./graphs.ts";
import { onnxRuntimes } from "./runtimes.ts";
import { storiesGraph } from "./stories.ts";
import { sampled, storyTeller } from "./teller.ts";
import { tfjs } from "./tensorflow.ts";
import { type Model, readElementsOf, safetensors, sharedFile } from "./weights.ts";

const kernels = await loadKernels();
const INT8 = { steps: parseSteps("int8 channel") };
const ort = onnxRuntimes[0][1];

async function opened(graph: Uint8Array) {
  return { engine: await onnxEngine(graph, { ort }), model: await readOnnx(bytesSource(graph)) };
}

function batchesOf(name: string, values: readonly Value[]) {
  return async function* (): AsyncGenerator<Values> {
    for (const value of values) yield new Map([[name, value]]);
  };
}

/** A batch of 2 and one of 3. */
function normal(shape: readonly number[], scale = 1): Value[] {
  const each = shape.reduce((a, b) => a * b, 1);
  return [2, 3].map((count) => ({
    shape: [count, ...shape],
    data: weights(count * each, count).map((x) => 20 * scale * x),
  }));
}

async function planned(graph: Uint8Array, shape: readonly number[], options: PlanOptions = INT8): Promise<ModelPlan> {
  const { engine, model } = await opened(graph);
  try {
    return await planModel(kernels, engine, model, batchesOf("x", normal(shape)), options);
  } finally {
    await engine.close();
  }
}

function expectGuarantee({ units, losses }: ModelPlan): void {
  for (const { unit, search } of units) {
    const { none, single, loss, best, trials } = search;
    expect(loss, unit).toBeLessThanOrEqual(none);
    if (best) expect(loss, unit).toBeLessThanOrEqual(single.loss);
    for (const trial of trials) expect(loss, unit).toBeLessThanOrEqual(trial.loss);
    expect(trials.length, unit).toBeLessThanOrEqual(40);
    expect(trials[0]).toMatchObject({ rule: "none", loss: none });
  }
  expect(losses.taken).toBe(Math.min(losses.none, losses.factors));
}

/** Squared error of the outputs by their squares, apart from what the search says. */
async function lossOf(engine: Engine, batches: () => AsyncIterable<Values>, { units }: ModelPlan): Promise<number> {
  const edited = await engine.withWeights(editsOf(units));
  let [error, signal] = [0, 0];
  for await (const batch of batches()) {
    const [before, after] = [await engine.run(batch), await edited.run(batch)];
    for (const [name, { data }] of before) {
      for (const [i, x] of data.entries()) {
        error += (x - (after.get(name)?.data[i] ?? Number.NaN)) ** 2;
        signal += x * x;
      }
    }
  }
  await edited.close();
  return error / signal;
}

/** What is read back of a packed model, times the factors, is what was tried. */
async function expectPacked(model: Model, { units }: ModelPlan, options: PlanOptions): Promise<void> {
  const { plan, ...packing } = packingOf(units, options.steps, parsePlan("lossless"), options.powers === true);
  const sink = memorySink();
  await pack(model, plan, sink, { kernels, ...packing });
  const file = await open(sink.bytes());
  expect(file.activations).toEqual(packing.activations);
  const floats = await readElementsOf(file.model("f32"));
  for (const { weight, factors, packed } of units) {
    const { shape, inputAxis, name } = weight;
    const inner = shape.slice(inputAxis + 1).reduce((a, b) => a * b, 1);
    const stored = floats.get(name) as Float32Array;
    if (!factors) expect(stored).toEqual(packed);
    else expect((await file.tensor(name, { as: "stored" })).smooth).toEqual(factors);
    const off = stored.findIndex((x, i) => {
      const whole = x * (factors?.[Math.floor(i / inner) % factors.length] ?? 1);
      return Math.abs(whole - packed[i]) > 1e-6 * Math.abs(packed[i]);
    });
    expect(off, name).toBe(-1);
  }
}

describe("planted outliers", () => {
  test.each(["int8 channel", "int8 tensor"])("lose little with factors (%s)", async (steps) => {
    const options = { steps: parseSteps(steps) };
    const { engine, model } = await opened(outliers());
    const batches = batchesOf("x", normal([16]));
    const found = await planModel(kernels, engine, model, batches, options);
    expectGuarantee(found);
    expect(found.units.map(({ unit }) => unit)).toEqual(["a", "b"]);
    const [, second] = found.units;
    expect(second.search.loss).toBeLessThan(0.5 * second.search.none);
    expect(found.losses.taken).toBeLessThan(0.75 * found.losses.none);
    const factors = second.factors as Float32Array;
    const usual = [...factors].sort((a, b) => a - b)[12];
    for (const [channel, times] of PLANTED) if (times > 10) expect(factors[channel]).toBeGreaterThan(3 * usual);
    expect(await lossOf(engine, batches, found)).toBeCloseTo(found.losses.taken, 9);
    await expectPacked(model, found, options);
    await engine.close();
  });

  test("powers of two, fewer tries, fewer bytes than the factors take", async () => {
    const few = await planned(outliers(), [16], { ...INT8, powers: true, evaluations: 7 });
    expectGuarantee(few);
    for (const { search, factors } of few.units) {
      expect(search.trials.length).toBeLessThanOrEqual(7);
      for (const factor of factors ?? []) expect(Math.log2(factor)).toBe(Math.round(Math.log2(factor)));
    }
    const some = await planned(outliers(), [16], { ...INT8, factorBytes: 4 * 24 });
    expect(some.units.filter(({ factors }) => factors)).toHaveLength(1);
    expect((await planned(outliers(), [16], { ...INT8, factorBytes: 10 })).units.every((unit) => !unit.factors)).toBe(
      true,
    );
    const none = await planned(outliers(), [16], { ...INT8, rules: [] });
    expect(none.units.every(({ factors, search }) => !factors && search.trials.length === 1)).toBe(true);
    expect(none.losses.factors).toBe(none.losses.none);
  });
});

describe("units of all kinds", () => {
  test("convolutions, depthwise ones too, whose channels are not last, and batches of several sizes", async () => {
    const options = { ...INT8, activationBits: 4 };
    const found = await planned(convNet(), [3, 8, 8], options);
    expectGuarantee(found);
    expect(found.units.map(({ unit }) => unit)).toEqual(["conv", "deep", "fc"]);
    expect(found.units.map(({ maxima }) => maxima.activations.length)).toEqual([3, 6, 24]);
    for (const { codes } of found.units) expect(codes.most - codes.least).toBe(15);
    await expectPacked(await readOnnx(bytesSource(convNet())), found, options);
  });

  test("groups of int4 along rows, and pruned weights", async () => {
    for (const steps of ["int4 group 8", "prune 0.5 > int8 channel", "int4 channel asymmetric"]) {
      const options = { steps: parseSteps(steps), weightBits: 4 };
      const found = await planned(perceptron(), [16], options);
      expectGuarantee(found);
      await expectPacked(await readOnnx(bytesSource(perceptron())), found, options);
    }
  });

  test("recurrent ones: their sequences are what is coded", async () => {
    const { engine, model } = await opened(recurrent());
    const x = { shape: [5, 2, 4], data: weights(40, 1) };
    const found = await planModel(kernels, engine, model, batchesOf("x", [x]), INT8);
    expectGuarantee(found);
    expect(found.units.map(({ unit }) => unit)).toEqual(["lstm", "out"]);
    await engine.close();
  });

  test.each([false, true])(
    "a weight of two units has no factors, and is packed once (transposed: %s)",
    async (other) => {
      const found = await planned(tied(other), [8]);
      expectGuarantee(found);
      expect(found.units.map(({ unit }) => unit)).toEqual(other ? ["a"] : ["a", "b"]);
      expect(found.units.every(({ factors }) => factors === null)).toBe(true);
      expect(packingOf(found.units, INT8.steps, [], false).plan).toHaveLength(1);
      await expectPacked(await readOnnx(bytesSource(tied(other))), found, INT8);
    },
  );

  test("an input of zeros loses nothing, and a channel that is never awake is taken for a usual one", async () => {
    const { engine, model } = await opened(perceptron());
    const zeros = batchesOf("x", [{ shape: [3, 16], data: new Float32Array(48) }]);
    const none = await planModel(kernels, engine, model, zeros, INT8);
    expectGuarantee(none);
    expect(none.units[0].search).toMatchObject({ none: 0, loss: 0, best: null });
    const data = weights(48, 1).map((x, i) => (i % 16 === 5 ? 0 : x));
    const asleep = await planModel(kernels, engine, model, batchesOf("x", [{ shape: [3, 16], data }]), INT8);
    const { activations } = asleep.units[0].maxima;
    expect(activations[5]).toBe([...activations].sort((a, b) => a - b)[8]);
    await engine.close();
  });

  test("refuses what is not finite, steps that cannot be, names that are no unit's, and stops when told", async () => {
    const { engine, model } = await opened(perceptron());
    const plan = (value: Value, options: PlanOptions) =>
      planModel(kernels, engine, model, batchesOf("x", [value]), options);
    const [good] = normal([16]);
    const bad = { ...good, data: good.data.map((x, i) => (i === 7 ? Number.NaN : x)) };
    await expect(plan(bad, INT8)).rejects.toThrow(/the input of unit "a": element 7 is NaN/);
    await expect(plan(bad, INT8)).rejects.toThrow(DataError);
    for (const steps of ["raw", "prune 0.5", "smooth 0.5 > int8 channel", "int8 bits 3", "q8_0"])
      await expect(plan(good, { steps: parseSteps(steps) }), steps).rejects.toThrow(PlanError);
    await expect(plan(good, { ...INT8, units: ["zz"] })).rejects.toThrow("no unit of the model has a weight");
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(plan(good, { ...INT8, signal })).rejects.toThrow("enough");
    await engine.close();
  });
});

const STORIES = safetensors("models/stories260k-llama.safetensors");
if (!STORIES) test.skip("no stories260k in the shared data: nothing was smoothed", () => {});

describe.skipIf(!STORIES)("stories260k as an ONNX graph", () => {
  test("W8A8: no unit is worse for factors, and the outputs lose at least a quarter less", async () => {
    const weights = await (STORIES as NonNullable<typeof STORIES>);
    const teller = await storyTeller(weights);
    const texts = Array.from({ length: 3 }, (_, seed) => sampled(teller(), 48, seed));
    const { engine, model } = await opened(await storiesGraph(weights));
    const values = [texts.slice(0, 2), texts.slice(2)].map((each) => {
      return { shape: [each.length, 48], data: Int32Array.from(each.flatMap((text) => [...text])) };
    });
    const batches = batchesOf("tokens", values);
    const found = await planModel(kernels, engine, model, batches, INT8);
    expectGuarantee(found);
    expect(found.units).toHaveLength(36);
    expect(found.losses.taken).toBeLessThan(0.75 * found.losses.none);
    expect(await lossOf(engine, batches, found)).toBeCloseTo(found.losses.taken, 9);
    await expectPacked(model, found, INT8);
    await engine.close();
  });
});

const MODEL = "models/doodlenet-tfjs/";
const DOODLENET = sharedFile(`${MODEL}model.json`);
if (!DOODLENET) test.skip("no doodlenet in the shared data: nothing was smoothed", () => {});

describe.skipIf(!DOODLENET)("doodlenet in TensorFlow.js", () => {
  test.each([8, 4])("W%iA8: no unit is worse for factors, nor are the outputs", async (bits) => {
    const [modelJson, data] = [DOODLENET as Uint8Array, sharedFile(`${MODEL}group1-shard1of1.bin`) as Uint8Array];
    const engine = await tfjsEngine(
      { modelJson: JSON.parse(new TextDecoder().decode(modelJson)), weights: data },
      tfjs,
    );
    const model = await readTfjs(bytesSource(modelJson), { open: async () => bytesSource(data) });
    const sketches = ["cats", "rainbows", "trains"].map((name) => {
      const pixels = sharedFile(`sets/quickdraw-${name}1000.bin`)?.subarray(0, 4 * 784) as Uint8Array;
      return { shape: [4, 28, 28, 1], data: Float32Array.from(pixels, (x) => x / 255) };
    });
    const [input] = (await engine.describe()).inputs;
    const batches = batchesOf(input.name, sketches);
    const options = { steps: parseSteps(`int${bits} channel`), weightBits: bits };
    const found = await planModel(kernels, engine, model, batches, options);
    expectGuarantee(found);
    expect(found.units).toHaveLength(8);
    expect(await lossOf(engine, batches, found)).toBeCloseTo(found.losses.taken, 6);
    await expectPacked(model, found, options);
    await engine.close();
  });
});
