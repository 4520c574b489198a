import { CHANNELS_LAST } from "../../latency/parts.ts";
import { listOf, numberOf, type UnitSpec } from "../../latency/spec.ts";
import { MICROSOFT, UINT8 } from "../../model/onnx/build.ts";
import { biasOf, type Context, codedWeights, type Maker, quantized, weights } from "./parts.ts";

// What multiplies.

/** Operators behind the first: a bias, an activation, what makes codes of sums. */
function behind(context: Context, from: string, operators: readonly string[], channels: number, copy: number): string {
  let at = from;
  for (const operator of operators) {
    const { build } = context;
    if (operator === "Add") at = build.node("Add", [at, biasOf(context, `bias${copy}`, channels)]);
    else if (operator === "Clip") at = build.node("Clip", [at, build.scalar(0), build.scalar(6)]);
    else if (operator === "QuantizeLinear") at = quantized(context, at, copy);
    else at = build.node(operator, [at]);
  }
  return at;
}

export function convolution(spec: UnitSpec): Maker | null {
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
    ...(integers && input.length === 4 && { without: placeOf(input) }),
  };
}

/** One place of a picture with its channels last, as the runtime takes it from a convolution of integers. */
function placeOf([batch = 1, channels = 1, height = 1, width = 1]: readonly number[]): Maker["without"] {
  return {
    shape: [batch, channels, 1, 1],
    node({ build }, from, copy) {
      const last = build.node("Transpose", [from], { perm: [0, 2, 3, 1] });
      const attributes = { kernel_shape: [1, 1], strides: [height + copy, width] };
      const place = build.node(CHANNELS_LAST, [last], attributes, { domain: MICROSOFT });
      return build.node("Transpose", [place], { perm: [0, 3, 1, 2] });
    },
  };
}

export function dense(spec: UnitSpec): Maker | null {
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

export function product(spec: UnitSpec): Maker | null {
  const [input, out] = [listOf(spec, "in"), listOf(spec, "out")];
  const inner = numberOf(spec, "inner");
  const [head] = spec.form.split("+");
  const columns = out.at(-1) ?? 1;
  if (head !== "MatMul" || input.length < 2 || inner < 1) return null;
  const other = [...input.slice(0, -2), inner, columns];
  // Both sides are values and no weights: the second is the same for all copies, and made while the graph runs.
  const second: Maker["node"] = (context, from, i) => {
    const { build } = context;
    const data = weights(context, `other${i}`, other);
    const first = build.node("Slice", [
      build.node("Reshape", [from, build.integers([-1])]),
      build.integers([0]),
      build.integers([1]),
    ]);
    return build.node("Add", [data, first]);
  };
  return {
    input,
    out,
    fan: "fresh",
    node: (context, from, i) => context.build.node("MatMul", [from, second(context, from, i)]),
    without: { shape: other, node: second },
  };
}
