import { FLOAT, graphBuilder } from "../../src/model/onnx/build.ts";
import { randomNormal, randomUniform } from "./random.ts";

// A family of small graphs with weights from seeds: convolutional nets with and without depthwise convolutions, perceptrons, transformers.

export interface Relative {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly input: { readonly name: string; readonly shape: readonly number[] };
}

/** The same for the same seed. */
export function family(count: number, seed = 1): Relative[] {
  return Array.from({ length: count }, (_, i) => {
    const [word, make] = KINDS[i % KINDS.length] as (typeof KINDS)[number];
    return { name: `${word}-${i}`, ...make(drawing(1000 * seed + i)) };
  });
}

type Made = Omit<Relative, "name">;

interface Drawing {
  readonly build: ReturnType<typeof graphBuilder>;
  pick<T>(from: readonly T[]): T;
  chance(share: number): boolean;
  weight(name: string, shape: readonly number[], inputs: number): string;
}

function drawing(seed: number): Drawing {
  const build = graphBuilder();
  const [uniform, normal] = [randomUniform(seed), randomNormal(seed + 7)];
  return {
    build,
    pick: (from) => from[Math.floor(uniform() * from.length)] as never,
    chance: (share) => uniform() < share,
    weight(name, shape, inputs) {
      const count = shape.reduce((a, b) => a * b, 1);
      const deviation = inputs === 0 ? 0.1 : Math.sqrt(2 / inputs);
      return build.weight(
        name,
        shape,
        Float32Array.from({ length: count }, () => deviation * normal()),
      );
    },
  };
}

function done({ build }: Drawing, shape: readonly number[], last: string): Made {
  build.node("Identity", [last], {}, { outputs: ["y"] });
  build.output("y");
  return { bytes: build.bytes(), input: { name: "x", shape } };
}

interface Picture {
  readonly value: string;
  readonly channels: number;
  readonly size: number;
}

function conv(
  { build, weight }: Drawing,
  { value, channels, size }: Picture,
  name: string,
  { to, kernel, stride = 1, groups = 1 }: { to: number; kernel: number; stride?: number; groups?: number },
): Picture {
  const pad = Math.floor(kernel / 2);
  const inputs = (channels / groups) * kernel ** 2;
  const weights = [
    weight(`${name}.weight`, [to, channels / groups, kernel, kernel], inputs),
    weight(`${name}.bias`, [to], 0),
  ];
  const attributes = {
    kernel_shape: [kernel, kernel],
    pads: [pad, pad, pad, pad],
    strides: [stride, stride],
    group: groups,
  };
  const output = build.node("Conv", [value, ...weights], attributes, { name });
  return { value: output, channels: to, size: Math.floor((size + 2 * pad - kernel) / stride) + 1 };
}

function head(drawn: Drawing, { value, channels, size }: Picture): string {
  const { build, pick, weight } = drawn;
  const classes = pick([5, 10, 20]);
  const pooled = drawn.chance(0.5);
  const small = pooled ? build.node("GlobalAveragePool", [value]) : value;
  const flat = build.node("Flatten", [small], { axis: 1 });
  const inputs = pooled ? channels : channels * size * size;
  const weights = [weight("head.weight", [classes, inputs], inputs), weight("head.bias", [classes], 0)];
  return build.node("Softmax", [build.node("Gemm", [flat, ...weights], { transB: 1 }, { name: "head" })], { axis: -1 });
}

function cnn(drawn: Drawing): Made {
  const { build, pick, chance } = drawn;
  const [channels, size] = [pick([1, 3]), pick([28, 32, 48, 64])];
  const shape = [1, channels, size, size];
  let at: Picture = { value: build.input("x", FLOAT, shape), channels, size };
  const stages = pick([2, 3, 4]);
  let width = pick([8, 16, 24, 32]);
  for (let i = 0; i < stages; i++) {
    const kernel = pick([3, 3, 3, 5]);
    at = conv(drawn, at, `stage${i}.a`, { to: width, kernel });
    at = { ...at, value: build.node("Relu", [at.value]) };
    if (chance(0.5)) {
      const other = conv(drawn, at, `stage${i}.b`, { to: width, kernel: 3 });
      const sum = chance(0.5) ? build.node("Add", [other.value, at.value]) : other.value;
      at = { ...other, value: build.node("Relu", [sum]) };
    }
    if (i + 1 === stages) break;
    const pooling = { kernel_shape: [2, 2], strides: [2, 2] };
    at = { ...at, value: build.node("MaxPool", [at.value], pooling), size: Math.floor(at.size / 2) };
    width = Math.min(96, width * pick([1, 2, 2]));
  }
  return done(drawn, shape, head(drawn, at));
}

