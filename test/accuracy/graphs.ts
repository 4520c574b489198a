import { weights } from "../helpers.ts";
import { FLOAT, graphBuilder, INT64 } from "./build.ts";

// Small ONNX models with weights from seeds.

/** Conv and Relu, depthwise Conv, pool, Gemm with a bias, Softmax. `x` [batch, 3, 8, 8] to `y` [batch, 5]. */
export function convNet(): Uint8Array {
  const build = graphBuilder();
  const w = (name: string, shape: number[], seed: number) =>
    build.weight(
      name,
      shape,
      weights(
        shape.reduce((a, b) => a * b),
        seed,
      ),
    );
  const x = build.input("x", FLOAT, ["batch", 3, 8, 8]);
  const pads = [1, 1, 1, 1];
  const first = build.node("Conv", [x, w("conv.w", [6, 3, 3, 3], 1), w("conv.b", [6], 2)], { pads }, { name: "conv" });
  const relu = build.node("Relu", [first]);
  const deep = { pads, group: 6, strides: [2, 2] };
  const second = build.node("Conv", [relu, w("deep.w", [6, 1, 3, 3], 3), w("deep.b", [6], 4)], deep, { name: "deep" });
  const clipped = build.node("Clip", [second, build.scalar(0), build.scalar(6)]);
  const pooled = build.node("MaxPool", [clipped], { kernel_shape: [2, 2], strides: [2, 2] }, { name: "pool" });
  const flat = build.node("Flatten", [pooled], { axis: 1 }, { name: "flat" });
  const gemm = [flat, w("fc.w", [5, 24], 5), w("fc.b", [5], 6)];
  const logits = build.node("Gemm", gemm, { transB: 1 }, { name: "fc", outputs: ["logits"] });
  build.node("Softmax", [logits], { axis: -1 }, { name: "softmax", outputs: ["y"] });
  build.output("logits");
  build.output("y");
  return build.bytes();
}

/** MatMul, Add of a bias and Relu; MatMul. `x` [batch, 16] to `y` [batch, 4]. @param scale - of the first weight */
export function perceptron(scale = 1): Uint8Array {
  const build = graphBuilder();
  const x = build.input("x", FLOAT, ["batch", 16]);
  const first = weights(16 * 12, 1).map((value) => value * scale);
  const product = build.node("MatMul", [x, build.weight("a.w", [16, 12], first)], {}, { name: "a" });
  const sum = build.node("Add", [product, build.weight("a.b", [12], weights(12, 2))]);
  const h = build.node("Relu", [sum], {}, { outputs: ["h"] });
  build.node("MatMul", [h, build.weight("b.w", [12, 4], weights(48, 3))], {}, { name: "b", outputs: ["y"] });
  build.output("y");
  return build.bytes();
}

/** An LSTM over `x` [steps, batch, 4] with 3 cells, then MatMul to `y` [steps, 1, batch, 2]. */
export function recurrent(): Uint8Array {
  const build = graphBuilder();
  const x = build.input("x", FLOAT, ["steps", "batch", 4]);
  const inputs = [x, build.weight("l.w", [1, 12, 4], weights(48, 1)), build.weight("l.r", [1, 12, 3], weights(36, 2))];
  inputs.push(build.weight("l.b", [1, 24], weights(24, 3)));
  const states = build.node("LSTM", inputs, { hidden_size: 3 }, { name: "lstm" });
  build.node("MatMul", [states, build.weight("o.w", [3, 2], weights(6, 4))], {}, { name: "out", outputs: ["y"] });
  build.output("y");
  return build.bytes();
}

/** An embedding of `tokens` [n] of int64, a Reshape to a shape that is computed, and ArgMax: `y` [n, 2, 2], `best` [n] of int64. */
export function embedded(): Uint8Array {
  const build = graphBuilder();
  const tokens = build.input("tokens", INT64, ["n"]);
  const picked = build.node("Gather", [build.weight("e", [7, 4], weights(28, 1)), tokens], {}, { name: "embedding" });
  const shape = build.node("Concat", [build.node("Shape", [tokens]), build.integers([2, 2])], { axis: 0 });
  build.node("Reshape", [picked, shape], {}, { name: "reshape", outputs: ["y"] });
  build.node("ArgMax", [picked], { axis: 1, keepdims: 0 }, { name: "arg", outputs: ["best"] });
  build.output("y");
  build.output("best", INT64);
  return build.bytes();
}

/** Channels of `h` in the graph of outliers that are this many times larger. */
export const PLANTED: ReadonlyMap<number, number> = new Map([
  [3, 60],
  [11, 45],
  [17, 8],
]);

