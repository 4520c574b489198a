import type { Attributes, UnitType, UnitWeight } from "../engine.ts";
import type { Layer, LayerWeight } from "./types.ts";

// What the classes of layers are to those who compress their weights.

const TYPES: Record<string, UnitType> = {
  Conv1D: "conv",
  Conv2D: "conv",
  Conv2DTranspose: "conv",
  DepthwiseConv2D: "depthwise",
  Dense: "dense",
  EinsumDense: "matmul",
  LSTM: "rnn",
  GRU: "rnn",
  SimpleRNN: "rnn",
  RNN: "rnn",
  Bidirectional: "rnn",
  ConvLSTM2D: "rnn",
  Embedding: "embedding",
  BatchNormalization: "norm",
  LayerNormalization: "norm",
  Activation: "activation",
  ReLU: "activation",
  LeakyReLU: "activation",
  PReLU: "activation",
  ELU: "activation",
  ThresholdedReLU: "activation",
  Softmax: "activation",
  Add: "elementwise",
  Multiply: "elementwise",
  Average: "elementwise",
  Maximum: "elementwise",
  Minimum: "elementwise",
  Concatenate: "shape",
  Dropout: "shape",
  SpatialDropout1D: "shape",
  GaussianDropout: "shape",
  AlphaDropout: "shape",
  GaussianNoise: "shape",
  Flatten: "shape",
  Reshape: "shape",
  Permute: "shape",
  RepeatVector: "shape",
  ZeroPadding2D: "shape",
  Cropping2D: "shape",
  UpSampling2D: "shape",
};

export function typeOf(layer: Layer): UnitType {
  const name = layer.getClassName();
  return TYPES[name] ?? (/Pooling\dD$/.test(name) ? "pool" : "other");
}

/** Names of activations of layers that are nothing else. */
const ACTIVATIONS: Record<string, string> = {
  ReLU: "relu",
  LeakyReLU: "leaky-relu",
  PReLU: "prelu",
  ELU: "elu",
  ThresholdedReLU: "thresholded-relu",
  Softmax: "softmax",
};

export function activationOf(layer: Layer): string | undefined {
  const name = ACTIVATIONS[layer.getClassName()] ?? layer.getConfig().activation;
  return typeof name === "string" && name !== "linear" ? name : undefined;
}

export function attributesOf(layer: Layer, activation: string | undefined): Attributes {
  const { kernelSize, poolSize, strides } = layer.getConfig();
  const kernel = listOf(kernelSize ?? poolSize);
  const steps = listOf(strides);
  const depthwise = typeOf(layer) === "depthwise" ? layer.weights[0]?.shape[2] : undefined;
  return {
    ...(kernel && { kernel }),
    ...(steps && { strides: steps }),
    ...(depthwise && { groups: depthwise }),
    ...(activation && { activation }),
  };
}

function listOf(value: unknown): number[] | undefined {
  if (typeof value === "number") return [value];
  return Array.isArray(value) ? value.map(Number) : undefined;
}

/** Layers whose first weight is what their input is multiplied with. Those of recurrent layers multiply the state, too, but with another weight. */
const AXES: Record<string, (rank: number) => [inputAxis: number, outputAxis: number]> = {
  Dense: () => [0, 1],
  Conv1D: () => [1, 2],
  Conv2D: () => [2, 3],
  Conv2DTranspose: () => [3, 2],
  DepthwiseConv2D: () => [2, 2],
  LSTM: () => [0, 1],
  GRU: () => [0, 1],
  SimpleRNN: () => [0, 1],
};

export function weightOf(layer: Layer, inputRank: number): UnitWeight | null {
  const axes = AXES[layer.getClassName()]?.(inputRank);
  const weight = layer.weights[0];
  if (!axes || !weight) return null;
  const channelsFirst = layer.getConfig().dataFormat === "channelsFirst";
  const channelAxis = channelsFirst ? 1 - inputRank : -1;
  return {
    name: weight.originalName,
    shape: [...weight.shape],
    inputAxis: axes[0],
    outputAxis: axes[1],
    channelAxis,
  };
}

/** Multiplications of a layer, for shapes that are known. */
export function macsOf(layer: Layer, input: readonly number[], output: readonly number[]): number {
  const shapes = layer.weights.map(({ shape }) => shape);
  const channelsFirst = layer.getConfig().dataFormat === "channelsFirst";
  const channels = (shape: readonly number[]): number => (channelsFirst ? shape[1] : shape[shape.length - 1]) ?? 1;
  const places = (shape: readonly number[]): number => product(shape) / channels(shape);
  switch (layer.getClassName()) {
    case "Dense":
    case "Conv1D":
    case "Conv2D":
    case "DepthwiseConv2D":
      return places(output) * product(shapes[0] ?? []);
    case "Conv2DTranspose":
      return places(input) * product(shapes[0] ?? []);
    case "SeparableConv2D":
      return places(output) * (product(shapes[0] ?? []) + product(shapes[1] ?? []));
    case "LSTM":
    case "GRU":
    case "SimpleRNN":
    case "Bidirectional":
      return (input[1] ?? 1) * matrices(layer.weights);
    case "BatchNormalization":
    case "LayerNormalization":
    case "Multiply":
      return product(output);
    default:
      return 0;
  }
}

function matrices(weights: readonly LayerWeight[]): number {
  return weights.filter(({ shape }) => shape.length === 2).reduce((sum, { shape }) => sum + product(shape), 0);
}

export function product(shape: readonly number[]): number {
  return shape.reduce((all, extent) => all * extent, 1);
}
