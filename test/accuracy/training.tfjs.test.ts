import { existsSync, readFileSync } from "node:fs";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { describe, expect, test } from "vitest";
import type { FitOptions, Value, Values } from "../../src/engine/engine.ts";
import { tfjsEngine } from "../../src/engine/tfjs.ts";
import { DataError } from "../../src/errors.ts";
import { digitsNet, seeded } from "./nets.ts";
import { randomUniform } from "./random.ts";
import { tfjs } from "./tensorflow.ts";

const { core, layers: tf } = tfjs;
const { layers } = tf;
const SETS = new URL("../../../shared/data/sets/", import.meta.url);

type Weights = ReadonlyMap<string, Float32Array>;

function random(seed: number, ...shape: number[]): Value {
  const next = randomUniform(seed);
  return { shape, data: Float32Array.from({ length: shape.reduce((all, extent) => all * extent, 1) }, next) };
}

const CLASSES: Value = { shape: [6], data: Int32Array.of(1, 4, 1, 0, 2, 3) };

/** Loss and gradients of one batch, at weights that are the net's unless they are given. */
async function gradients(
  net: LayersModel,
  backend: string,
  batch: readonly Value[],
  targets: Value,
  { project, ...options }: Partial<FitOptions> = {},
): Promise<{ loss: number; seen: Map<string, Float32Array> }> {
  await core.setBackend(backend);
  const before = core.memory().numTensors;
  const engine = await tfjsEngine(net, { ...tfjs, backend });
  const { inputs } = await engine.describe();
  const seen = new Map<string, Float32Array>();
  const onGradients = (found: Weights): void => {
    for (const [name, data] of found) seen.set(name, data.slice());
  };
  const trainer = await engine.fit?.({
    objective: "cross-entropy",
    optimizer: "sgd",
    onGradients,
    ...(project && { project }),
    ...options,
  });
  const loss = (await trainer?.step(new Map(inputs.map(({ name }, i) => [name, batch[i]])), targets, 0)) as number;
  await trainer?.close();
  await engine.close();
  expect(core.memory().numTensors).toBe(before);
  await core.setBackend("wasm");
  return { loss, seen };
}

/** Gradients are those of the backend "cpu", and slopes of the loss. */
async function check(net: LayersModel, batch: readonly Value[], targets: Value, options: Partial<FitOptions> = {}) {
  const wasm = await gradients(net, "wasm", batch, targets, options);
  const cpu = await gradients(net, "cpu", batch, targets, options);
  expect(wasm.loss).toBeCloseTo(cpu.loss, 4);
  expect([...wasm.seen.keys()]).toEqual([...cpu.seen.keys()]);
  for (const [name, gradient] of wasm.seen) {
    const expected = cpu.seen.get(name) as Float32Array;
    const most = expected.reduce((so, x) => Math.max(so, Math.abs(x)), 0);
    expect(most, name).toBeGreaterThan(0);
    for (const [i, x] of gradient.entries()) expect(Math.abs(x - expected[i]), name).toBeLessThan(1e-3 * most);
    // Along the gradient the loss rises by its square.
    const length = Math.hypot(...gradient);
    const at = async (distance: number): Promise<number> => {
      const project = (weights: Weights): Weights =>
        new Map([[name, (weights.get(name) as Float32Array).map((w, i) => w + (distance * gradient[i]) / length)]]);
      return (await gradients(net, "wasm", batch, targets, { ...options, project })).loss;
    };
    const step = 2e-3;
    const slope = ((await at(step)) - (await at(-step))) / (2 * step);
    expect(Math.abs(slope - length), `${name}: ${slope} is not ${length}`).toBeLessThan(1e-2 * length + 1e-4);
  }
  net.dispose();
  return wasm.seen;
}

