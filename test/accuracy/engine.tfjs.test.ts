import { existsSync, readFileSync } from "node:fs";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Engine, Value, Values } from "../../src/engine/engine.ts";
import { tfjsEngine } from "../../src/engine/tfjs.ts";
import { DataError, FormatError } from "../../src/errors.ts";
import { digitsNet, seeded } from "./nets.ts";
import { randomNormal, randomUniform } from "./random.ts";
import { tfjs } from "./tensorflow.ts";

const { core, layers: tf } = tfjs;
const { layers } = tf;
const DATA = new URL("../../../shared/data/", import.meta.url);

function random(seed: number, ...shape: number[]): Value {
  const next = randomUniform(seed);
  return { shape, data: Float32Array.from({ length: shape.reduce((all, extent) => all * extent, 1) }, next) };
}

/** What TensorFlow.js itself makes of a batch. */
function predicted(net: LayersModel, ...inputs: Value[]): Float32Array {
  return core.tidy(() => {
    const tensors = inputs.map(({ data, shape }) => core.tensor(data, [...shape]));
    const out = net.predict(tensors.length === 1 ? tensors[0] : tensors);
    return (out as ReturnType<typeof core.tensor>).dataSync().slice() as Float32Array;
  });
}

/** The files that TensorFlow.js writes. */
async function filesOf(net: LayersModel) {
  const saved: { modelJson: { weightsManifest: { weights: object[] }[] }; weights: ArrayBuffer }[] = [];
  const handler = core.io.withSaveHandler(async ({ modelTopology, weightSpecs, weightData }) => {
    const modelJson = { modelTopology, weightsManifest: [{ paths: ["weights.bin"], weights: weightSpecs ?? [] }] };
    saved.push({ modelJson, weights: weightData as ArrayBuffer });
    return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } };
  });
  await net.save(handler);
  return saved[0];
}

function floats(values: Values, name: string): Float32Array {
  const value = values.get(name);
  expect(value).toBeDefined();
  return value?.data as Float32Array;
}

function largest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);
}