function depthwise(drawn: Drawing): Made {
  const { build, pick } = drawn;
  const [size, width] = [pick([32, 48, 64]), pick([8, 16, 24])];
  const shape = [1, 3, size, size];
  const clip = (value: string): string => build.node("Clip", [value, build.scalar(0), build.scalar(6)]);
  let at = conv(drawn, { value: build.input("x", FLOAT, shape), channels: 3, size }, "first", {
    to: width,
    kernel: 3,
    stride: 2,
  });
  at = { ...at, value: clip(at.value) };
  const blocks = pick([2, 3, 4, 5]);
  for (let i = 0; i < blocks; i++) {
    const stride = at.size > 8 && i % 2 === 1 ? 2 : 1;
    at = conv(drawn, at, `block${i}.deep`, { to: at.channels, kernel: pick([3, 3, 5]), stride, groups: at.channels });
    at = { ...at, value: clip(at.value) };
    at = conv(drawn, at, `block${i}.wide`, { to: Math.min(128, at.channels * pick([1, 2])), kernel: 1 });
    at = { ...at, value: clip(at.value) };
  }
  return done(drawn, shape, head(drawn, at));
}

function perceptron(drawn: Drawing): Made {
  const { build, pick, weight } = drawn;
  const [rows, inputs] = [pick([1, 1, 4, 16]), pick([64, 128, 256, 784])];
  let [value, width] = [build.input("x", FLOAT, [rows, inputs]), inputs];
  const layers = pick([2, 3, 4, 5]);
  const activation = pick(["Relu", "Tanh", "Sigmoid"]);
  for (let i = 0; i < layers; i++) {
    const to = i + 1 === layers ? 10 : pick([64, 128, 256, 512, 768]);
    const weights = [weight(`layer${i}.weight`, [to, width], width), weight(`layer${i}.bias`, [to], 0)];
    value = build.node("Gemm", [value, ...weights], { transB: 1 }, { name: `layer${i}` });
    if (i + 1 < layers) value = build.node(activation, [value]);
    width = to;
  }
  return done(drawn, [rows, inputs], value);
}

function transformer(drawn: Drawing): Made {
  const { build, pick, weight } = drawn;
  const [steps, heads, size] = [pick([8, 16, 32, 64]), pick([2, 4]), pick([16, 24, 32])];
  const width = heads * size;
  const linear = (from: string, name: string, ins: number, outs: number): string => {
    const product = build.node("MatMul", [from, weight(`${name}.weight`, [ins, outs], ins)], {}, { name });
    return build.node("Add", [product, weight(`${name}.bias`, [outs], 0)]);
  };
  const norm = (from: string, name: string): string => {
    const parameters = [weight(`${name}.scale`, [width], 1), weight(`${name}.shift`, [width], 0)];
    return build.node("LayerNormalization", [from, ...parameters], { axis: -1, epsilon: { float: 1e-5 } }, { name });
  };
  const split = (from: string, perm: number[]): string =>
    build.node("Transpose", [build.node("Reshape", [from, build.integers([1, steps, heads, size])])], { perm });
  const shape = [1, steps, width];
  let x = build.input("x", FLOAT, shape);
  const layers = pick([1, 2, 3]);
  const hidden = width * pick([2, 4]);
  const activation = pick(["Relu", "Gelu"]);
  for (let i = 0; i < layers; i++) {
    const before = norm(x, `layer${i}.norm1`);
    const q = split(linear(before, `layer${i}.q`, width, width), [0, 2, 1, 3]);
    const k = split(linear(before, `layer${i}.k`, width, width), [0, 2, 3, 1]);
    const v = split(linear(before, `layer${i}.v`, width, width), [0, 2, 1, 3]);
    const scores = build.node("Mul", [build.node("MatMul", [q, k]), build.scalar(1 / Math.sqrt(size))]);
    const mixed = build.node("MatMul", [build.node("Softmax", [scores], { axis: -1 }), v]);
    const joined = build.node("Transpose", [mixed], { perm: [0, 2, 1, 3] });
    const flat = build.node("Reshape", [joined, build.integers(shape)]);
    x = build.node("Add", [x, linear(flat, `layer${i}.o`, width, width)]);
    const up = linear(norm(x, `layer${i}.norm2`), `layer${i}.up`, width, hidden);
    const active = activation === "Relu" ? build.node("Relu", [up]) : gelu(build, up);
    x = build.node("Add", [x, linear(active, `layer${i}.down`, hidden, width)]);
  }
  return done(drawn, shape, norm(x, "norm"));
}

// As opset 17 has it: x / 2 * (1 + erf(x / sqrt 2)).
function gelu(build: Drawing["build"], x: string): string {
  const erf = build.node("Erf", [build.node("Div", [x, build.scalar(Math.SQRT2)])]);
  const one = build.node("Add", [erf, build.scalar(1)]);
  return build.node("Mul", [build.node("Mul", [x, one]), build.scalar(0.5)]);
}

const KINDS = [
  ["cnn", cnn],
  ["transformer", transformer],
  ["depthwise", depthwise],
  ["mlp", perceptron],
] as const;