describe("gradients of nets equal those on cpu and the slope of the loss", () => {
  test("convolutions, a softmax that is cut off", async () => {
    const seen = await check(digitsNet(3), [random(1, 6, 8, 8, 1)], CLASSES);
    expect([...seen.keys()]).toEqual([
      "conv1/kernel",
      "conv1/bias",
      "conv2/kernel",
      "conv2/bias",
      "dense/kernel",
      "dense/bias",
    ]);
  });

  test("strides, depthwise and separable convolutions, normalization, means of windows, a softmax of its own", async () => {
    const net = tf.sequential();
    net.add(
      layers.conv2d({ name: "conv", filters: 4, kernelSize: 3, strides: 2, padding: "same", inputShape: [9, 9, 2] }),
    );
    net.add(layers.batchNormalization({ name: "norm" }));
    net.add(layers.activation({ name: "active", activation: "tanh" }));
    net.add(
      layers.depthwiseConv2d({ name: "depth", kernelSize: 3, depthMultiplier: 2, activation: "sigmoid" } as never),
    );
    net.add(layers.separableConv2d({ name: "apart", filters: 6, kernelSize: 2, activation: "tanh" }));
    net.add(layers.averagePooling2d({ name: "means", poolSize: 2, strides: 1, padding: "same" }));
    net.add(layers.globalAveragePooling2d({ name: "mean" } as never));
    net.add(layers.dense({ name: "last", units: 5 }));
    net.add(layers.softmax({ name: "classes" }));
    // The mean at edges is what the backend "cpu" has no right gradient for.
    const valid = tf.sequential();
    for (const layer of net.layers) {
      const config = { ...layer.getConfig(), ...(layer.name === "means" && { padding: "valid" }) };
      valid.add(new (layer.constructor as new (config: object) => typeof layer)(config));
    }
    const seen = await check(seeded(valid, 2), [random(4, 6, 9, 9, 2)], CLASSES);
    expect(seen.has("norm/gamma")).toBe(true);
    expect(seen.has("norm/moving_mean")).toBe(false);
    net.dispose();
  });

  test.each(["lstm", "gru"] as const)("an embedding and %s", async (kind) => {
    const net = tf.sequential();
    net.add(layers.embedding({ name: "table", inputDim: 9, outputDim: 4, inputLength: 5 }));
    net.add(layers[kind]({ name: "state", units: 3 }));
    net.add(layers.dense({ name: "classes", units: 5, activation: "softmax" }));
    const words = { shape: [6, 5], data: Int32Array.from({ length: 30 }, (_, i) => (i * i) % 9) };
    await check(seeded(net, 3), [words], CLASSES);
  });

  test("squares of differences", async () => {
    const net = tf.sequential();
    net.add(layers.dense({ name: "one", units: 6, activation: "tanh", inputShape: [4] }));
    net.add(layers.layerNormalization({ name: "norm" }));
    net.add(layers.dense({ name: "two", units: 3 }));
    await check(seeded(net, 5), [random(1, 6, 4)], random(2, 6, 3), { objective: "mse" });
  });

  test("a class for each place of a sequence", async () => {
    const net = tf.sequential();
    net.add(layers.dense({ name: "one", units: 5, activation: "softmax", inputShape: [3, 4] }));
    const classes = { shape: [2, 3], data: Int32Array.of(0, 1, 2, 3, 4, 4) };
    await check(seeded(net, 5), [random(1, 2, 3, 4)], classes);
  });
});

