// npm run test:ecosystem: .quern files in TensorFlow.js. Needs `npm run build`.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { FormatError } from "../../dist/index.js";
import { quernIO } from "../../dist/tfjs.js";
import { dataFile, packed, serve, values, writeModel } from "./files.mjs";

const require = createRequire(import.meta.url);
const tf = require("@tensorflow/tfjs-core");
const layers = require("@tensorflow/tfjs-layers");
const { loadGraphModel } = require("@tensorflow/tfjs-converter");
const wasm = require("@tensorflow/tfjs-backend-wasm");

const folder = mkdtempSync(join(tmpdir(), "quern-tfjs-"));
after(() => rmSync(folder, { recursive: true }));
before(async () => {
  wasm.setWasmPaths(`${dirname(require.resolve("@tensorflow/tfjs-backend-wasm"))}/`);
  await tf.setBackend("wasm");
});

/** The model on disk as TensorFlow.js has it without us. */
function original(path) {
  const { weightsManifest, ...rest } = JSON.parse(readFileSync(path, "utf8"));
  const shards = weightsManifest.flatMap(({ paths }) => paths).map((name) => readFileSync(join(dirname(path), name)));
  const weightData = new Uint8Array(Buffer.concat(shards)).buffer;
  // It takes the dtype uint8 only as a way to store int32.
  const bytes = { dtype: "int32", quantization: { dtype: "uint8", scale: 1, min: 0 } };
  const specs = weightsManifest.flatMap(({ weights }) => weights);
  const weightSpecs = specs.map((spec) => (spec.dtype === "uint8" ? { ...spec, ...bytes } : spec));
  return { load: async () => ({ ...rest, weightSpecs, weightData }) };
}

/** The output for one batch: of a graph model y, which is not its only one. */
function run(model, shape, input) {
  return tf.tidy(() => {
    const x = tf.tensor(input, shape);
    const y = "modelVersion" in model ? model.execute({ x }, "y") : model.predict(x);
    return Float32Array.from(y.dataSync());
  });
}

const SHAPE = [3, 12, 12, 2];
const INPUT = values(3 * 12 * 12 * 2, 5);

/** Convolution, batch normalization, an optimizer with a weight of its own. */
async function layersModel() {
  const model = layers.sequential();
  model.add(layers.layers.conv2d({ inputShape: SHAPE.slice(1), filters: 24, kernelSize: 3, activation: "relu" }));
  model.add(layers.layers.batchNormalization());
  model.add(layers.layers.flatten());
  model.add(layers.layers.dense({ units: 10 }));
  model.setWeights(
    model.getWeights().map(({ shape, size }, i) =>
      tf.tensor(
        values(size, i + 1).map((x) => 0.1 + 0.1 * x),
        shape,
      ),
    ),
  );
  model.setUserDefinedMetadata({ classes: ["cat", "train"] });
  model.compile({ optimizer: tf.train.adam(0.01), loss: "meanSquaredError" });
  let saved;
  await model.save(
    tf.io.withSaveHandler(async (artifacts) => {
      saved = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: "JSON" } };
    }),
    { includeOptimizer: true },
  );
  return writeModel(mkdtempSync(join(folder, "layers-")), saved);
}

const attr = (dtype, shape) => ({
  dtype: { type: dtype },
  value: { tensor: { dtype, tensorShape: { dim: shape.map((size) => ({ size: `${size}` })) } } },
});

