import type { Unit } from "../engine/engine.ts";
import { elementsOf } from "../latency/spec.ts";
import { drawn, type Flow, type Pen } from "./drawn.ts";

// A family of small graphs: convolutional nets with and without depthwise convolutions, perceptrons, transformers.

export interface Relative {
  readonly name: string;
  /** An ONNX model. */
  readonly bytes: Uint8Array;
  readonly input: Flow;
  /** As an engine describes them. */
  readonly units: readonly Unit[];
}

/** The graph of an index, the same for the same seed. */
export function relative(index: number, seed = 1): Relative {
  const net = drawn(seedOf(index, seed));
  const { bytes, ...graph } = net.finish(drawRelative(net, index));
  return { name: nameOf(index), bytes: bytes(), ...graph };
}

/** All of it but the model, in a third of the time. */
export function relativeUnits(index: number, seed: number): Pick<Relative, "units" | "input"> {
  const net = drawn(seedOf(index, seed), false);
  const { units, input } = net.finish(drawRelative(net, index));
  return { units, input };
}

export const seedOf = (index: number, seed: number): number => 1000 * seed + index;
export const nameOf = (index: number): string =>
  `${(KINDS[index % KINDS.length] as (typeof KINDS)[number])[0]}-${index}`;

/** Draws the graph of an index, whatever it is drawn with. */
export function drawRelative(net: Pen, index: number): Flow {
  return (KINDS[index % KINDS.length] as (typeof KINDS)[number])[1](net);
}

const square = (from: Flow, channels: number, size: number): readonly number[] => [
  from.shape[0] ?? 1,
  channels,
  size,
  size,
];

function pooled(net: Pen, from: Flow): Flow {
  const [, channels = 1, size = 1] = from.shape;
  const attributes = { kernel_shape: [2, 2], strides: [2, 2] };
  return net.operator("MaxPool", [from], square(from, channels, Math.floor(size / 2)), { type: "pool", attributes });
}

function head(net: Pen, from: Flow): Flow {
  const [, channels = 1] = from.shape;
  const classes = net.pick([5, 10, 20]);
  const small = net.chance(0.5)
    ? net.operator("GlobalAveragePool", [from], square(from, channels, 1), { type: "pool" })
    : from;
  const flat = net.operator("Flatten", [small], [1, elementsOf(small.shape)], {
    type: "shape",
    attributes: { axis: 1 },
  });
  return net.linear(flat, "head", classes, "Softmax");
}

function convolutional(net: Pen): Flow {
  const [channels, size] = [net.pick([1, 3]), net.pick([28, 32, 48, 64])];
  let at = net.input([1, channels, size, size]);
  const stages = net.pick([2, 3, 4]);
  let width = net.pick([8, 16, 24, 32]);
  for (let i = 0; i < stages; i++) {
    at = net.conv(at, `stage${i}.a`, { to: width, kernel: net.pick([3, 3, 3, 5]), activation: "Relu" });
    if (net.chance(0.5)) at = block(net, at, `stage${i}.b`, width);
    if (i + 1 === stages) break;
    at = pooled(net, at);
    width = Math.min(96, width * net.pick([1, 2, 2]));
  }
  return head(net, at);
}

function block(net: Pen, from: Flow, name: string, width: number): Flow {
  if (net.chance(0.5)) return net.conv(from, name, { to: width, kernel: 3, activation: "Relu" });
  const other = net.conv(from, name, { to: width, kernel: 3 });
  const sum = net.operator("Add", [other, from], from.shape);
  return net.operator("Relu", [sum], from.shape, { type: "activation" });
}

function depthwise(net: Pen): Flow {
  const [size, width] = [net.pick([32, 48, 64]), net.pick([8, 16, 24])];
  let at = net.conv(net.input([1, 3, size, size]), "first", { to: width, kernel: 3, stride: 2, activation: "Clip" });
  const blocks = net.pick([2, 3, 4, 5]);
  for (let i = 0; i < blocks; i++) {
    const [, channels = 1, height = 1] = at.shape;
    const stride = height > 8 && i % 2 === 1 ? 2 : 1;
    const deep = { to: channels, kernel: net.pick([3, 3, 5]), stride, groups: channels };
    at = net.conv(at, `block${i}.deep`, { ...deep, activation: "Clip" });
    const to = Math.min(128, channels * net.pick([1, 2]));
    at = net.conv(at, `block${i}.wide`, { to, kernel: 1, activation: "Clip" });
  }
  return head(net, at);
}

