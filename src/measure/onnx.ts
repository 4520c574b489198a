import type { UnitSpec } from "../latency/spec.ts";
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
  const graph = (with_: boolean): Uint8Array => {
    const build = graphBuilder(spec.precision === "w4" ? 21 : 17);
    const x = build.input("x", FLOAT, shape);
    const numbers = random(1);
    const context: Context = { build, spec, numbers };
    const ends: string[] = [];
    if (make.fan === "chain") {
      let at = make.integers ? quantized(context, x, 0) : x;
      for (let i = 0; with_ && i < copies; i++) at = make.node(context, at, i);
      ends.push(corner(context, at, shape, 0));
    } else {
      const shared = make.fan === "fan" ? readied(context, make, x, 0) : null;
      for (let i = 0; i < copies; i++) {
        const from = shared ?? readied(context, make, x, i + 1);
        ends.push(with_ ? corner(context, make.node(context, from, i), out, i) : corner(context, from, shape, i));
      }
    }
    const last = ends.length > 1 ? build.node("Concat", ends, { axis: 0 }) : (ends[0] as string);
    build.node("Identity", [last], {}, { outputs: ["y"] });
    build.output("y", 0);
    return build.bytes();
  };
  return { copies, run: graph(true), base: graph(false), input: { name: "x", shape } };
}

const scaled = ([first = 1, ...rest]: readonly number[], batch: number): number[] => [first * batch, ...rest];

/** What a copy takes: the input, or numbers of its own that are made from it. */
function readied(context: Context, { integers, fan }: Maker, x: string, copy: number): string {
  if (integers) return dequantized(context, quantized(context, x, copy), copy);
  return fan === "fresh" ? context.build.node("Add", [x, context.build.scalar(0.01 * copy)]) : x;
}

// One element of a value, which differs from copy to copy. Runtimes exchange it with transpositions, which then have nothing to do.
function corner({ build }: Context, value: string, shape: readonly number[], copy: number): string {
  let left = copy;
  const starts = [...shape].reverse().map((extent) => {
    const at = left % extent;
    left = Math.floor(left / extent);
    return at;
  });
  const [from, to] = [starts.reverse(), starts.map((at) => at + 1)];
  const axes = shape.map((_, i) => i);
  return build.node("Slice", [value, build.integers(from), build.integers(to), build.integers(axes)]);
}

function makerOf(spec: UnitSpec): Maker | null {
  if (spec.type === "conv" || spec.type === "depthwise") return convolution(spec);
  if (spec.type === "dense") return dense(spec);
  if (spec.type === "matmul") return product(spec);
  if (spec.type === "pool") return pool(spec);
  return simple(spec);
}