/** y = reshape(x w * mask + b, shape): weights of every dtype that TensorFlow.js stores. */
function graphModel() {
  const weights = [
    ["w", "float32", [64, 32], "DT_FLOAT", values(64 * 32, 3)],
    ["none", "float32", [0, 4], "DT_FLOAT", new Float32Array(0)],
    ["b", "float32", [32], "DT_FLOAT", values(32, 9)],
    ["shape", "int32", [3], "DT_INT32", Int32Array.of(-1, 8, 4)],
    ["on", "bool", [32], "DT_BOOL", Uint8Array.from({ length: 32 }, (_, i) => i % 3 && 1)],
    ["bytes", "uint8", [32], "DT_INT32", Uint8Array.from({ length: 32 }, (_, i) => 8 * i)],
  ];
  const op = (name, op, input, attr = {}) => ({ name, op, input, attr });
  const float = { T: { type: "DT_FLOAT" } };
  const node = [
    op("x", "Placeholder", [], {
      dtype: { type: "DT_FLOAT" },
      shape: { shape: { dim: [{ size: "-1" }, { size: "64" }] } },
    }),
    ...weights.map(([name, , shape, type]) => op(name, "Const", [], attr(type, shape))),
    op("scale", "Cast", ["bytes"], { SrcT: { type: "DT_INT32" }, DstT: { type: "DT_FLOAT" } }),
    op("product", "MatMul", ["x", "w"], { ...float, transpose_a: { b: false }, transpose_b: { b: false } }),
    op("masked", "Select", ["on", "scale", "b"], float),
    op("sum", "AddV2", ["product", "masked"], float),
    op("y", "Reshape", ["sum", "shape"], { ...float, Tshape: { type: "DT_INT32" } }),
  ];
  const weightData = Buffer.concat(weights.map(([, , , , data]) => new Uint8Array(data.buffer)));
  return writeModel(mkdtempSync(join(folder, "graph-")), {
    format: "graph-model",
    modelTopology: { node, library: {}, versions: { producer: 1 } },
    weightSpecs: weights.map(([name, dtype, shape]) => ({ name, dtype, shape })),
    weightData,
  });
}

const ROWS = values(5 * 64, 7);

