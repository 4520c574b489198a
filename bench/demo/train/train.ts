// Trains the bundled demo model and writes ../digits-cnn.safetensors; see README.md.
//
// Everything random is seeded and the arithmetic runs on one thread of WebAssembly, so a rerun writes the same bytes.

import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { setThreadsCount } from "@tensorflow/tfjs-backend-wasm";
import { CLASSES, drawDigits, PIXELS, SIZE } from "../draw.ts";
import { classify, type LayerName, SHAPES, sizeOf, type TensorName } from "../forward.ts";

const OUTPUT = fileURLToPath(new URL("../digits-cnn.safetensors", import.meta.url));

const INIT_SEED = 1;
const TEST_SEED = 2;
const VALIDATION_SEED = 3;
const FIRST_TRAIN_SEED = 1000; // one more per epoch: no image is seen twice
const TEST_COUNT = 5000;
const VALIDATION_COUNT = 2000;

const EPOCHS = 14;
const IMAGES_PER_EPOCH = 12800;
const BATCH = 64;
const LEARNING_RATE = 0.05; // falls linearly to 0
const MOMENTUM = 0.9;
const WEIGHT_DECAY = 5e-4;

// In the library's layout: convolutions [height, width, in, out], dense layers [in, out].
type Layer = { weight: tf.Variable; bias: tf.Variable };
type Model = Readonly<Record<LayerName, Layer>>;

function createModel(): Model {
  let seed = INIT_SEED;
  const layer = (inputShape: number[], outputs: number): Layer => {
    const fanIn = inputShape.reduce((product, side) => product * side, 1);
    // He initialization; uniform, because a normal variate would need a logarithm and those differ between engines.
    const bound = Math.sqrt(6 / fanIn);
    const initial = tf.randomUniform([...inputShape, outputs], -bound, bound, "float32", seed++);
    return { weight: tf.variable(initial), bias: tf.variable(tf.zeros([outputs])) };
  };
  return {
    conv1: layer([3, 3, 1], 16),
    conv2: layer([3, 3, 16], 32),
    conv3: layer([3, 3, 32], 32),
    fc1: layer([4 * 4 * 32], 128),
    fc2: layer([128], CLASSES),
  };
}

// The wasm backend has no gradient kernel for filters and only a slow one for inputs. Both gradients are
// convolutions themselves, and those are fast.

function inputGradient(dy: tf.Tensor4D, filter: tf.Tensor4D): tf.Tensor4D {
  const [height, width] = filter.shape;
  const flipped: tf.Tensor4D = tf.transpose(tf.reverse(filter, [0, 1]), [0, 1, 3, 2]);
  const border: [number, number][] = [
    [0, 0],
    [height - 1, height - 1],
    [width - 1, width - 1],
    [0, 0],
  ];
  return tf.conv2d(tf.pad(dy, border), flipped, 1, "valid");
}

function filterGradient(dy: tf.Tensor4D, x: tf.Tensor4D): tf.Tensor4D {
  // The batch takes the place of the input channels, the input channels that of the batch.
  const images: tf.Tensor4D = tf.transpose(x, [3, 1, 2, 0]);
  const filter: tf.Tensor4D = tf.transpose(dy, [1, 2, 0, 3]);
  return tf.transpose(tf.conv2d(images, filter, 1, "valid"), [1, 2, 0, 3]);
}

const convolve = tf.customGrad((...inputs) => {
  const [x, filter, save] = inputs as [tf.Tensor4D, tf.Tensor4D, (saved: tf.Tensor[]) => void];
  save([x, filter]);
  return {
    value: tf.conv2d(x, filter, 1, "valid"),
    gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [savedX, savedFilter] = saved as [tf.Tensor4D, tf.Tensor4D];
      return [inputGradient(dy as tf.Tensor4D, savedFilter), filterGradient(dy as tf.Tensor4D, savedX)];
    },
  };
});

function predict(model: Model, images: tf.Tensor4D): tf.Tensor2D {
  const conv = (x: tf.Tensor, { weight, bias }: Layer): tf.Tensor4D => tf.relu(tf.add(convolve(x, weight), bias));
  const pool = (x: tf.Tensor4D): tf.Tensor4D => tf.maxPool(x, 2, 2, "valid");
  const dense = (x: tf.Tensor2D, { weight, bias }: Layer): tf.Tensor2D =>
    tf.add(tf.matMul(x, weight as tf.Tensor), bias);
  const low = pool(conv(conv(images, model.conv1), model.conv2));
  const high = pool(conv(low, model.conv3));
  const hidden: tf.Tensor2D = tf.relu(dense(tf.reshape(high, [images.shape[0], -1]), model.fc1));
  return dense(hidden, model.fc2);
}

function toTensor(images: Float32Array): tf.Tensor4D {
  return tf.tensor4d(images, [images.length / PIXELS, SIZE, SIZE, 1]);
}

function trainStep(
  model: Model,
  optimizer: tf.Optimizer,
  decay: number,
  images: Float32Array,
  labels: Uint8Array,
): number {
  return tf.tidy(() => {
    const x = toTensor(images);
    const target = tf.oneHot(tf.tensor1d(labels, "int32"), CLASSES);
    const loss = optimizer.minimize(() => tf.losses.softmaxCrossEntropy(target, predict(model, x)), true);
    for (const { weight } of Object.values(model)) weight.assign(tf.mul(weight, 1 - decay));
    return loss?.dataSync()[0] ?? Number.NaN;
  });
}

function logitsOf(model: Model, images: Float32Array): Float32Array {
  const count = images.length / PIXELS;
  const logits = new Float32Array(count * CLASSES);
  const chunk = 100;
  for (let from = 0; from < count; from += chunk) {
    const part = images.subarray(from * PIXELS, (from + chunk) * PIXELS);
    logits.set(
      tf.tidy(() => predict(model, toTensor(part)).dataSync<"float32">()),
      from * CLASSES,
    );
  }
  return logits;
}

