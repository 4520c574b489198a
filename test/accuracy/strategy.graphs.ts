import { weights } from "../helpers.ts";
import { type Builder, FLOAT, graphBuilder } from "./build.ts";

// Models of the kinds that presets are for, with weights from seeds: of an operator set that has codes of 4 bits and blocks.

const OPSET = 21;

function layers(build: Builder) {
  let seed = 1;
  const weight = (name: string, shape: number[], inputs: number): string => {
    const count = shape.reduce((a, b) => a * b);
    return build.weight(
      name,
      shape,
      weights(count, seed++).map((value) => (4 * value) / Math.sqrt(inputs)),
    );
  };
  return {
    conv(from: string, name: string, [outs, ins]: readonly [number, number], group = 1): string {
      const kernel = weight(`${name}.w`, [outs, ins, 3, 3], 9 * ins);
      const inputs = [from, kernel, weight(`${name}.b`, [outs], 64)];
      return build.node("Relu", [build.node("Conv", inputs, { pads: [1, 1, 1, 1], group }, { name })]);
    },
    product: (from: string, name: string, [ins, outs]: readonly [number, number]): string =>
      build.node("Add", [
        build.node("MatMul", [from, weight(`${name}.w`, [ins, outs], ins)], {}, { name }),
        weight(`${name}.b`, [outs], 64),
      ]),
    gemm(from: string, name: string, [ins, outs]: readonly [number, number]): string {
      const inputs = [from, weight(`${name}.w`, [outs, ins], ins), weight(`${name}.b`, [outs], 64)];
      return build.node("Gemm", inputs, { transB: 1 }, { name });
    },
  };
}

function finished(build: Builder, value: string): Uint8Array {
  build.node("Identity", [value], {}, { outputs: ["y"] });
  build.output("y");
  return build.bytes();
}

/** `x` [batch, 3, 8, 8] to `y` [batch, 10]. */
function cnn(depthwise: boolean): Uint8Array {
  const build = graphBuilder(OPSET);
  const { conv, gemm } = layers(build);
  let value = conv(build.input("x", FLOAT, ["batch", 3, 8, 8]), "c1", [16, 3]);
  if (depthwise) value = conv(value, "d", [16, 1], 16);
  value = conv(value, "c2", [32, 16]);
  value = build.node("MaxPool", [value], { kernel_shape: [2, 2], strides: [2, 2] }, { name: "pool" });
  return finished(build, gemm(build.node("Flatten", [value], { axis: 1 }), "fc", [512, 10]));
}

/** `x` [batch, 64] to `y` [batch, 20]. */
function mlp(): Uint8Array {
  const build = graphBuilder(OPSET);
  const { product } = layers(build);
  let value = build.input("x", FLOAT, ["batch", 64]);
  for (const name of ["a", "b"]) value = build.node("Relu", [product(value, name, [64, 64])]);
  return finished(build, product(value, "c", [64, 20]));
}

/** `x` [batch, 6, 64] to `y` [batch, 6, 40]: attention of one head, and two layers behind. */
function transformer(): Uint8Array {
  const build = graphBuilder(OPSET);
  const { product } = layers(build);
  const x = build.input("x", FLOAT, ["batch", 6, 64]);
  const [q, k, v] = ["q", "k", "v"].map((name) => product(x, name, [64, 64]));
  const scores = build.node("MatMul", [q, build.node("Transpose", [k], { perm: [0, 2, 1] })], {}, { name: "scores" });
  const shares = build.node("Softmax", [build.node("Mul", [scores, build.scalar(0.125)])], { axis: -1 });
  const mixed = product(build.node("MatMul", [shares, v], {}, { name: "mixed" }), "o", [64, 64]);
  const sum = build.node("Add", [x, mixed]);
  const up = build.node("Relu", [product(sum, "up", [64, 128])]);
  const behind = build.node("Add", [sum, product(up, "down", [128, 64])]);
  return finished(build, product(behind, "head", [64, 40]));
}

export interface Generated {
  readonly kind: string;
  readonly bytes: Uint8Array;
  /** Of a sample. */
  readonly shape: readonly number[];
}

export const GENERATED: readonly Generated[] = [
  { kind: "cnn", bytes: cnn(false), shape: [3, 8, 8] },
  { kind: "depthwise-cnn", bytes: cnn(true), shape: [3, 8, 8] },
  { kind: "transformer", bytes: transformer(), shape: [6, 64] },
  { kind: "mlp", bytes: mlp(), shape: [64] },
];