describe("training", () => {
  const images = random(5, 6, 8, 8, 1);
  const inputs: Values = new Map([["conv1_input", images]]);

  async function trainerFor(net: LayersModel, options: Partial<FitOptions> = {}) {
    const engine = await tfjsEngine(net, tfjs);
    const trainer = await engine.fit?.({ objective: "cross-entropy", optimizer: "adam", ...options });
    if (!trainer) throw new Error("it trains");
    return { engine, trainer };
  }

  test("lowers the loss, leaves the model alone, and leaks nothing", async () => {
    const net = digitsNet(1);
    const before = core.memory().numTensors;
    const { engine, trainer } = await trainerFor(net);
    const original = await engine.run(inputs);
    const losses: number[] = [];
    let tensors = 0;
    for (let step = 0; step < 30; step++) {
      losses.push(await trainer.step(inputs, CLASSES, 0.01));
      if (step === 0) tensors = core.memory().numTensors;
    }
    expect(core.memory().numTensors).toBe(tensors);
    expect(losses[29]).toBeLessThan(losses[0] / 10);
    expect(await engine.run(inputs)).toEqual(original);
    // The first loss is that of the model as it was.
    const given = original.get("dense")?.data as Float32Array;
    const expected = Array.from(CLASSES.data).reduce((sum, c, i) => sum - Math.log(given[10 * i + c]) / 6, 0);
    expect(losses[0]).toBeCloseTo(expected, 5);
    const trained = await engine.withWeights({ weights: await trainer.weights() });
    const logits = (await trained.run(inputs)).get("dense")?.data as Float32Array;
    for (let i = 0; i < 6; i++) {
      const row = logits.subarray(10 * i, 10 * i + 10);
      expect(row.indexOf(Math.max(...row))).toBe(CLASSES.data[i]);
    }
    await Promise.all([trained.close(), trainer.close(), engine.close()]);
    await trainer.close();
    expect(core.memory().numTensors).toBe(before);
    await expect(trainer.step(inputs, CLASSES, 0.1)).rejects.toThrow("closed");
    net.dispose();
  });

  test.each(["adam", "sgd"] as const)(
    "goes on after %s was stopped as if it had not been, bit for bit",
    async (optimizer) => {
      const net = digitsNet(2);
      const rates = Array.from({ length: 9 }, (_, i) => 0.02 * Math.cos(i / 9));
      const whole = await trainerFor(net, { optimizer });
      for (const rate of rates) await whole.trainer.step(inputs, CLASSES, rate);
      for (const stop of [0, 4]) {
        const first = await trainerFor(net, { optimizer });
        for (const rate of rates.slice(0, stop)) await first.trainer.step(inputs, CLASSES, rate);
        const state = await first.trainer.state();
        await first.trainer.close();
        // One that has made steps of its own forgets them.
        const second = await trainerFor(net, { optimizer });
        for (const rate of rates.slice(0, 2)) await second.trainer.step(inputs, CLASSES, rate);
        const tensors = core.memory().numTensors;
        await second.trainer.restore(new Map([...state].map(([name, data]) => [name, data.slice()])));
        expect(await second.trainer.state()).toEqual(state);
        for (const rate of rates.slice(stop)) await second.trainer.step(inputs, CLASSES, rate);
        expect(core.memory().numTensors).toBe(tensors);
        expect(await second.trainer.weights()).toEqual(await whole.trainer.weights());
        expect(await second.trainer.state()).toEqual(await whole.trainer.state());
        await Promise.all([second.trainer.close(), second.engine.close(), first.engine.close()]);
      }
      await Promise.all([whole.trainer.close(), whole.engine.close()]);
      net.dispose();
    },
  );

  test("a step of sgd is the rate times the gradient, and momentum adds what was before", async () => {
    const net = digitsNet(2);
    const seen: Float32Array[] = [];
    const onGradients = (found: Weights): void => void seen.push((found.get("dense/bias") as Float32Array).slice());
    const { engine, trainer } = await trainerFor(net, { optimizer: "sgd", onGradients });
    await trainer.step(inputs, CLASSES, 0.5);
    await trainer.step(inputs, CLASSES, 0.25);
    const bias = (await trainer.weights()).get("dense/bias") as Float32Array;
    for (const [i, b] of bias.entries()) {
      expect(b).toBeCloseTo(-0.5 * seen[0][i] - 0.25 * (0.9 * seen[0][i] + seen[1][i]), 6);
    }
    await Promise.all([trainer.close(), engine.close()]);
    net.dispose();
  });

  test("runs at projected weights, and moves those without the projection", async () => {
    const net = digitsNet(4);
    const round = (weights: Weights): Map<string, Float32Array> =>
      new Map([...weights].map(([name, data]) => [name, data.map((w) => Math.round(8 * w) / 8)]));
    // It may take its time.
    const project = async (weights: Weights): Promise<Weights> => round(weights);
    const found: Map<string, Float32Array>[] = [];
    const onGradients = (gradients: Weights): void => {
      found.push(new Map([...gradients].map(([name, data]) => [name, data.slice()])));
    };
    const straight = await trainerFor(net, { optimizer: "sgd", project, onGradients });
    const start = await straight.trainer.weights();
    const loss = await straight.trainer.step(inputs, CLASSES, 0.1);
    const rounded = await straight.engine.withWeights({ weights: round(start) });
    const there = await rounded.fit?.({ objective: "cross-entropy", optimizer: "sgd", onGradients });
    expect(await there?.step(inputs, CLASSES, 0.1)).toBe(loss);
    expect(found[1]).toEqual(found[0]);
    for (const [name, after] of await straight.trainer.weights()) {
      const gradient = found[0].get(name) as Float32Array;
      const before = start.get(name) as Float32Array;
      for (const [i, w] of after.entries()) expect(w).toBeCloseTo(before[i] - 0.1 * gradient[i], 6);
    }
    await Promise.all([there?.close(), rounded.close(), straight.trainer.close(), straight.engine.close()]);
    net.dispose();
  });

  test("weights whose gradients are masked stay zero; parameters that are not asked for stay", async () => {
    const net = digitsNet(4);
    const kept = (i: number): boolean => i % 3 === 0;
    const mask = (data: Float32Array): void => data.set(data.map((w, i) => (kept(i) ? w : 0)));
    const onGradients = (found: Weights): void => mask(found.get("conv2/kernel") as Float32Array);
    const masked = await tfjsEngine(net, tfjs);
    const kernel = net.getLayer("conv2").weights[0].read().dataSync().slice() as Float32Array;
    mask(kernel);
    const engine = await masked.withWeights({ weights: new Map([["conv2/kernel", kernel]]) });
    const parameters = ["conv2/kernel", "dense/bias"];
    const trainer = await engine.fit?.({ objective: "cross-entropy", optimizer: "adam", parameters, onGradients });
    for (let i = 0; i < 5; i++) await trainer?.step(inputs, CLASSES, 0.01);
    const after = (await trainer?.weights()) as Weights;
    expect([...after.keys()]).toEqual(parameters);
    const changed = [...kernel.keys()].filter((i) => after.get("conv2/kernel")?.[i] !== kernel[i]);
    expect(changed.filter((i) => !kept(i))).toEqual([]);
    // Some channels say nothing to any of the six images.
    expect(changed.length).toBeGreaterThan(kernel.length / 6);
    await Promise.all([trainer?.close(), engine.close(), masked.close()]);
    net.dispose();
  });

  test("goes through inputs that are integers as if they had no steps", async () => {
    const net = digitsNet(4);
    const plain = await tfjsEngine(net, tfjs);
    const fine = { scale: 1 / 4096, zeroPoint: 0, least: -(2 ** 20), most: 2 ** 20 };
    const engine = await plain.withWeights({ inputs: new Map([["conv2", { codes: fine }]]) });
    const found: Float32Array[] = [];
    const onGradients = (g: Weights): void => void found.push((g.get("conv1/kernel") as Float32Array).slice());
    const trainers = await Promise.all(
      [plain, engine].map((e) => e.fit?.({ objective: "cross-entropy", optimizer: "sgd", onGradients })),
    );
    for (const trainer of trainers) await trainer?.step(inputs, CLASSES, 0.1);
    const most = Math.max(...found[0].map(Math.abs));
    found[1].forEach((g, i) => {
      expect(Math.abs(g - found[0][i])).toBeLessThan(0.01 * most);
    });
    await Promise.all([...trainers.map((trainer) => trainer?.close()), engine.close(), plain.close()]);
    net.dispose();
  });

  test("says what is wrong, and leaves the model as it was", async () => {
    const net = digitsNet(1);
    const { engine, trainer } = await trainerFor(net);
    const original = await engine.run(inputs);
    const bad = async (work: Promise<unknown> | undefined, message: string): Promise<void> => {
      await expect(work).rejects.toThrow(DataError);
      await expect(work).rejects.toThrow(message);
    };
    const options = { objective: "cross-entropy", optimizer: "sgd" } as const;
    await bad(engine.fit?.({ ...options, parameters: ["conv9"] }), 'no weight "conv9"');
    await bad(trainer.step(new Map(), CLASSES, 0.1), "is missing");
    await bad(trainer.step(inputs, { shape: [5], data: new Int32Array(5) }, 0.1), "5 classes for 6 samples");
    await bad(
      trainer.step(inputs, { shape: [6], data: new Int32Array(6).fill(10) }, 0.1),
      "class 10 of a model with 10",
    );
    await bad(trainer.step(inputs, { shape: [6], data: new Float32Array(6) }, 0.1), "integers");
    await bad(trainer.step(inputs, CLASSES, Number.NaN), "a learning rate of NaN");
    await bad(trainer.restore(new Map()), 'has no "adam"');
    const project = (): Weights => new Map([["dense/bias", new Float32Array(3)]]);
    const wrong = await engine.fit?.({ ...options, project });
    await bad(wrong?.step(inputs, CLASSES, 0.1), '"dense/bias" has 3 elements');
    const squares = await engine.fit?.({ ...options, objective: "mse" });
    await bad(squares?.step(inputs, CLASSES, 0.1), "expected [6,10]");
    expect(await engine.run(inputs)).toEqual(original);
    await Promise.all([wrong?.close(), squares?.close(), trainer.close(), engine.close()]);
    net.dispose();
    const yes = tf.sequential({ layers: [layers.dense({ units: 1, activation: "sigmoid", inputShape: [2] })] });
    const either = await tfjsEngine(yes, tfjs);
    await bad(either.fit?.(options), "sigmoid");
    await either.close();
    yes.dispose();
  });
});

