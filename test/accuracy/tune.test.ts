import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Dataset } from "../../src/data/dataset.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { tfjsEngine } from "../../src/engine/tfjs.ts";
import { loadKernels, type Model, memorySink, open, pack, parsePlan, writeSafetensors } from "../../src/index.ts";
import { DivergedError, type TuneOptions, type TuneResult, tune } from "../../src/tune.ts";
import { digitsNet, seeded } from "./nets.ts";
import { dataset, digits, modelOf, shapes } from "./shapes.ts";
import { tfjs } from "./tensorflow.ts";
import { readElementsOf } from "./weights.ts";

const kernels = await loadKernels();
const DATA = dataset(shapes(240, 1));
const BITS = parsePlan("conv1/kernel=int8 channel axis -1; small 0=lossless; int8 bits 2 dead 0");
const PRUNED = parsePlan("prune 0.8 > int8 channel axis -1", ["*bias=lossless"]);

let engine: Engine;
/** Trained without a plan. */
let model: Model;

beforeAll(async () => {
  const net = digitsNet(1);
  engine = await tfjsEngine(net, tfjs);
  const options = { plan: parsePlan("lossless"), epochs: 12, rate: 0.01, kernels };
  model = (await tune(engine, await modelOf(net), DATA, options)).model;
});
afterAll(() => engine.close());

function tuned(options: Partial<TuneOptions> & Pick<TuneOptions, "plan">, data: Dataset = DATA): Promise<TuneResult> {
  return tune(engine, model, data, { epochs: 3, rate: 0.005, kernels, ...options });
}

/** The weights of a result as its file gives them back. */
async function packed({ model, plan }: TuneResult): Promise<Map<string, Float32Array>> {
  const sink = memorySink();
  await pack(model, plan, sink);
  return readElementsOf((await open(sink.bytes())).model("f32"));
}

async function bytesOf({ model, plan }: TuneResult): Promise<Uint8Array> {
  const sink = memorySink();
  await pack(model, plan, sink);
  return sink.bytes();
}

/** The engine, and all weights that it is given to be scored or trained with. */
function watched(engine: Engine): { engine: Engine; seen: ReadonlyMap<string, Float32Array>[] } {
  const seen: ReadonlyMap<string, Float32Array>[] = [];
  const withWeights: Engine["withWeights"] = (edits) => {
    if (edits.weights) seen.push(edits.weights);
    return engine.withWeights(edits);
  };
  return { engine: { ...engine, withWeights }, seen };
}

/** A checkpoint in memory. */
function place() {
  const kept: { bytes: Uint8Array | null; writes: number } = { bytes: null, writes: 0 };
  return {
    kept,
    read: async () => kept.bytes,
    write: async (bytes: Uint8Array) => {
      kept.bytes = bytes;
      kept.writes++;
    },
  };
}

const PLANS = {
  "2 bits, fixed": { plan: BITS },
  "2 bits, learned": { plan: BITS, sizes: "learned" },
  "2 bits by rate": { plan: parsePlan("int8 bits 2 > smallest") },
  pruned: { plan: PRUNED },
  "pruned over all": { plan: parsePlan("small 100=lossless; prune 0.7 global > int8 tensor") },
  "pruned channels": { plan: parsePlan("dense/*=lossless; prune channels 0.3 > int8 channel") },
  "pruned in a pattern, 4 bits": { plan: parsePlan("prune 2:4 > int4 group 32 asymmetric") },
  smoothed: { plan: parsePlan("smooth 0.5 > prune 0.5 > int8 channel") },
  "everything, biases too": { plan: parsePlan("small 0=int8 tensor; int8 tensor") },
  "codes pruned": { plan: parsePlan("int8 channel > prune 0.6") },
} satisfies Record<string, Pick<TuneOptions, "plan" | "sizes">>;

describe("the file gives back exactly what was tuned", () => {
  test.each(Object.entries(PLANS))("%s", async (_, options) => {
    const { engine: spied, seen } = watched(engine);
    const result = await tune(spied, model, DATA, { epochs: 2, rate: 0.005, kernels, ...options });
    // Weights as they were, those that training begins with, those that are scored before it and after each epoch.
    expect(seen).toHaveLength(2 + result.scores.length);
    const ran = seen[2 + result.best];
    const back = await packed(result);
    // As bits, so that -0 is not 0.
    const bits = (data: Float32Array | undefined) => data && new Uint32Array(data.slice().buffer);
    for (const [name, data] of ran) expect(bits(back.get(name)), name).toEqual(bits(data));
    expect([...ran.keys()].sort()).toEqual([...back.keys()].sort());
    expect(result.best).toBeGreaterThan(0);
    expect(result.scores[result.best].loss).toBeLessThan(result.scores[0].loss);
  });
});