/** Two linear layers with Relu between, whose second has a few inputs of much larger values. `x` [batch, 16] to `y` [batch, 8]. */
export function outliers(): Uint8Array {
  const build = graphBuilder();
  const x = build.input("x", FLOAT, ["batch", 16]);
  const larger = (channel: number): number => PLANTED.get(channel) ?? 1;
  const first = weights(16 * 24, 1).map((value, i) => value * larger(i % 24));
  const bias = weights(24, 2).map((value, i) => value * larger(i));
  const sum = build.node("Add", [
    build.node("MatMul", [x, build.weight("a.w", [16, 24], first)], {}, { name: "a" }),
    build.weight("a.b", [24], bias),
  ]);
  const h = build.node("Relu", [sum], {}, { outputs: ["h"] });
  const second = weights(24 * 8, 3).map((value, i) => value / larger(Math.floor(i / 8)) ** 0.5);
  build.node("MatMul", [h, build.weight("b.w", [24, 8], second)], {}, { name: "b", outputs: ["y"] });
  build.output("y");
  return build.bytes();
}

/** A weight that two layers take, one of them transposed: `x` [batch, 8] to `y` [batch, 8]. */
export function tied(transposed: boolean): Uint8Array {
  const build = graphBuilder();
  const x = build.input("x", FLOAT, ["batch", 8]);
  const weight = build.weight("w", [8, 8], weights(64, 1));
  const h = build.node("MatMul", [x, weight], {}, { name: "a", outputs: ["h"] });
  const other = transposed ? build.node("Transpose", [weight], { perm: [1, 0] }) : weight;
  build.node("MatMul", [h, other], {}, { name: "b", outputs: ["y"] });
  build.output("y");
  return build.bytes();
}

/**
 * Layer normalization whose result two layers take; then, of one, Relu and a maximum of neighbours, then a layer; of the other, Sigmoid. `x` [batch, 8] to
 * `y`. With `open`, the normalized values are an output, too.
 */
export function normed(open = false): Uint8Array {
  const build = graphBuilder();
  const x = build.input("x", FLOAT, ["batch", 8]);
  const scale = build.weight("norm.s", [8], Float32Array.of(1, 30, 0.5, 2, 1, 20, 1, 3));
  const norm = build.node(
    "LayerNormalization",
    [x, scale, build.weight("norm.b", [8], weights(8, 2))],
    {},
    {
      name: "norm",
      outputs: ["n"],
    },
  );
  const first = [norm, build.weight("q.w", [6, 8], weights(48, 3)), build.weight("q.b", [6], weights(6, 4))];
  const q = build.node("Relu", [build.node("Gemm", first, { transB: 1 }, { name: "q" })]);
  const k = build.node("Sigmoid", [
    build.node("MatMul", [norm, build.weight("k.w", [8, 6], weights(48, 5))], {}, { name: "k" }),
  ]);
  const vector = build.node("Mul", [k, build.weight("v", [6], weights(6, 6))], {}, { name: "vector" });
  build.node("MatMul", [q, build.weight("o.w", [6, 4], weights(24, 7))], {}, { name: "o", outputs: ["y"] });
  build.node("MatMul", [vector, build.weight("p.w", [6, 4], weights(24, 8))], {}, { name: "p", outputs: ["z"] });
  build.output("y");
  build.output("z");
  if (open) build.output("n");
  return build.bytes();
}

/** Convolutions with a pool between, and one whose result is clipped at 6. `x` [batch, 3, 8, 8] to `y`. */
export function pooled(): Uint8Array {
  const build = graphBuilder();
  const x = build.input("x", FLOAT, ["batch", 3, 8, 8]);
  const conv = (from: string, name: string, [outs, ins]: readonly [number, number], seed: number): string => {
    const kernel = build.weight(`${name}.w`, [outs, ins, 3, 3], weights(9 * outs * ins, seed));
    return build.node("Conv", [from, kernel, build.weight(`${name}.b`, [outs], weights(outs, seed + 1))], {}, { name });
  };
  const first = build.node("Relu", [conv(x, "a", [5, 3], 1)]);
  const smaller = build.node("MaxPool", [first], { kernel_shape: [2, 2], strides: [1, 1] }, { name: "pool" });
  const second = build.node("Clip", [conv(smaller, "b", [4, 5], 3), build.scalar(0), build.scalar(6)]);
  build.node("Relu", [conv(second, "c", [2, 4], 5)], {}, { outputs: ["y"] });
  build.output("y");
  return build.bytes();
}