describe.skipIf(!existsSync(SETS))("digits of 8x8, which ../shared/data has", () => {
  test("a net learns them from nothing", async () => {
    const pixels = Float32Array.from(readFileSync(new URL("digits-8x8.x.u8", SETS)), (x) => x / 16);
    const labels = Int32Array.from(readFileSync(new URL("digits-8x8.y.u8", SETS)));
    const net = digitsNet(1);
    const engine = await tfjsEngine(net, tfjs);
    const trainer = await engine.fit?.({ objective: "cross-entropy", optimizer: "adam" });
    const batch = (rows: readonly number[]): [Values, Value] => {
      const data = new Float32Array(64 * rows.length);
      rows.forEach((row, i) => void data.set(pixels.subarray(64 * row, 64 * row + 64), 64 * i));
      return [
        new Map([["conv1_input", { shape: [rows.length, 8, 8, 1], data }]]),
        { shape: [rows.length], data: Int32Array.from(rows, (row) => labels[row]) },
      ];
    };
    // Each fifth is for the test; neighbours in the file are by one hand.
    const rows = Array.from(labels.keys()).filter((row) => row % 5 > 0);
    for (let epoch = 0; epoch < 6; epoch++) {
      for (let first = 0; first < 30; first++) {
        await trainer?.step(...batch(rows.filter((_, i) => i % 30 === first)), 0.005);
      }
    }
    const [images, expected] = batch(Array.from(labels.keys()).filter((row) => row % 5 === 0));
    const trained = await engine.withWeights({ weights: (await trainer?.weights()) as Weights });
    const out = (await trained.run(images)).get("dense")?.data as Float32Array;
    const right = expected.data.filter((label, i) => {
      const row = out.subarray(10 * i, 10 * i + 10);
      return row.indexOf(Math.max(...row)) === label;
    });
    expect(right.length / expected.data.length).toBeGreaterThan(0.93);
    await Promise.all([trained.close(), trainer?.close(), engine.close()]);
    net.dispose();
  });
});