describe("a layers model", () => {
  let path;
  let outputs;
  before(async () => {
    path = await layersModel();
    outputs = run(await layers.loadLayersModel(original(path)), SHAPE, INPUT);
    assert.ok(new Set(outputs).size > 20, `the model tells inputs apart: ${outputs}`);
  });

  test("gives the same outputs, losslessly, from a server by range", async () => {
    const { url, asked, close } = await serve({ m: await packed(path, "lossless") });
    try {
      const model = await layers.loadLayersModel(quernIO(url("m")));
      assert.deepEqual(run(model, SHAPE, INPUT), outputs);
      assert.deepEqual(model.getUserDefinedMetadata(), { classes: ["cat", "train"] });
      assert.ok(asked.length > 0 && asked.every(([, , range]) => range), JSON.stringify(asked));
    } finally {
      await close();
    }
  });

  test("comes from an answer or a stream too, and its graph with the caller's own requests", async () => {
    const { url, asked, close } = await serve({ m: await packed(path, "lossless"), "model.json": readFileSync(path) });
    try {
      for (const input of [await fetch(url("m")), (await fetch(url("m"))).body]) {
        assert.deepEqual(run(await layers.loadLayersModel(quernIO(input)), SHAPE, INPUT), outputs);
      }
      const request = { headers: { "x-key": "1" }, fetch: (...args) => fetch(...args) };
      asked.length = 0;
      await quernIO(url("m"), { graph: url("model.json"), request }).load();
      assert.ok(asked.length > 1 && asked.every(([, , , key]) => key === "1"), JSON.stringify(asked));
    } finally {
      await close();
    }
  });

  test("keeps its training: what the optimizer had is the optimizer's", async () => {
    const artifacts = await quernIO(await packed(path, "lossless")).load();
    assert.deepEqual(
      artifacts.weightSpecs.filter(({ group }) => group === "optimizer").map(({ dtype }) => dtype),
      ["int32"],
    );
    assert.equal(artifacts.trainingConfig.loss, "mean_squared_error");
    assert.equal(artifacts.getWeightStream, undefined);
    const model = await layers.loadLayersModel(quernIO(await packed(path, "lossless")));
    assert.equal(model.loss, "meanSquaredError");
  });

  test("takes quantized tensors as float32, close to the original", async () => {
    const file = await packed(path, "small 64=lossless; int8 channel > auto");
    assert.ok(file.length < (await packed(path, "raw")).length / 2);
    const output = run(await layers.loadLayersModel(quernIO(file)), SHAPE, INPUT);
    assert.notDeepEqual(output, outputs);
    const most = output.reduce((max, value, i) => Math.max(max, Math.abs(value - outputs[i])), 0);
    assert.ok(most < 0.05, `${most}`);
  });

  test("with its graph beside it: bytes, text, value, address", async () => {
    const file = await packed(path, "lossless", { graph: false });
    const bytes = readFileSync(path);
    const { url, close } = await serve({ "model.json": bytes });
    try {
      for (const graph of [bytes, JSON.parse(bytes), url("model.json"), new URL(url("model.json"))]) {
        assert.deepEqual(run(await layers.loadLayersModel(quernIO(file, { graph })), SHAPE, INPUT), outputs);
      }
      await assert.rejects(quernIO(file, { graph: url("other.json") }).load(), { name: "LoadError", code: "status" });
    } finally {
      await close();
    }
  });

  test("without a graph says what to do; with another's, what is wrong", async () => {
    const bare = await packed(path, "lossless", { graph: false });
    await assert.rejects(
      layers.loadLayersModel(quernIO(bare)),
      /no graph: pack it with .* --with-graph.*option "graph"/,
    );
    await assert.rejects(quernIO(bare, { graph: { modelTopology: null } }).load(), /no modelTopology/);
    await assert.rejects(quernIO(bare, { graph: Uint8Array.of(8, 10) }).load(), /no model.json: quern\/onnx/);
    const graph = JSON.parse(readFileSync(path, "utf8"));
    const [first] = graph.weightsManifest[0].weights;
    const other = (change) => ({
      ...graph,
      weightsManifest: [{ paths: [], weights: [{ ...first, ...change }] }],
    });
    await assert.rejects(quernIO(bare, { graph: other({ name: "w2" }) }).load(), /no tensor "w2"/);
    await assert.rejects(
      quernIO(bare, { graph: other({ shape: [7] }) }).load(),
      /is 3 x 3 x 2 x 24, and 7 in the graph/,
    );
    await assert.rejects(quernIO(bare, { graph: other({ dtype: "string" }) }).load(), /is text/);
  });

  test("a damaged file is refused, an aborted one stops", async () => {
    const file = await packed(path, "lossless");
    const damaged = file.slice();
    damaged[damaged.length - 9] ^= 1;
    await assert.rejects(layers.loadLayersModel(quernIO(damaged)), FormatError);
    const stop = new AbortController();
    const reason = new Error("enough");
    let reads = 0;
    const slice = async (start, end) => {
      if (++reads === 4) stop.abort(reason);
      return file.subarray(start, end);
    };
    const source = { byteLength: file.length, slice };
    await assert.rejects(layers.loadLayersModel(quernIO(source, { signal: stop.signal })), reason);
    assert.equal(reads, 4);
  });
});