describe("a small net", () => {
  const net = digitsNet(1);
  const images = random(2, 5, 8, 8, 1);
  const inputs = new Map([["conv1_input", images]]);
  let engine: Engine;
  let before: number;

  beforeAll(async () => {
    engine = await tfjsEngine(net, tfjs);
    before = core.memory().numTensors;
  });
  afterAll(async () => {
    // All engines of these tests but this one are closed, and nothing else is left.
    expect(core.memory().numTensors).toBe(before);
    await engine.close();
    // It is the caller's.
    expect(predicted(net, images).length).toBe(50);
  });

  test("is described", async () => {
    const { kind, inputs, outputs, units } = await engine.describe();
    expect(engine.runtime).toBe("tfjs 4.22.0 wasm");
    expect(kind).toBe("cnn");
    expect(inputs).toEqual([{ name: "conv1_input", integer: false, shape: [-1, 8, 8, 1] }]);
    expect(outputs).toEqual([{ name: "dense", integer: false, shape: [-1, 10] }]);
    expect(units.map(({ name, type }) => [name, type])).toEqual([
      ["conv1", "conv"],
      ["pool1", "pool"],
      ["conv2", "conv"],
      ["flatten", "shape"],
      ["dense", "dense"],
    ]);
    expect(units[2]).toEqual({
      name: "conv2",
      type: "conv",
      operators: ["Conv2D"],
      inputs: ["pool1"],
      output: "conv2",
      inputShape: [1, 4, 4, 8],
      outputShape: [1, 4, 4, 16],
      weight: { name: "conv2/kernel", shape: [3, 3, 8, 16], inputAxis: 2, outputAxis: 3, channelAxis: -1 },
      scales: {
        channelAxis: -1,
        parameters: [
          { name: "conv2/kernel", axis: 3 },
          { name: "conv2/bias", axis: 0 },
        ],
      },
      parameters: ["conv2/kernel", "conv2/bias"],
      attributes: { kernel: [3, 3], strides: [1, 1], activation: "relu" },
      macs: 4 * 4 * 16 * 9 * 8,
      bytes: 4 * (9 * 8 * 16 + 16),
    });
    expect(units[4]).toMatchObject({
      weight: { name: "dense/kernel", shape: [256, 10], inputAxis: 0, outputAxis: 1, channelAxis: -1 },
      attributes: { activation: "softmax" },
      macs: 2560,
    });
  });

  test("gives what TensorFlow.js gives", async () => {
    const values = await engine.run(inputs);
    expect([...values.keys()]).toEqual(["dense"]);
    expect(values.get("dense")?.shape).toEqual([5, 10]);
    expect(floats(values, "dense")).toEqual(predicted(net, images));
  });

  test("gives values inside, and each unit alone makes them of those before", async () => {
    const { units } = await engine.describe();
    const values = await engine.run(inputs, units.map(({ output }) => output).concat("conv1_input"));
    expect(values.get("pool1")?.shape).toEqual([5, 4, 4, 8]);
    expect(values.get("conv1_input")).toEqual(images);
    for (const unit of units) {
      const alone = await engine.only(unit.name);
      const description = await alone.describe();
      expect(description.units).toEqual([unit]);
      expect(description.inputs.map(({ name }) => name)).toEqual(unit.inputs);
      const given = new Map(unit.inputs.map((name) => [name, values.get(name) as Value]));
      expect(await alone.run(given)).toEqual(new Map([[unit.output, values.get(unit.output)]]));
      await alone.close();
    }
  });

  test("runs with other weights, and stays as it is", async () => {
    const original = floats(await engine.run(inputs), "dense");
    const other = digitsNet(7);
    const weights = new Map(other.weights.map((w) => [w.originalName, w.read().dataSync().slice() as Float32Array]));
    const first = await engine.withWeights({ weights });
    // The array may be used for something else at once.
    for (const data of weights.values()) data.fill(0);
    const second = await first.withWeights({ weights: new Map([["dense/bias", new Float32Array(10).fill(3)]]) });
    const outputs = await Promise.all([engine, first, second].map(async (e) => floats(await e.run(inputs), "dense")));
    expect(outputs[0]).toEqual(original);
    expect(outputs[1]).toEqual(predicted(other, images));
    // Later edits replace earlier ones; the same added to all logits changes nothing.
    expect(largest(outputs[2], original)).toBeLessThan(1e-6);
    const dense = await first.only("dense");
    const alone = await dense.withWeights({});
    const { flatten } = Object.fromEntries(await first.run(inputs, ["flatten"]));
    expect(floats(await alone.run(new Map([["flatten", flatten]])), "dense")).toEqual(outputs[1]);
    await Promise.all([second.close(), first.close(), dense.close(), alone.close()]);
    other.dispose();
  });

  test("divides inputs of a unit by factors that its weights are multiplied with", async () => {
    const original = floats(await engine.run(inputs), "dense");
    const kernel = net.getLayer("conv2").weights[0].read().dataSync();
    const factors = Float32Array.from({ length: 8 }, (_, i) => 0.25 * (i + 1));
    const smoothed = Float32Array.from(kernel, (w, i) => w * factors[Math.floor(i / 16) % 8]);
    const edits = { weights: new Map([["conv2/kernel", smoothed]]), inputs: new Map([["conv2", { factors }]]) };
    const engine2 = await engine.withWeights(edits);
    expect(largest(floats(await engine2.run(inputs), "dense"), original)).toBeLessThan(1e-5);
    // The value itself is as it was, for whoever else takes it.
    const [before, after] = [await engine.run(inputs, ["pool1"]), await engine2.run(inputs, ["pool1"])];
    expect(after.get("pool1")).toEqual(before.get("pool1"));
    await engine2.close();
  });

  test("makes integers of the inputs of a unit, halves to even, within their range", async () => {
    const identity = tf.sequential({
      name: "identity",
      layers: [layers.dense({ name: "same", units: 4, inputShape: [4] })],
    });
    core.tidy(() => identity.layers[0].setWeights([core.eye(4), core.zeros([4])]));
    const same = await tfjsEngine(identity, tfjs);
    const factors = Float32Array.of(1, 2, 1, 1);
    const codes = { scale: 0.5, zeroPoint: 3, least: 0, most: 10 };
    const edited = await same.withWeights({ inputs: new Map([["same", { factors, codes }]]) });
    const data = Float32Array.of(0.25, 1.5, 0.75, 1.25, -0.25, -1.5, 100, -100);
    const out = await edited.run(new Map([["same_input", { shape: [2, 4], data }]]));
    // 0.5, 1.5, 1.5, 2.5 and -0.5, -1.5 steps; 7 and -3 steps at most.
    expect(Array.from(floats(out, "same"), (x) => x + 0)).toEqual([0, 1, 1, 1, 0, -1, 3.5, -1.5]);
    // A unit alone has its edits.
    const alone = await edited.only("same");
    expect(await alone.run(new Map([["same_input", { shape: [2, 4], data }]]))).toEqual(out);
    await Promise.all([alone.close(), edited.close(), same.close()]);
    identity.dispose();
  });

  test("runs on its own backend, whichever another engine has", async () => {
    const expected = await engine.run(inputs);
    const plain = await tfjsEngine(net, { ...tfjs, backend: "cpu" });
    expect(plain.runtime).toBe("tfjs 4.22.0 cpu");
    const outputs = await Promise.all([plain, engine, plain, engine].map((each) => each.run(inputs)));
    expect(outputs[1]).toEqual(expected);
    expect(outputs[3]).toEqual(expected);
    expect(outputs[2]).toEqual(outputs[0]);
    expect(largest(floats(outputs[0], "dense"), floats(expected, "dense"))).toBeLessThan(1e-5);
    await plain.close();
    await engine.run(inputs);
  });

  test("is loaded from files, and from what else TensorFlow.js loads models from, and freed with the last engine", async () => {
    const files = await filesOf(net);
    const { weightsManifest, ...rest } = files.modelJson;
    const artifacts = { ...rest, weightSpecs: weightsManifest[0].weights, weightData: files.weights };
    const before = core.memory().numTensors;
    for (const model of [
      files,
      { ...files, weights: new Uint8Array(files.weights) },
      { load: async () => artifacts },
    ]) {
      const first = await tfjsEngine(model, tfjs);
      const second = await first.withWeights({});
      await first.close();
      expect(await second.run(inputs)).toEqual(await engine.run(inputs));
      await second.close();
      expect(core.memory().numTensors).toBe(before);
    }
  });

  test("says what is wrong", async () => {
    const bad = async (work: Promise<unknown>, message: string): Promise<void> => {
      await expect(work).rejects.toThrow(DataError);
      await expect(work).rejects.toThrow(message);
    };
    await bad(engine.run(new Map()), 'the input "conv1_input" is missing');
    await bad(engine.run(new Map([...inputs, ["x", images]])), 'no input "x"');
    await bad(engine.run(new Map([["conv1_input", random(1, 5, 8, 9, 1)]])), "[5,8,9,1], expected [-1,8,8,1]");
    await bad(engine.run(new Map([["conv1_input", { shape: [5, 8, 8, 1], data: new Float32Array(5) }]])), "5 elements");
    await bad(engine.run(inputs, ["conv9"]), 'no value "conv9"');
    await bad(engine.only("conv9"), 'no unit "conv9"');
    await bad(engine.withWeights({ weights: new Map([["conv9", new Float32Array(1)]]) }), 'no weight "conv9"');
    await bad(engine.withWeights({ weights: new Map([["dense/bias", new Float32Array(9)]]) }), "10 elements, got 9");
    await bad(engine.withWeights({ inputs: new Map([["conv9", {}]]) }), 'no unit "conv9"');
    const wrong = { weights: new Map([["dense/bias", new Float32Array(10)]]), inputs: new Map([["nowhere", {}]]) };
    await bad(engine.withWeights(wrong), 'no unit "nowhere"');
    const factors = new Float32Array(3).fill(1);
    await bad(engine.withWeights({ inputs: new Map([["conv2", { factors }]]) }), "8 input channels, got 3 factors");
    const negative = new Float32Array(8).fill(-1);
    await bad(engine.withWeights({ inputs: new Map([["conv2", { factors: negative }]]) }), "positive");
    const codes = { scale: 0, zeroPoint: 0, least: 0, most: 1 };
    await bad(engine.withWeights({ inputs: new Map([["conv2", { codes }]]) }), "positive scale");
    const closed = await engine.withWeights({});
    await closed.close();
    await closed.close();
    await bad(closed.run(inputs), "closed");
    await bad(tfjsEngine({}, tfjs), "no layers model");
    await expect(tfjsEngine({ modelJson: {}, weights: new Uint8Array() }, tfjs)).rejects.toThrow(FormatError);
    const nothing = { modelJson: { weightsManifest: [], modelTopology: {} }, weights: new Uint8Array() };
    await bad(tfjsEngine(nothing, tfjs), "TensorFlow.js cannot load the model");
    await bad(tfjsEngine(net, { ...tfjs, backend: "abacus" }), 'no backend "abacus"');
    await bad(tfjsEngine(net, { ...tfjs, core: {} }), "not the module tfjs-core");
    // What src/ finds beside it, which has no TensorFlow.js.
    await bad(
      tfjsEngine(net, { ...tfjs, layers: undefined }),
      "npm install @tensorflow/tfjs-layers, or give the module",
    );
    const { modelJson, weights } = await filesOf(net);
    await bad(tfjsEngine({ modelJson, weights: weights.slice(0, 1000) }, tfjs), "bytes of weights, got 1000");
  });
});