test("what is pruned stays so, and as much as the plan says", async () => {
  const plan = parsePlan("prune 0.8 > auto");
  const [before, after] = [await packed(await tuned({ plan, epochs: 0 })), await packed(await tuned({ plan }))];
  const zeros = (data: Float32Array | undefined) => [...(data ?? []).keys()].filter((i) => data?.[i] === 0);
  for (const name of ["conv2/kernel", "dense/kernel"]) {
    expect(zeros(before.get(name))).toHaveLength(Math.round(0.8 * (before.get(name)?.length ?? 0)));
    expect(zeros(after.get(name))).toEqual(zeros(before.get(name)));
    expect(after.get(name)).not.toEqual(before.get(name));
  }
});

describe("a run that was stopped", () => {
  test.each([
    ["adam", "learned"],
    ["sgd", "fixed"],
  ] as const)("goes on to the same bytes, with %s and sizes %s", async (optimizer, sizes) => {
    const options = { plan: BITS, optimizer, sizes, epochs: 4 };
    const whole = await bytesOf(await tuned(options));
    const checkpoint = place();
    const perEpoch = Math.ceil(192 / 32);
    // Within an epoch, at an epoch's first step, and while it is scored.
    for (const stopAt of [2, perEpoch + 3, 2 * perEpoch + 1]) {
      const controller = new AbortController();
      const run = tuned({
        ...options,
        checkpoint,
        signal: controller.signal,
        onProgress: ({ done }) => done === stopAt && controller.abort(new Error("enough")),
      });
      await expect(run).rejects.toThrow("enough");
    }
    expect(checkpoint.kept.writes).toBe(2);
    expect(await bytesOf(await tuned({ ...options, checkpoint }))).toEqual(whole);
    // It is done: nothing more is trained.
    const again = await tuned({ ...options, checkpoint, onProgress: () => expect.unreachable() });
    expect(await bytesOf(again)).toEqual(whole);
    expect(checkpoint.kept.writes).toBe(4);
  });

  test("does not go on where it ended early", async () => {
    const checkpoint = place();
    const options = { plan: PRUNED, rate: 1e-9, epochs: 9, patience: 2, checkpoint };
    const first = await tuned({ ...options, optimizer: "sgd" });
    expect(first).toMatchObject({ early: true });
    expect(first.scores.length - 1 - first.best).toBe(2);
    const again = await tuned({ ...options, optimizer: "sgd", onProgress: () => expect.unreachable() });
    expect(again.scores).toEqual(first.scores);
    expect(await bytesOf(again)).toEqual(await bytesOf(first));
  });

  test("does not go on from another's checkpoint, or from none", async () => {
    const checkpoint = place();
    await tuned({ plan: PRUNED, epochs: 1, checkpoint });
    const other = "the checkpoint is of another model, plan, data or options";
    await expect(tuned({ plan: PRUNED, epochs: 2, checkpoint })).rejects.toThrow(other);
    await expect(tuned({ plan: BITS, epochs: 1, checkpoint })).rejects.toThrow(other);
    const data = dataset(shapes(240, 2));
    await expect(tuned({ plan: PRUNED, epochs: 1, checkpoint }, data)).rejects.toThrow(other);
    checkpoint.kept.bytes = (checkpoint.kept.bytes as Uint8Array).slice(0, 100);
    await expect(tuned({ plan: PRUNED, epochs: 1, checkpoint })).rejects.toThrow(/expected/);
    const sink = memorySink();
    await writeSafetensors(model, sink);
    checkpoint.kept.bytes = sink.bytes();
    await expect(tuned({ plan: PRUNED, epochs: 1, checkpoint })).rejects.toThrow("none of quern's");
  });
});