function perceptron(net: Pen): Flow {
  let at = net.input([net.pick([1, 1, 4, 16]), net.pick([64, 128, 256, 784])]);
  const layers = net.pick([2, 3, 4, 5]);
  const activation = net.pick(["Relu", "Tanh", "Sigmoid"]);
  for (let i = 0; i + 1 < layers; i++) at = net.linear(at, `layer${i}`, net.pick([64, 128, 256, 512, 768]), activation);
  return net.linear(at, `layer${layers - 1}`, 10);
}

function transformer(net: Pen): Flow {
  const [steps, heads, size] = [net.pick([8, 16, 32, 64]), net.pick([2, 4]), net.pick([16, 24, 32])];
  const width = heads * size;
  let x = net.input([1, steps, width]);
  const layers = net.pick([1, 2, 3]);
  const hidden = width * net.pick([2, 4]);
  const smooth = net.chance(0.5);
  for (let i = 0; i < layers; i++) {
    x = net.operator("Add", [x, attention(net, net.norm(x, `layer${i}.norm1`), `layer${i}`, { heads, size })], x.shape);
    const before = net.norm(x, `layer${i}.norm2`);
    const up = net.linear(before, `layer${i}.up`, hidden, smooth ? undefined : "Relu");
    x = net.operator("Add", [x, net.linear(smooth ? gelu(net, up) : up, `layer${i}.down`, width)], x.shape);
  }
  return net.norm(x, "norm");
}

function attention(net: Pen, from: Flow, name: string, { heads, size }: { heads: number; size: number }): Flow {
  const [, steps = 1, width = 1] = from.shape;
  const moved = (at: Flow, perm: readonly number[]): Flow =>
    net.operator(
      "Transpose",
      [at],
      perm.map((i) => at.shape[i] as number),
      { type: "shape", attributes: { perm } },
    );
  const split = (letter: string, perm: readonly number[]): Flow => {
    const shape = [1, steps, heads, size];
    const all = net.linear(from, `${name}.${letter}`, width);
    return moved(net.operator("Reshape", [all], shape, { type: "shape", integers: shape }), perm);
  };
  const [q, k, v] = [split("q", [0, 2, 1, 3]), split("k", [0, 2, 3, 1]), split("v", [0, 2, 1, 3])];
  const square = [1, heads, steps, steps];
  const products = net.operator("MatMul", [q, k], square, { type: "matmul", macs: elementsOf(square) * size });
  const scaled = net.operator("Mul", [products], square, {
    ...{ type: "elementwise", scalars: [1 / Math.sqrt(size)], macs: elementsOf(square) },
  });
  const shares = net.operator("Softmax", [scaled], square, { type: "activation", attributes: { axis: -1 } });
  const mixed = net.operator("MatMul", [shares, v], v.shape, { type: "matmul", macs: elementsOf(v.shape) * steps });
  const flat = net.operator("Reshape", [moved(mixed, [0, 2, 1, 3])], from.shape, {
    type: "shape",
    integers: from.shape,
  });
  return net.linear(flat, `${name}.o`, width);
}

// As opset 17 has it: x / 2 * (1 + erf(x / sqrt 2)).
function gelu(net: Pen, x: Flow): Flow {
  const one = (name: string, from: readonly Flow[], scalars: readonly number[]): Flow => {
    const macs = /Mul|Div/.test(name) ? elementsOf(x.shape) : 0;
    return net.operator(name, from, x.shape, { type: "elementwise", scalars, macs });
  };
  const sum = one("Add", [one("Erf", [one("Div", [x], [Math.SQRT2])], [])], [1]);
  return one("Mul", [one("Mul", [x, sum], [])], [0.5]);
}

const KINDS = [
  ["cnn", convolutional],
  ["transformer", transformer],
  ["depthwise", depthwise],
  ["mlp", perceptron],
] as const;
