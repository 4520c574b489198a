import { elementsOf, listOf, numberOf, type UnitSpec } from "../latency/spec.ts";
import { FLOAT, type GraphBuilder, graphBuilder, INT8, INT32, MICROSOFT, UINT8 } from "../model/onnx/build.ts";
import { random } from "../random.ts";

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

interface Context {
  readonly build: GraphBuilder;
  readonly spec: UnitSpec;
  readonly numbers: () => number;
}

interface Maker {
  /** For a batch of one. */
  readonly input: readonly number[];
  readonly out: readonly number[];
  /**
   * "fan": copies with weights of their own take the same input. "chain": each takes what the one before gives. "fresh": each takes a sum of its own, as
   * runtimes do equal things once.
   */
  readonly fan: "fan" | "chain" | "fresh";
  /** The input is rounded first. */
  readonly integers?: boolean;
  node(context: Context, from: string, copy: number): string;
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

function weights({ build, numbers }: Context, name: string, shape: readonly number[]): string {
  const scale = 1 / Math.sqrt(elementsOf(shape.slice(1)) || 1);
  const data = Float32Array.from({ length: elementsOf(shape) }, () => scale * (2 * numbers() - 1));
  return build.weight(name, shape, data);
}

/** Codes of 8 bits with a scale for each index of an axis, behind a DequantizeLinear. */
function codedWeights({ build, numbers }: Context, name: string, shape: readonly number[], axis: number): string {
  const codes = Int8Array.from({ length: elementsOf(shape) }, () => Math.floor(127 * numbers()) - 63);
  const channels = shape[axis] as number;
  const parts = [
    build.bytesOf(`${name}.codes`, INT8, shape, codes),
    build.weight(`${name}.scale`, [channels], new Float32Array(channels).fill(0.01)),
    build.bytesOf(`${name}.zero`, INT8, [channels], new Int8Array(channels)),
  ];
  return build.node("DequantizeLinear", parts, { axis });
}

/** As integers where weights and what they are multiplied with are. */
function biasOf(context: Context, name: string, channels: number): string {
  const { build, spec } = context;
  if (spec.precision !== "int8") return weights(context, name, [channels]);
  const parts = [
    build.bytesOf(`${name}.codes`, INT32, [channels], new Int32Array(channels)),
    build.weight(`${name}.scale`, [channels], new Float32Array(channels).fill(0.0002)),
    build.bytesOf(`${name}.zero`, INT32, [channels], new Int32Array(channels)),
  ];
  return build.node("DequantizeLinear", parts, { axis: 0 });
}

/** Of each copy its own: equal roundings are done once. */
const scaleOf = (copy: number): number => 0.02 + copy / 10000;

function quantized({ build }: Context, from: string, copy: number): string {
  return build.node("QuantizeLinear", [from, build.scalar(scaleOf(copy)), zeroPoint(build)]);
}

function dequantized({ build }: Context, from: string, copy: number): string {
  return build.node("DequantizeLinear", [from, build.scalar(scaleOf(copy)), zeroPoint(build)]);
}

function zeroPoint(build: GraphBuilder): string {
  return build.bytesOf(build.unused("zero"), UINT8, [], Uint8Array.of(128));
}

function makerOf(spec: UnitSpec): Maker | null {
  if (spec.type === "conv" || spec.type === "depthwise") return convolution(spec);
  if (spec.type === "dense") return dense(spec);
  if (spec.type === "matmul") return product(spec);
  if (spec.type === "pool") return pool(spec);
  return simple(spec);
}

/** Operators behind the first: a bias, an activation. */
function behind(context: Context, from: string, operators: readonly string[], channels: number, copy: number): string {
  let at = from;
  for (const operator of operators) {
    const { build } = context;
    if (operator === "Add") at = build.node("Add", [at, biasOf(context, `bias${copy}`, channels)]);
    else if (operator === "Clip") at = build.node("Clip", [at, build.scalar(0), build.scalar(6)]);
    else at = build.node(operator, [at]);
  }
  return at;
}

function convolution(spec: UnitSpec): Maker | null {
  const [input, out, kernel, strides] = ["in", "out", "kernel", "strides"].map((name) => listOf(spec, name)) as [
    readonly number[],
    readonly number[],
    readonly number[],
    readonly number[],
  ];
  const groups = numberOf(spec, "groups");
  const [head, ...rest] = spec.form.split("+");
  if (head !== "Conv" || input.length !== kernel.length + 2 || out.length !== input.length) return null;
  const [channels, outputs] = [input[1] as number, out[1] as number];
  const begins: number[] = [];
  const ends: number[] = [];
  for (const [i, extent] of kernel.entries()) {
    const pad = Math.max(0, ((out[i + 2] as number) - 1) * (strides[i] ?? 1) + extent - (input[i + 2] as number));
    begins.push(Math.floor(pad / 2));
    ends.push(Math.ceil(pad / 2));
  }
  const attributes = { kernel_shape: kernel, strides, group: groups, pads: [...begins, ...ends] };
  const shape = [outputs, channels / groups, ...kernel];
  const integers = spec.precision === "int8";
  return {
    input,
    out,
    fan: "fan",
    integers,
    node(context, from, i) {
      const coded = integers || spec.precision === "w8";
      const weight = coded ? codedWeights(context, `w${i}`, shape, 0) : weights(context, `w${i}`, shape);
      const bias = biasOf(context, `bias${i}`, outputs);
      const made = behind(context, context.build.node("Conv", [from, weight, bias], attributes), rest, outputs, i);
      return integers ? quantized(context, made, i) : made;
    },
  };
}

function dense(spec: UnitSpec): Maker | null {
  const [rows, inputs, outputs] = ["rows", "inputs", "outputs"].map((name) => numberOf(spec, name)) as [
    number,
    number,
    number,
  ];
  const [head, ...rest] = spec.form.split("+");
  if (head !== "MatMul" && head !== "Gemm") return null;
  const gemm = head === "Gemm";
  const integers = spec.precision === "int8";
  return {
    // Of two dimensions runtimes make other operators of MatMul and Add.
    input: gemm ? [rows, inputs] : [1, rows, inputs],
    out: gemm ? [rows, outputs] : [1, rows, outputs],
    fan: "fan",
    integers,
    node(context, from, i) {
      const { build } = context;
      if (spec.precision === "w4") return nibbles(context, from, inputs, outputs, i);
      const coded = integers || spec.precision === "w8";
      const shape = gemm ? [outputs, inputs] : [inputs, outputs];
      const axis = gemm ? 0 : 1;
      const weight = coded ? codedWeights(context, `w${i}`, shape, axis) : weights(context, `w${i}`, shape);
      if (!gemm) return behind(context, build.node("MatMul", [from, weight]), rest, outputs, i);
      const bias = biasOf(context, `bias${i}`, outputs);
      return behind(context, build.node("Gemm", [from, weight, bias], { transB: 1 }), rest, outputs, i);
    },
  };
}

const BLOCK = 32;

function nibbles({ build }: Context, from: string, inputs: number, outputs: number, i: number): string {
  const blocks = Math.ceil(inputs / BLOCK);
  const codes = new Uint8Array(outputs * blocks * (BLOCK / 2)).fill(0x79);
  const scales = new Float32Array(outputs * blocks).fill(0.01);
  const parts = [
    from,
    build.bytesOf(`w${i}.codes`, UINT8, [outputs, blocks, BLOCK / 2], codes),
    build.weight(`w${i}.scale`, [outputs * blocks], scales),
  ];
  const attributes = { K: inputs, N: outputs, bits: 4, block_size: BLOCK };
  return build.node("MatMulNBits", parts, attributes, { domain: MICROSOFT });
}

function product(spec: UnitSpec): Maker | null {
  const [input, out] = [listOf(spec, "in"), listOf(spec, "out")];
  const inner = numberOf(spec, "inner");
  const [head] = spec.form.split("+");
  const [rows = 1, columns = 1] = out.slice(-2);
  if (head !== "MatMul" || input.length < 2 || inner < 1) return null;
  const other = [...input.slice(0, -2), inner, columns];
  void rows;
  return {
    input,
    out,
    fan: "fresh",
    node: (context, from, i) => {
      // Both sides are values and no weights: the second is the same for all copies, and made while the graph runs.
      const { build } = context;
      const data = weights(context, `other${i}`, other);
      const corner_ = build.node("Slice", [
        build.node("Reshape", [from, build.integers([-1])]),
        build.integers([0]),
        build.integers([1]),
      ]);
      return build.node("MatMul", [from, build.node("Add", [data, corner_])]);
    },
  };
}

function pool(spec: UnitSpec): Maker | null {
  const [input, out, kernel, strides] = ["in", "out", "kernel", "strides"].map((name) => listOf(spec, name)) as [
    readonly number[],
    readonly number[],
    readonly number[],
    readonly number[],
  ];
  const global = spec.form.startsWith("Global");
  if (!global && kernel.length === 0) return null;
  const pads = kernel.map((extent, i) =>
    Math.max(0, ((out[i + 2] ?? 1) - 1) * (strides[i] ?? 1) + extent - (input[i + 2] ?? 1)),
  );
  const attributes = {
    kernel_shape: kernel,
    strides,
    pads: [...pads.map((pad) => Math.floor(pad / 2)), ...pads.map((pad) => Math.ceil(pad / 2))],
  };
  return {
    input,
    out,
    fan: "fresh",
    integers: spec.precision === "int8",
    node: (context, from) => {
      return context.build.node(spec.form, [from], global ? {} : attributes);
    },
  };
}

const BINARY = ["Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"];
const UNARY = "Relu Sigmoid Tanh Erf Sqrt Exp Neg Abs Softplus HardSigmoid HardSwish LeakyRelu Elu Reciprocal".split(
  " ",
);

/** Operators of one value, those of two whose second is as large, and chains that runtimes put together. */
function simple(spec: UnitSpec): Maker | null {
  const [input, out] = [listOf(spec, "in"), listOf(spec, "out")];
  const { form } = spec;
  const same = elementsOf(input) === elementsOf(out);
  const chain = (node: Maker["node"]): Maker | null => (same ? { input, out: input, fan: "chain", node } : null);
  const width = input.at(-1) ?? 1;
  if (form === "Softmax") return chain(({ build }, from) => build.node("Softmax", [from], { axis: -1 }));
  if (form === "Clip") return chain(({ build }, from) => build.node("Clip", [from, build.scalar(-6), build.scalar(6)]));
  if (form === "Div+Erf+Add+Mul+Mul") return chain(({ build }, from) => gelu(build, from));
  if (form === "LayerNormalization")
    return chain((context, from, i) => {
      const parts = [from, weights(context, `scale${i}`, [width]), weights(context, `shift${i}`, [width])];
      return context.build.node(form, parts, { axis: -1, epsilon: { float: 1e-5 } });
    });
  if (form === "Add+LayerNormalization")
    return chain((context, from, i) => {
      const parts = [weights(context, `scale${i}`, [width]), weights(context, `shift${i}`, [width])];
      const sum = context.build.node("Add", [from, "x"]);
      return context.build.node("LayerNormalization", [sum, ...parts], { axis: -1, epsilon: { float: 1e-5 } });
    });
  if (form === "QuantizeLinear")
    return {
      input,
      out: input,
      fan: "fresh",
      node: (context, from, i) => quantized(context, from, i),
    };
  // What takes floats stands behind, or there would be none.
  if (form === "DequantizeLinear")
    return { input, out: input, fan: "fresh", integers: true, node: ({ build }, from) => build.node("Neg", [from]) };
  if (form === "Transpose" && spec.precision === "int8") {
    const perm = [0, ...input.slice(2).map((_, i) => i + 2), 1];
    const node: Maker["node"] = ({ build }, from) =>
      build.node("Reshape", [build.node("Transpose", [from], { perm }), build.integers(input)]);
    return { input, out: input, fan: "chain", integers: true, node };
  }
  if (BINARY.includes(form)) return chain(({ build }, from) => build.node(form, [from, "x"]));
  if (UNARY.includes(form)) return chain(({ build }, from) => build.node(form, [from]));
  if (form === "Transpose") {
    const perm = permutation(input, out);
    if (!perm) return null;
    // Behind it a Slice would be exchanged with it.
    const node: Maker["node"] = ({ build }, from) =>
      build.node("Reshape", [build.node("Transpose", [from], { perm }), build.integers([-1])]);
    return { input, out: [elementsOf(out)], fan: "fresh", node };
  }
  if (["Reshape", "Flatten", "Squeeze", "Unsqueeze"].includes(form) && same)
    return {
      input,
      out,
      fan: "fresh",
      node: ({ build }, from) => build.node("Reshape", [from, build.integers(out)]),
    };
  return null;
}

function gelu(build: GraphBuilder, x: string): string {
  const erf = build.node("Erf", [build.node("Div", [x, build.scalar(Math.SQRT2)])]);
  const one = build.node("Add", [erf, build.scalar(1)]);
  return build.node("Mul", [build.node("Mul", [x, one]), build.scalar(0.5)]);
}

/** How dimensions are exchanged: the first way that gives such a shape and changes the order. */
function permutation(from: readonly number[], to: readonly number[]): number[] | null {
  if (from.length !== to.length) return null;
  const left = from.map((_, i) => i);
  const perm: number[] = [];
  for (const extent of to) {
    const at = left.findLastIndex((i) => from[i] === extent);
    if (at < 0) return null;
    perm.push(...left.splice(at, 1));
  }
  return perm;
}
