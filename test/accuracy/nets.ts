import type { LayersModel, Sequential } from "@tensorflow/tfjs-layers";
import { randomNormal } from "./random.ts";
import { tfjs } from "./tensorflow.ts";

const { core, layers: tf } = tfjs;
const { layers } = tf;

// Small nets of TensorFlow.js layers. Weights are the same for the same seed, on every backend.

/** Digits of 8x8: two convolutions, one dense layer, 10 classes; names are "conv1", "conv2", "dense". */
export function digitsNet(seed: number, { softmax = true } = {}): LayersModel {
  const net = tf.sequential();
  net.add(layers.conv2d({ ...conv("conv1", 8, 3), inputShape: [8, 8, 1] }));
  net.add(layers.maxPooling2d({ poolSize: 2, name: "pool1" }));
  net.add(layers.conv2d(conv("conv2", 16, 3)));
  net.add(layers.flatten({ name: "flatten" }));
  net.add(layers.dense({ units: 10, name: "dense", ...(softmax && { activation: "softmax" as const }) }));
  return seeded(net, seed);
}

/** Sketches of 28x28: four convolutions with pooling between, two dense layers. */
export function sketchNet(seed: number, classes = 10): LayersModel {
  const net = tf.sequential();
  net.add(layers.conv2d({ ...conv("conv1", 16, 3), inputShape: [28, 28, 1] }));
  net.add(layers.conv2d(conv("conv2", 16, 3)));
  net.add(layers.maxPooling2d({ poolSize: 2, name: "pool1" }));
  net.add(layers.conv2d(conv("conv3", 32, 3)));
  net.add(layers.maxPooling2d({ poolSize: 2, name: "pool2" }));
  net.add(layers.flatten({ name: "flatten" }));
  net.add(layers.dense({ units: 64, activation: "relu", name: "dense1" }));
  net.add(layers.dense({ units: classes, activation: "softmax", name: "dense2" }));
  return seeded(net, seed);
}

function conv(name: string, filters: number, kernelSize: number) {
  return { name, filters, kernelSize, padding: "same" as const, activation: "relu" as const };
}

/** The net with weights from a seed: He's for matrices and filters, and zeros for biases; those of normalization stay. */
export function seeded<T extends LayersModel | Sequential>(net: T, seed: number): T {
  const random = randomNormal(seed);
  for (const weight of net.weights) {
    const { shape } = weight;
    if (shape.length < 2) continue;
    const elements = shape.reduce<number>((all, extent) => all * (extent as number), 1);
    const deviation = Math.sqrt((2 * (shape.at(-1) as number)) / elements);
    const values = Float32Array.from({ length: elements }, () => deviation * random());
    const tensor = core.tensor(values, shape as number[]);
    weight.write(tensor);
    tensor.dispose();
  }
  return net;
}
