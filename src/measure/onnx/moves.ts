import { CHANNELS_LAST } from "../../latency/parts.ts";
import { elementsOf, listOf, type UnitSpec } from "../../latency/spec.ts";
import { type GraphBuilder, MICROSOFT } from "../../model/onnx/build.ts";
import { type Context, type Maker, quantized, weights } from "./parts.ts";

// What goes over values without multiplying them with weights.

export function pool(spec: UnitSpec): Maker | null {
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
  if (spec.form === CHANNELS_LAST) return overLast(input, out, attributes);
  return {
    input,
    out,
    fan: "fresh",
    codes: spec.precision === "int8",
    node: (context, from) => {
      return context.build.node(spec.form, [from], global ? {} : attributes);
    },
  };
}

/** A pool of codes. The picture has its channels last from the beginning, so that nothing is transposed. */
function overLast(
  input: readonly number[],
  out: readonly number[],
  attributes: Readonly<Record<string, readonly number[]>>,
): Maker {
  const last = ([batch = 1, channels = 1, ...extents]: readonly number[]): number[] => [batch, ...extents, channels];
  const node: Maker["node"] = ({ build }, from) => build.node(CHANNELS_LAST, [from], attributes, { domain: MICROSOFT });
  return { input: last(input), out: last(out), fan: "fresh", codes: true, node };
}

/** Operators of one value, those of two whose second is as large, and chains that runtimes put together. */
export function simple(spec: UnitSpec): Maker | null {
  const { form } = spec;
  if (form === "Transpose") return spec.precision === "int8" ? lastly(spec) : transposed(spec);
  const [input, out] = [listOf(spec, "in"), listOf(spec, "out")];
  if (form === "QuantizeLinear") return { input, out: input, fan: "fresh", node: quantized };
  if (form === "DequantizeLinear") {
    const one = { shape: [1], node: gathered };
    return { input, out: one.shape, fan: "fresh", integers: true, node: one.node, without: one };
  }
  if (elementsOf(input) !== elementsOf(out)) return null;
  if (["Reshape", "Flatten", "Squeeze", "Unsqueeze"].includes(form)) {
    const node: Maker["node"] = ({ build }, from) => build.node("Reshape", [from, build.integers(out)]);
    return { input, out, fan: "fresh", node };
  }
  const node = chained(form);
  return node ? { input, out: input, fan: "chain", node } : null;
}

function chained(form: string): Maker["node"] | undefined {
  if (BINARY.includes(form)) return twice(form);
  return UNARY.includes(form) ? once(form) : CHAINED[form];
}

const BINARY = ["Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"];
const UNARY = "Relu Sigmoid Tanh Erf Sqrt Exp Neg Abs Softplus HardSigmoid HardSwish LeakyRelu Elu Reciprocal".split(
  " ",
);

const once =
  (form: string): Maker["node"] =>
  ({ build }, from) =>
    build.node(form, [from]);
const twice =
  (form: string): Maker["node"] =>
  ({ build }, from) =>
    build.node(form, [from, "x"]);

const normalized: Maker["node"] = (context, from, i) => {
  const width = listOf(context.spec, "in").at(-1) ?? 1;
  const parts = [from, weights(context, `scale${i}`, [width]), weights(context, `shift${i}`, [width])];
  return context.build.node("LayerNormalization", parts, { axis: -1, epsilon: { float: 1e-5 } });
};

/** By form: what takes what the same before it gives. */
const CHAINED: Readonly<Record<string, Maker["node"] | undefined>> = {
  Softmax: ({ build }, from) => build.node("Softmax", [from], { axis: -1 }),
  Clip: ({ build }, from) => build.node("Clip", [from, build.scalar(-6), build.scalar(6)]),
  "Div+Erf+Add+Mul+Mul": ({ build }, from) => gelu(build, from),
  LayerNormalization: normalized,
  "Add+LayerNormalization": (context, from, i) => normalized(context, context.build.node("Add", [from, "x"]), i),
};

/** One number: what takes floats stands behind, or there would be none, and it is none of those that runtimes let codes through. */
function gathered({ build }: Context, from: string, copy: number): string {
  return build.node("Gather", [build.node("Reshape", [from, build.integers([-1])]), build.integers([copy])]);
}

/** Codes whose channels become the last dimension. */
function lastly(spec: UnitSpec): Maker {
  const input = listOf(spec, "in");
  const perm = [0, ...input.slice(2).map((_, i) => i + 2), 1];
  const node: Maker["node"] = ({ build }, from) =>
    build.node("Reshape", [build.node("Transpose", [from], { perm }), build.integers(input)]);
  return { input, out: input, fan: "chain", integers: true, node };
}

function transposed(spec: UnitSpec): Maker | null {
  const [input, out] = [listOf(spec, "in"), listOf(spec, "out")];
  const perm = permutation(input, out);
  if (!perm) return null;
  // Behind it a Slice would be exchanged with it.
  const node: Maker["node"] = ({ build }, from) =>
    build.node("Reshape", [build.node("Transpose", [from], { perm }), build.integers([-1])]);
  return { input, out: [elementsOf(out)], fan: "fresh", node };
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