function toLabels(logits: Float32Array): Uint8Array {
  return Uint8Array.from({ length: logits.length / CLASSES }, (_, n) => {
    const row = logits.subarray(n * CLASSES, (n + 1) * CLASSES);
    return row.indexOf(row.reduce((max, value) => Math.max(max, value)));
  });
}

function accuracy(predicted: Uint8Array, labels: Uint8Array): number {
  return predicted.filter((label, n) => label === labels[n]).length / labels.length;
}

function train(): Model {
  const model = createModel();
  const optimizer = tf.train.momentum(LEARNING_RATE, MOMENTUM, true);
  const validation = drawDigits(VALIDATION_SEED, VALIDATION_COUNT);
  const stepsPerEpoch = IMAGES_PER_EPOCH / BATCH;
  const start = performance.now();
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    const { images, labels } = drawDigits(FIRST_TRAIN_SEED + epoch, IMAGES_PER_EPOCH);
    let loss = 0;
    for (let step = 0; step < stepsPerEpoch; step++) {
      const rate = LEARNING_RATE * (1 - (epoch * stepsPerEpoch + step) / (EPOCHS * stepsPerEpoch));
      optimizer.setLearningRate(rate);
      const from = step * BATCH;
      const batch = images.subarray(from * PIXELS, (from + BATCH) * PIXELS);
      loss += trainStep(model, optimizer, rate * WEIGHT_DECAY, batch, labels.subarray(from, from + BATCH));
    }
    const valid = accuracy(toLabels(logitsOf(model, validation.images)), validation.labels);
    const seconds = (performance.now() - start) / 1000;
    console.log(
      `epoch ${epoch + 1}/${EPOCHS}  loss ${(loss / stepsPerEpoch).toFixed(4)}  ` +
        `validation ${(100 * valid).toFixed(2)} %  ${seconds.toFixed(0)} s`,
    );
  }
  return model;
}

/** The weights in the layouts of forward.ts, in its order. */
function exportWeights(model: Model): Map<TensorName, Float32Array> {
  const weights = new Map<TensorName, Float32Array>();
  const set = (name: TensorName, values: tf.Tensor): void => {
    if (values.size !== sizeOf(name)) throw new Error(`${name}: ${values.size} values, not ${sizeOf(name)}`);
    weights.set(name, Float32Array.from(values.dataSync()));
  };
  tf.tidy(() => {
    for (const name of ["conv1", "conv2", "conv3", "fc1", "fc2"] as const) {
      const { weight, bias } = model[name];
      // fc1 reads feature maps flattened as (y, x, channel) here and as (channel, y, x) there, so that it needs the
      // permutation of a 4x4 convolution.
      const filter = name === "fc1" ? tf.reshape(weight, [4, 4, 32, 128]) : weight;
      set(`${name}.weight`, tf.transpose(filter, name === "fc2" ? [1, 0] : [3, 2, 0, 1]));
      set(`${name}.bias`, bias);
    }
  });
  return weights;
}

function checkForwardPass(logits: Float32Array, forward: { labels: Uint8Array; logits: Float32Array }): void {
  const gap = logits.reduce((max, value, i) => Math.max(max, Math.abs(value - (forward.logits[i] as number))), 0);
  const different = toLabels(logits).filter((label, n) => label !== forward.labels[n]).length;
  console.log(`forward.ts against the library: ${different} labels differ, logits within ${gap.toExponential(1)}`);
  if (different > 0 || !(gap < 1e-3)) throw new Error("forward.ts does not reproduce the library's predictions");
}

function toSafetensors(weights: Map<TensorName, Float32Array>, metadata: Record<string, string>): Buffer {
  const header: Record<string, unknown> = { __metadata__: metadata };
  const parts: Buffer[] = [];
  let offset = 0;
  for (const [name, values] of weights) {
    const bytes = Buffer.alloc(values.length * 4);
    for (const [i, value] of values.entries()) bytes.writeFloatLE(value, i * 4);
    header[name] = { dtype: "F32", shape: SHAPES[name], data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
    parts.push(bytes);
  }
  const json = JSON.stringify(header);
  const padded = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8)); // ASCII: one byte a character
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded, ...parts]);
}

setThreadsCount(1);
if (!(await tf.setBackend("wasm"))) throw new Error("the wasm backend did not start");

const model = train();
const test = drawDigits(TEST_SEED, TEST_COUNT);
const weights = exportWeights(model);
const forward = classify(weights, test.images, TEST_COUNT);
checkForwardPass(logitsOf(model, test.images), forward);

const testAccuracy = accuracy(forward.labels, test.labels).toFixed(4);
const file = toSafetensors(weights, {
  task: "classify 24x24 grey images of the digits 0-9",
  data: "bench/demo/draw.ts: drawDigits(seed, count)",
  model: "bench/demo/forward.ts",
  init_seed: String(INIT_SEED),
  train_seeds: `${FIRST_TRAIN_SEED}-${FIRST_TRAIN_SEED + EPOCHS - 1}, ${IMAGES_PER_EPOCH} images each`,
  test_seed: String(TEST_SEED),
  test_count: String(TEST_COUNT),
  test_accuracy: testAccuracy,
  license: "MIT",
});
writeFileSync(OUTPUT, file);
console.log(`test accuracy ${testAccuracy} on ${TEST_COUNT} images of seed ${TEST_SEED}`);
console.log(`${createHash("sha256").update(file).digest("hex")}  ${OUTPUT}, ${file.length} bytes`);
