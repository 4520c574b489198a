import { elementsOf, type UnitSpec } from "../latency/spec.ts";
import { FLOAT, graphBuilder } from "../model/onnx/build.ts";
import { random } from "../random.ts";
import { pool, simple } from "./onnx/moves.ts";
import { type Context, dequantized, type Maker, quantized } from "./onnx/parts.ts";
import { convolution, dense, product } from "./onnx/products.ts";

// Graphs of one operator, as ONNX: several copies of it between an input and one small output, and the same without it.

export interface UnitGraphs {
  readonly copies: number;
  readonly run: Uint8Array;
  readonly base: Uint8Array;
  readonly input: { readonly name: string; readonly shape: readonly number[] };
}

/** null: there is no such graph, as the spec does not tell enough. */
export function unitGraphs(spec: UnitSpec, copies: number): UnitGraphs | null {
  const make = makerOf(spec);
  if (!make) return null;
  const [shape, out] = [make.input, make.out].map((each) => scaled(each, spec.batch)) as [number[], number[]];
  // A runtime keeps the channels of convolutions in blocks, until somebody wants them otherwise.
  const picture = !make.codes && PICTURES.includes(spec.type) && shape.length === 4 && elementsOf(out.slice(2)) > 1;
  const itself: Maker["node"] = (_, from) => from;
  const nothing = make.without ? { ...make.without, picture: false } : { node: itself, shape, picture };
  const graph = (with_: boolean): Uint8Array => {
    const build = graphBuilder(spec.precision === "w4" ? 21 : 17);
    const x = build.input("x", FLOAT, shape);
    const numbers = random(1);
    const context: Context = { build, spec, numbers };
    const ends: string[] = [];
    if (make.fan === "chain") {
      let at = make.integers ? quantized(context, x, 0) : x;
      for (let i = 0; with_ && i < copies; i++) at = make.node(context, at, i);
      ends.push(corner(context, at, shape, { copy: 0, picture }));
    } else {
      const end = with_ ? { node: make.node, shape: out, picture } : nothing;
      const shared = make.fan === "fan" ? readied(context, make, x, 0, with_) : null;
      for (let i = 0; i < copies; i++) {
        const from = shared ?? readied(context, make, x, i + 1, with_);
        ends.push(corner(context, end.node(context, from, i), end.shape, { copy: i, picture: end.picture }));
      }
    }
    const last = ends.length > 1 ? build.node("Concat", ends, { axis: 0 }) : (ends[0] as string);
    if (make.codes) dequantized(context, last, 0, ["y"]);
    else build.node("Identity", [last], {}, { outputs: ["y"] });
    build.output("y", 0);
    return build.bytes();
  };
  return { copies, run: graph(true), base: graph(false), input: { name: "x", shape } };
}

const scaled = ([first = 1, ...rest]: readonly number[], batch: number): number[] => [first * batch, ...rest];

/**
 * What a copy takes: the input, or numbers of its own that are made from it. A unit of integers takes codes and does not make floats of them first; without
 * it they stay codes, or there would be an operator that the graph with it does not have.
 */
function readied(context: Context, { integers, codes, fan }: Maker, x: string, copy: number, with_: boolean): string {
  if (integers || codes) {
    const rounded = quantized(context, x, copy);
    return integers && with_ ? dequantized(context, rounded, copy) : rounded;
  }
  return fan === "fresh" ? context.build.node("Add", [x, context.build.scalar(0.01 * copy)]) : x;
}

/**
 * One element of a value, which differs from copy to copy. Of a picture, one place of each channel is taken first, by an operator that runtimes run in
 * whatever order they keep channels in, each with other strides, so that none is equal to another; then a Slice, which they exchange with transpositions.
 */
function corner({ build }: Context, value: string, shape: readonly number[], { copy, picture }: Corner): string {
  const [batch = 1, channels = 1, height = 1, width = 1] = shape;
  const kernel = { kernel_shape: [1, 1], strides: [height + copy, width] };
  const from = picture ? build.node("MaxPool", [value], kernel) : value;
  let left = copy;
  const ends = [...(picture ? [batch, channels, 1, 1] : shape)].reverse().map((extent) => {
    const at = left % extent;
    left = Math.floor(left / extent);
    return at;
  });
  const starts = ends.reverse();
  const bounds = [starts, starts.map((at) => at + 1), starts.map((_, i) => i)];
  return build.node("Slice", [from, ...bounds.map((each) => build.integers(each))]);
}

/** Types of units whose values are [batch, channels, height, width]. */
const PICTURES = ["conv", "depthwise", "pool"];

interface Corner {
  readonly copy: number;
  readonly picture: boolean;
}

function makerOf(spec: UnitSpec): Maker | null {
  if (spec.type === "conv" || spec.type === "depthwise") return convolution(spec);
  if (spec.type === "dense") return dense(spec);
  if (spec.type === "matmul") return product(spec);
  if (spec.type === "pool") return pool(spec);
  return simple(spec);
}