describe("models", () => {
  test("statistics of normalization are not trained, and are what their file gives back", async () => {
    const { layers } = tfjs.layers;
    const net = tfjs.layers.sequential();
    net.add(layers.conv2d({ filters: 6, kernelSize: 3, name: "c", useBias: false, inputShape: [8, 8, 1] }));
    net.add(layers.batchNormalization({ name: "n" }));
    net.add(layers.globalAveragePooling2d({ name: "g" }));
    net.add(layers.dense({ units: 4, name: "d" }));
    const own = await tfjsEngine(seeded(net, 3), tfjs);
    const { engine: spied, seen } = watched(own);
    const plan = parsePlan("n/*=int8 tensor; small 0=lossless; int8 snr 12dB");
    const result = await tune(spied, await modelOf(net), DATA, { plan, epochs: 3, rate: 0.02, kernels });
    expect(result.best).toBeGreaterThan(0);
    const back = await packed(result);
    for (const [name, data] of seen[2 + result.best]) expect(back.get(name), name).toEqual(data);
    expect(back.get("n/moving_variance")).toEqual(new Float32Array(6).fill(Math.fround(127 * Math.fround(1 / 127))));
    await own.close();
  });

  test("embeddings are trained, of integers", async () => {
    const { layers } = tfjs.layers;
    const net = tfjs.layers.sequential();
    net.add(layers.embedding({ inputDim: 16, outputDim: 8, inputLength: 5, name: "e" }));
    net.add(layers.flatten({ name: "f" }));
    net.add(layers.dense({ units: 4, activation: "softmax", name: "d" }));
    const own = await tfjsEngine(seeded(net, 3), tfjs);
    const x = Float32Array.from({ length: 200 * 5 }, (_, i) => (i * 7 + (i >> 4)) % 16);
    const y = Uint8Array.from({ length: 200 }, (_, n) => x[5 * n] >> 2);
    const plan = parsePlan("small 0=lossless; int8 bits 3");
    const result = await tune(own, await modelOf(net), dataset({ x, y }, [5]), {
      plan,
      epochs: 8,
      rate: 0.02,
      kernels,
    });
    expect(result.scores[result.best].accuracy).toBeGreaterThan(result.scores[0].accuracy);
    await own.close();
  });
});

describe("what cannot be", () => {
  const wrong = (label: number): Dataset => ({
    ...DATA,
    read: async (indices) => ({ ...(await DATA.read(indices)), labels: Int32Array.from(indices, () => label) }),
  });

  test.each([
    ["labels that are no class", wrong(10), {}, "of class 10, but the model has 10 classes"],
    ["labels below zero", wrong(-1), {}, "of class -1"],
    [
      "too few samples",
      { ...DATA, count: 2 },
      { validation: 0.1 },
      "2 samples are too few for a validation share of 0.1",
    ],
    ["no labels", { ...DATA, labelled: false }, {}, "no labels"],
    ["samples of another shape", { ...DATA, shape: [7, 7, 1] }, {}, "samples are 7"],
  ])("%s", async (_, data, options, message) => {
    await expect(tuned({ plan: BITS, ...options }, data)).rejects.toThrow(message);
  });

  test("an engine that cannot train, weights of another model, options out of range", async () => {
    const { fit: _, ...bare } = engine;
    await expect(tune(bare, model, DATA, { plan: BITS })).rejects.toThrow("tfjs 4.22.0 wasm cannot train");
    await expect(tune(engine, { tensors: [], metadata: null }, DATA, { plan: BITS })).rejects.toThrow("has none of");
    const part = { ...model, tensors: model.tensors.slice(1) };
    await expect(tune(engine, part, DATA, { plan: BITS })).rejects.toThrow(
      `lacks the weight "${model.tensors[0].name}"`,
    );
    for (const options of [{ epochs: -1 }, { batch: 0 }, { validation: 1 }, { patience: 0 }, { rate: 0 }])
      await expect(tuned({ plan: BITS, ...options })).rejects.toThrow(RangeError);
  });

  test("numbers that are none end it, and the best weights so far are kept", async () => {
    const error = await tuned({ plan: BITS, optimizer: "sgd", rate: 1e30 }).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(DivergedError);
    expect(error.message).toMatch(/^epoch \d: .*: a rate below 1e\+30 may help$/);
    expect(error.result.scores).toHaveLength(error.result.best + 1);
    const untouched = await tuned({ plan: BITS, epochs: 0 });
    expect(await bytesOf(error.result)).toEqual(await bytesOf(untouched));
    // The engine is as it was.
    const after = await tuned({ plan: BITS, epochs: 0 });
    expect(after.scores).toEqual(untouched.scores);
  });
});

const DIGITS = digits();
if (!DIGITS) test.skip("no shared data: digits were not tuned", () => {});

test.skipIf(!DIGITS)("digits at 2 bits get back at least half of what was lost", async () => {
  const data = dataset(DIGITS as NonNullable<typeof DIGITS>);
  const net = digitsNet(1);
  const own = await tfjsEngine(net, tfjs);
  const float = await tune(own, await modelOf(net), data, {
    plan: parsePlan("lossless"),
    epochs: 10,
    rate: 0.003,
    kernels,
  });
  const result = await tune(own, float.model, data, { plan: BITS, epochs: 5, rate: 0.003, kernels });
  const [original, before, after] = [result.original, result.scores[0], result.scores[result.best]].map(
    ({ accuracy }) => accuracy,
  );
  expect(original).toBeGreaterThan(0.9);
  expect(before).toBeLessThan(original);
  expect(after - before).toBeGreaterThanOrEqual((original - before) / 2);
  await own.close();
});
