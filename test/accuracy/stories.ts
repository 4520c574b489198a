import { type Builder, FLOAT, graphBuilder, INT64 } from "./build.ts";
import { type Model, readElementsOf } from "./weights.ts";

// The story model of 260 thousand parameters, of which there are only weights, as an ONNX graph: RMSNorm, rotary positions in pairs of neighbours,
// 8 heads over 4 of keys and values, SwiGLU, and a classifier that is the embedding again.

export const STORIES = {
  width: 64,
  hidden: 172,
  layers: 5,
  heads: 8,
  shared: 2,
  keys: 4,
  size: 8,
  vocabulary: 512,
  positions: 512,
  epsilon: 1e-5,
} as const;
const { width, hidden, layers, heads, shared, keys, size, vocabulary, positions, epsilon } = STORIES;

/** Angles of each position, for each of the pairs in a head. */
export function angleOf(position: number, pair: number): number {
  return position / 10000 ** ((2 * pair) / size);
}

/** A graph of `tokens` [batch, positions] of int64 to `logits` [batch, positions, 512]. Weights of linear layers are [inputs, outputs]. */
export async function storiesGraph(model: Model): Promise<Uint8Array> {
  const weights = await readElementsOf(model);
  const of = (name: string): Float32Array => weights.get(name) as Float32Array;
  const build = graphBuilder();
  const tokens = build.input("tokens", INT64, ["batch", "positions"]);
  build.output("logits", FLOAT);
  const around = surroundings(build, tokens);
  const embedding = build.weight("tok_embeddings.weight", [vocabulary, width], of("tok_embeddings.weight"));
  let x = build.node("Gather", [embedding, tokens], {}, { name: "tok_embeddings" });
  for (let i = 0; i < layers; i++) {
    const layer: Layer = {
      build,
      norm: (from, name) => norm(build, from, `layers.${i}.${name}`, of(`layers.${i}.${name}.weight`)),
      linear: (from, name, [ins, outs]) => {
        const full = `layers.${i}.${name}`;
        const weight = build.weight(`${full}.weight`, [ins, outs], transposed(of(`${full}.weight`), outs, ins));
        return build.node("MatMul", [from, weight], {}, { name: full });
      },
    };
    x = build.node("Add", [x, attention(layer, around, layer.norm(x, "attention_norm"))]);
    x = build.node("Add", [x, feedForward(layer, layer.norm(x, "ffn_norm"))]);
  }
  const last = build.node("Reshape", [norm(build, x, "norm", of("norm.weight")), build.integers([-1, width])]);
  const logits = build.node("Gemm", [last, embedding], { transB: 1 }, { name: "output" });
  const shape = build.node("Concat", [around.shape, build.integers([vocabulary])], { axis: 0 });
  build.node("Reshape", [logits, shape], {}, { outputs: ["logits"] });
  return build.bytes();
}

interface Layer {
  readonly build: Builder;
  norm(from: string, name: string): string;
  linear(from: string, name: string, extents: readonly [inputs: number, outputs: number]): string;
}

/** What depends on positions alone. */
interface Surroundings {
  /** [batch, positions] */
  readonly shape: string;
  /** [positions, 1, pairs, 1] */
  readonly cos: string;
  readonly sin: string;
  /** [positions, positions] */
  readonly mask: string;
}

function surroundings(build: Builder, tokens: string): Surroundings {
  const shape = build.node("Shape", [tokens]);
  const count = build.node("Slice", [shape, build.integers([1]), build.integers([2])]);
  const table = (name: string, of: (angle: number) => number): string => {
    const pairs = size / 2;
    const data = Float32Array.from({ length: positions * pairs }, (_, i) =>
      of(angleOf(Math.floor(i / pairs), i % pairs)),
    );
    const all = build.weight(name, [positions, 1, pairs, 1], data);
    return build.node("Slice", [all, build.integers([0]), count]);
  };
  const scalar = build.node("Squeeze", [count]);
  const range = build.node("Range", [build.integers(0), scalar, build.integers(1)]);
  const rows = build.node("Unsqueeze", [range, build.integers([1])]);
  const later = build.node("Greater", [range, rows]);
  const mask = build.node("Where", [later, build.scalar(-1e9), build.scalar(0)]);
  return { shape, cos: table("rotary.cos", Math.cos), sin: table("rotary.sin", Math.sin), mask };
}

function norm(build: Builder, x: string, name: string, weight: Float32Array): string {
  const squares = build.node("ReduceMean", [build.node("Mul", [x, x])], { axes: [-1], keepdims: 1 });
  const root = build.node("Sqrt", [build.node("Add", [squares, build.scalar(epsilon)])]);
  const scaled = build.node("Div", [x, root]);
  return build.node("Mul", [scaled, build.weight(`${name}.weight`, [width], weight)], {}, { name });
}

function attention({ build, linear }: Layer, { cos, sin, mask, ...around }: Surroundings, x: string): string {
  const reshape = (from: string, ...tail: number[]): string =>
    build.node("Reshape", [from, build.node("Concat", [around.shape, build.integers(tail)], { axis: 0 })]);
  const rotated = (from: string, count: number): string => {
    const parts = reshape(from, count, size / 2, 2);
    const [a, b] = [0, 1].map((i) => {
      return build.node("Slice", [parts, build.integers([i]), build.integers([i + 1]), build.integers([-1])]);
    });
    const times = (left: string, right: string): string => build.node("Mul", [left, right]);
    const first = build.node("Sub", [times(a, cos), times(b, sin)]);
    const second = build.node("Add", [times(a, sin), times(b, cos)]);
    return build.node("Concat", [first, second], { axis: -1 });
  };
  const narrow = keys * size;
  const q = reshape(rotated(linear(x, "attention.wq", [width, width]), heads), keys, shared, size);
  const k = reshape(rotated(linear(x, "attention.wk", [width, narrow]), keys), keys, 1, size);
  const v = reshape(linear(x, "attention.wv", [width, narrow]), keys, 1, size);
  const scores = build.node("MatMul", [
    build.node("Transpose", [q], { perm: [0, 2, 3, 1, 4] }),
    build.node("Transpose", [k], { perm: [0, 2, 3, 4, 1] }),
  ]);
  const scaled = build.node("Mul", [scores, build.scalar(1 / Math.sqrt(size))]);
  const shares = build.node("Softmax", [build.node("Add", [scaled, mask])], { axis: -1 });
  const mixed = build.node("MatMul", [shares, build.node("Transpose", [v], { perm: [0, 2, 3, 1, 4] })]);
  const joined = reshape(build.node("Transpose", [mixed], { perm: [0, 3, 1, 2, 4] }), width);
  return linear(joined, "attention.wo", [width, width]);
}

function feedForward({ build, linear }: Layer, x: string): string {
  const gate = linear(x, "feed_forward.w1", [width, hidden]);
  const open = build.node("Mul", [gate, build.node("Sigmoid", [gate])]);
  const both = build.node("Mul", [open, linear(x, "feed_forward.w3", [width, hidden])]);
  return linear(both, "feed_forward.w2", [hidden, width]);
}

function transposed(data: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = data[r * columns + c];
  return out;
}
