import type { Description, ModelKind, Unit, UnitType } from "../src/engine/engine.ts";
import type { DType, TensorInfo } from "../src/tensor.ts";

// Descriptions of models that there are not, with their tensors.

export interface Layer {
  readonly type: UnitType;
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype?: DType;
}

/** As ONNX has them: convolutions [outputs, inputs, ...], products [inputs, outputs], embeddings [rows, width], recurrent [1, gates, inputs]. */
const AXES: Partial<Record<UnitType, readonly [inputAxis: number, outputAxis: number, channelAxis: number]>> = {
  conv: [1, 0, 1],
  depthwise: [0, 0, 1],
  dense: [0, 1, -1],
  rnn: [2, 1, 2],
};

export interface Described {
  readonly description: Description;
  readonly tensors: readonly TensorInfo[];
}

/** Each layer has a bias, too. */
export function describedModel(kind: ModelKind, layers: readonly Layer[], axes = AXES): Described {
  const units = layers.map(({ type, name, shape }, i): Unit => {
    const own = axes[type];
    const [inputAxis = 0, outputAxis = 0, channelAxis = 0] = own ?? [];
    return {
      ...{ name: `unit ${i}`, type, operators: [type], inputs: [`v${i}`], output: `v${i + 1}` },
      ...{ inputShape: [1, 8], outputShape: [1, 8], attributes: {}, macs: 1000, bytes: 1000 },
      parameters: own ? [name, `${name}.bias`] : [name],
      weight: own ? { name, shape, inputAxis, outputAxis, channelAxis } : null,
    };
  });
  const tensors = layers.flatMap(({ name, shape, dtype = "F32" }): TensorInfo[] => [
    { name, dtype, shape },
    { name: `${name}.bias`, dtype, shape: [shape[0]] },
  ]);
  return { description: { kind, inputs: [], outputs: [], units }, tensors };
}

export const MODELS: Readonly<Record<ModelKind, Described>> = {
  cnn: describedModel("cnn", [
    { type: "conv", name: "c1", shape: [16, 3, 3, 3] },
    { type: "conv", name: "c2", shape: [32, 16, 3, 3] },
    { type: "dense", name: "fc", shape: [512, 10] },
  ]),
  "depthwise-cnn": describedModel("depthwise-cnn", [
    { type: "conv", name: "c1", shape: [16, 3, 3, 3] },
    { type: "depthwise", name: "d1", shape: [16, 1, 3, 3] },
    { type: "conv", name: "p1", shape: [96, 16, 1, 1] },
    { type: "depthwise", name: "d2", shape: [96, 1, 5, 5] },
    { type: "conv", name: "p2", shape: [64, 96, 1, 1] },
    { type: "dense", name: "fc", shape: [64, 100] },
  ]),
  rnn: describedModel("rnn", [
    { type: "embedding", name: "e", shape: [100, 32] },
    { type: "rnn", name: "l", shape: [1, 128, 32] },
    { type: "dense", name: "m", shape: [64, 64] },
    { type: "dense", name: "o", shape: [32, 100] },
  ]),
  transformer: describedModel("transformer", [
    { type: "embedding", name: "e", shape: [512, 64] },
    { type: "dense", name: "q", shape: [64, 64] },
    { type: "dense", name: "k", shape: [64, 64] },
    { type: "matmul", name: "scores", shape: [1] },
    { type: "dense", name: "up", shape: [64, 256] },
    { type: "dense", name: "down", shape: [256, 64] },
    { type: "dense", name: "head", shape: [64, 512] },
  ]),
  mlp: describedModel("mlp", [
    { type: "dense", name: "a", shape: [64, 128] },
    { type: "dense", name: "b", shape: [128, 128] },
    { type: "dense", name: "c", shape: [128, 10] },
  ]),
  other: describedModel("other", [
    { type: "dense", name: "a", shape: [64, 128] },
    { type: "conv", name: "b", shape: [128, 128, 1] },
    { type: "dense", name: "c", shape: [128, 10] },
  ]),
};