describe("a graph model", () => {
  const shape = [5, 64];
  let path;
  let outputs;
  before(async () => {
    path = graphModel();
    outputs = run(await loadGraphModel(original(path)), shape, ROWS);
    assert.ok(new Set(outputs).size > 100, `the model tells inputs apart: ${outputs}`);
  });

  test("gives the same outputs, weights streamed or not, from a server by range", async () => {
    const { url, close } = await serve({ m: await packed(path, "lossless") });
    try {
      for (const stream of [true, false]) {
        const handler = quernIO(url("m"), { stream });
        const model = await loadGraphModel(handler);
        assert.deepEqual(run(model, shape, ROWS), outputs);
        assert.equal("getWeightStream" in (await handler.load()), stream);
        assert.equal("weightData" in (await handler.load()), !stream);
      }
    } finally {
      await close();
    }
  });

  test("decodes a weight when it is asked for, and reads no more once the stream is dropped", async () => {
    const file = await packed(path, "small 0=raw; raw");
    let reads = 0;
    const slice = async (start, end) => {
      reads++;
      return file.subarray(start, end);
    };
    const { getWeightStream } = await quernIO({ byteLength: file.length, slice }).load();
    const opened = reads;
    const reader = getWeightStream().getReader();
    assert.equal(reads, opened);
    assert.equal((await reader.read()).value.byteLength, 4 * 64 * 32);
    await reader.cancel();
    const after = reads;
    assert.ok(after > opened);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(reads, after);
  });

  test("takes quantized tensors as float32", async () => {
    const file = await packed(path, "int8 channel axis 1 > auto");
    const output = run(await loadGraphModel(quernIO(file)), shape, ROWS);
    const worst = output.reduce((max, value, i) => Math.max(max, Math.abs(value - outputs[i])), 0);
    assert.ok(worst > 0 && worst < 1, `${worst}`);
  });

  test("a damaged file is refused while it streams, an aborted one stops", async () => {
    const file = await packed(path, "lossless");
    const damaged = file.slice();
    damaged[damaged.length - 3] ^= 1;
    await assert.rejects(loadGraphModel(quernIO(damaged)), FormatError);
    const stop = new AbortController();
    const { getWeightStream } = await quernIO(file, { signal: stop.signal }).load();
    stop.abort(new Error("enough"));
    await assert.rejects(getWeightStream().getReader().read(), /enough/);
  });
});

const DOODLENET = dataFile("models/doodlenet-tfjs/model.json");

describe("doodlenet", { skip: existsSync(DOODLENET) ? false : `no ${DOODLENET}` }, () => {
  const IMAGES = 200;
  const labels = ["cat", "rainbow", "train"];
  let inputs;
  let classes;
  let model;
  before(async () => {
    const pixels = labels.map((label) =>
      readFileSync(dataFile(`sets/quickdraw-${label}s1000.bin`)).subarray(0, IMAGES * 784),
    );
    inputs = Float32Array.from(Buffer.concat(pixels), (x) => x / 255);
    const names = readFileSync(join(dirname(DOODLENET), "class_names.txt"), "utf8")
      .trim()
      .split("\n");
    classes = labels.map((label) => names.findIndex((name) => name.trim().toLowerCase() === label));
    assert.ok(
      classes.every((index) => index >= 0),
      `${classes}`,
    );
    model = await layers.loadLayersModel(original(DOODLENET));
  });

  const outputsOf = (model) => run(model, [3 * IMAGES, 28, 28, 1], inputs);
  const best = (output) =>
    Array.from({ length: 3 * IMAGES }, (_, i) => {
      const row = output.subarray(345 * i, 345 * (i + 1));
      return row.indexOf(Math.max(...row));
    });
  const share = (right) => right.filter(Boolean).length / right.length;
  const accuracy = (found) => share(found.map((label, i) => label === classes[Math.floor(i / IMAGES)]));

  async function loaded(plan) {
    const file = await packed(DOODLENET, plan);
    const { url, close } = await serve({ m: file });
    try {
      return { model: await layers.loadLayersModel(quernIO(url("m"))), bytes: file.length };
    } finally {
      await close();
    }
  }

  test("lossless gives the outputs of the original, bit for bit", async () => {
    const { model: again } = await loaded("lossless");
    assert.deepEqual(outputsOf(again), outputsOf(model));
  });

  test("int8 says the same of sketches", async () => {
    const { model: small, bytes } = await loaded("int8 channel > auto");
    const [before, after] = [model, small].map((one) => best(outputsOf(one)));
    const agreement = share(before.map((label, i) => label === after[i]));
    console.log(
      `doodlenet, int8, ${bytes} bytes: top-1 ${accuracy(before)} before, ${accuracy(after)} after, agreement ${agreement}`,
    );
    assert.ok(accuracy(before) > 0.7, `${accuracy(before)}`);
    assert.ok(agreement > 0.95, `${agreement}`);
    assert.ok(Math.abs(accuracy(after) - accuracy(before)) < 0.02, `${accuracy(after)}`);
  });
});