describe("nets of other kinds", () => {
  /** Runs it, and checks that there is nothing left after. */
  async function check(net: LayersModel, ...values: Value[]) {
    const before = core.memory().numTensors;
    const engine = await tfjsEngine(net, tfjs);
    const description = await engine.describe();
    const inputs = new Map(description.inputs.map(({ name }, i) => [name, values[i]]));
    const all = await engine.run(
      inputs,
      description.units.map(({ output }) => output),
    );
    expect(largest(floats(all, description.outputs[0].name), predicted(net, ...values))).toBeLessThan(1e-6);
    for (const unit of description.units) {
      const alone = await engine.only(unit.name);
      const given = unit.inputs.map((name) => [name, inputs.get(name) ?? all.get(name)] as [string, Value]);
      expect(await alone.run(new Map(given))).toEqual(new Map([[unit.output, all.get(unit.output)]]));
      await alone.close();
    }
    await engine.close();
    expect(core.memory().numTensors).toBe(before);
    return description;
  }

  test("branches, layers used twice, activations behind layers, normalization, models inside", async () => {
    const input = tf.input({ shape: [6, 6, 4], name: "image" });
    const twice = layers.separableConv2d({ name: "twice", filters: 4, kernelSize: 3, padding: "same" });
    const one = layers
      .depthwiseConv2d({ name: "depth", kernelSize: 3, padding: "same", depthMultiplier: 1 })
      .apply(input);
    const two = layers.batchNormalization({ name: "norm" }).apply(twice.apply(twice.apply(input)));
    const sum = layers.add({ name: "sum" }).apply([one, two] as never);
    const active = layers.reLU({ name: "active" }).apply(sum);
    const inner = tf.sequential({
      name: "inner",
      layers: [
        layers.globalAveragePooling2d({ name: "mean", inputShape: [6, 6, 4] } as never),
        layers.dense({ name: "last", units: 3 }),
      ],
    });
    const out = layers.softmax({ name: "classes" }).apply(inner.apply(active));
    const net = seeded(tf.model({ inputs: input, outputs: out as never }), 4);
    const { kind, units } = await check(net, random(8, 3, 6, 6, 4));
    expect(kind).toBe("depthwise-cnn");
    const found = units.map(({ name, type, operators, output }) => [name, type, operators.join("+"), output]);
    expect(found.sort()).toEqual([
      ["depth", "depthwise", "DepthwiseConv2D", "depth"],
      ["inner/last", "dense", "Dense+Softmax", "classes"],
      ["inner/mean", "pool", "GlobalAveragePooling2D", "inner/mean"],
      ["norm", "norm", "BatchNormalization", "norm"],
      ["sum", "elementwise", "Add+ReLU", "active"],
      ["twice", "other", "SeparableConv2D", "twice"],
      ["twice:1", "other", "SeparableConv2D", "twice:1"],
    ]);
    const depth = units.find(({ name }) => name === "depth");
    expect(depth?.weight).toMatchObject({ shape: [3, 3, 4, 1], inputAxis: 2, outputAxis: 2 });
    expect(depth?.attributes).toMatchObject({ groups: 4, kernel: [3, 3] });
    net.dispose();
  });

  test.each(["lstm", "gru"] as const)("an embedding that masks, and %s", async (kind) => {
    const net = tf.sequential();
    net.add(layers.embedding({ name: "table", inputDim: 12, outputDim: 5, inputLength: 7, maskZero: true }));
    net.add(layers[kind]({ name: "state", units: 6 }));
    net.add(layers.dense({ name: "classes", units: 3, activation: "softmax" }));
    seeded(net, 6);
    const words = { shape: [2, 7], data: Int32Array.of(3, 4, 5, 1, 0, 0, 0, 11, 10, 9, 8, 7, 6, 5) };
    const engine = await tfjsEngine(net, tfjs);
    const out = await engine.run(new Map([["table_input", words]]), ["table"]);
    const expected = predicted(net, { shape: words.shape, data: Float32Array.from(words.data) });
    expect(largest(floats(out, "classes"), expected)).toBeLessThan(1e-6);
    const description = await engine.describe();
    expect(description.kind).toBe("rnn");
    expect(description.inputs).toEqual([{ name: "table_input", integer: true, shape: [-1, 7] }]);
    expect(description.units.map(({ type, weight }) => [type, weight?.name])).toEqual([
      ["embedding", undefined],
      ["rnn", "state/kernel"],
      ["dense", "classes/kernel"],
    ]);
    const edit = { inputs: new Map([["table", { factors: new Float32Array(7).fill(1) }]]) };
    await expect(engine.withWeights(edit)).rejects.toThrow("integers");
    await engine.close();
    net.dispose();
  });

  test("sequences of any length are described by those of a sample", async () => {
    const net = tf.sequential({
      layers: [
        layers.conv1d({ name: "line", filters: 3, kernelSize: 2, strides: 2, inputShape: [null, 2] as never }),
        layers.reLU({ name: "active" }),
        layers.lstm({ name: "state", units: 4 }),
      ],
    });
    seeded(net, 9);
    const before = core.memory().numTensors;
    const engine = await tfjsEngine(net, tfjs);
    const [input] = (await engine.describe()).inputs;
    expect(input?.shape).toEqual([-1, -1, 2]);
    const shapes = async (sample?: Values) => {
      const { inputs, units } = await engine.describe(sample);
      expect(inputs).toEqual([input]);
      return units.map(({ name, inputShape, outputShape, macs }) => [name, inputShape, outputShape, macs]);
    };
    const matrices = 4 * 4 * (3 + 4);
    expect(await shapes()).toEqual([
      ["line", [1, 1, 2], [1, 1, 3], 12],
      ["state", [1, 1, 3], [1, 4], matrices],
    ]);
    expect(await shapes(new Map([["line_input", random(3, 5, 20, 2)]]))).toEqual([
      ["line", [1, 20, 2], [1, 10, 3], 120],
      ["state", [1, 10, 3], [1, 4], 10 * matrices],
    ]);
    const alone = await engine.only("line");
    const [unit] = (await alone.describe(new Map([["line_input", random(3, 1, 8, 2)]]))).units;
    expect(unit?.outputShape).toEqual([1, 4, 3]);
    await alone.close();
    await expect(engine.describe(new Map([["line_input", random(3, 1, 8, 3)]]))).rejects.toThrow("where -1 is any");
    await engine.close();
    await expect(engine.describe(new Map([["line_input", random(3, 1, 8, 2)]]))).rejects.toThrow("closed");
    expect(core.memory().numTensors).toBe(before);
    net.dispose();
  });

  test("convolution along one dimension, and turned around", async () => {
    const one = tf.sequential({
      layers: [layers.conv1d({ name: "line", filters: 3, kernelSize: 4, strides: 2, inputShape: [9, 2] })],
    });
    const { units } = await check(one, random(1, 2, 9, 2));
    expect(units[0]).toMatchObject({ type: "conv", macs: 3 * 3 * 4 * 2, weight: { inputAxis: 1, outputAxis: 2 } });
    const back = tf.sequential({
      layers: [layers.conv2dTranspose({ name: "up", filters: 3, kernelSize: 2, strides: 2, inputShape: [4, 4, 2] })],
    });
    const up = await check(back, random(1, 2, 4, 4, 2));
    expect(up.units[0]).toMatchObject({
      macs: 16 * 3 * 4 * 2,
      weight: { shape: [2, 2, 3, 2], inputAxis: 3, outputAxis: 2 },
    });
    one.dispose();
    back.dispose();
  });
});

describe.skipIf(!existsSync(DATA))("doodlenet, which ../shared/data has", () => {
  const file = (name: string): Uint8Array => readFileSync(new URL(name, DATA));
  let engine: Engine;
  let before: number;

  beforeAll(async () => {
    before = core.memory().numTensors;
    const modelJson = JSON.parse(new TextDecoder().decode(file("models/doodlenet-tfjs/model.json")));
    engine = await tfjsEngine({ modelJson, weights: file("models/doodlenet-tfjs/group1-shard1of1.bin") }, tfjs);
  });
  afterAll(async () => {
    await engine.close();
    expect(core.memory().numTensors).toBe(before);
  });

  test.each([
    ["cats", "cat", 0.82],
    ["rainbows", "rainbow", 0.865],
    ["trains", "train", 0.63],
  ])("knows %s", async (set, word, expected) => {
    const classes = new TextDecoder().decode(file("models/doodlenet-tfjs/class_names.txt")).trim().split("\n");
    const { inputs, outputs } = await engine.describe();
    const data = Float32Array.from(file(`sets/quickdraw-${set}1000.bin`).subarray(0, 200 * 784), (x) => x / 255);
    const out = floats(
      await engine.run(new Map([[inputs[0].name, { shape: [200, 28, 28, 1], data }]])),
      outputs[0].name,
    );
    const label = classes.indexOf(word);
    let right = 0;
    for (let i = 0; i < 200; i++) {
      const row = out.subarray(345 * i, 345 * (i + 1));
      if (row.indexOf(Math.max(...row)) === label) right++;
    }
    expect(right / 200).toBeCloseTo(expected, 5);
  });

  test("is described, and its weights have the names of its file", async () => {
    const { kind, units } = await engine.describe();
    expect(kind).toBe("cnn");
    expect(
      units
        .filter(({ weight }) => weight)
        .map(({ weight }) => weight?.name)
        .slice(0, 2),
    ).toEqual(["conv2d/kernel", "conv2d_1/kernel"]);
    expect(units.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(
      file("models/doodlenet-tfjs/group1-shard1of1.bin").length,
    );
  });
});

test("normal numbers of the tests are normal", () => {
  const next = randomNormal(1);
  const values = Array.from({ length: 4000 }, next);
  const mean = values.reduce((sum, x) => sum + x, 0) / 4000;
  expect(Math.abs(mean)).toBeLessThan(0.05);
  expect(values.reduce((sum, x) => sum + x * x, 0) / 4000).toBeCloseTo(1, 1);
});
