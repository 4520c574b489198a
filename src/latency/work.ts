import { elementsOf, listOf, numberOf, type UnitSpec } from "./spec.ts";

// How much a unit does, in numbers that its time grows with, and where it stands among units of its kind.

export interface Work {
  /** What units are regressed together with it: those of other kinds tell nothing about it. */
  readonly kind: string;
  /** Counts of what is done and moved; a time is a sum of them, each with a factor of its own that is not negative. */
  readonly counts: Readonly<Record<string, number>>;
  /** Logarithms to base 2 of its sizes. */
  readonly place: readonly number[];
}

export function workOf(spec: UnitSpec): Work {
  const { type, form, precision } = spec;
  const [head = "", ...rest] = form.split("+");
  if (type === "conv" || type === "depthwise") return { kind: `${type} ${precision}`, ...convolution(spec, rest) };
  if (type === "dense") return { kind: `dense ${head} ${precision}`, ...dense(spec, rest) };
  if (type === "matmul") return { kind: `matmul ${precision}`, ...product(spec) };
  return { kind: `${form} ${precision}`, ...moving(spec) };
}

/** Whether a row is about a unit that there can be: tables come from anywhere. */
export function isPossible({ counts, place }: Work): boolean {
  return Object.values(counts).every((count) => Number.isFinite(count) && count >= 0) && place.every(Number.isFinite);
}

type Sizes = Omit<Work, "kind">;

/** Of nothing, as far below one as matters: values may be empty. */
const octaves = (size: number): number => Math.log2(Math.max(size, 1e-6));

/** [batch, channels, extents ...], which TensorFlow.js has with the channels last. */
function picture(spec: UnitSpec, name: "in" | "out"): readonly number[] {
  const shape = listOf(spec, name);
  const last = /^(Depthwise)?Conv\dD|Pooling\dD/.test(spec.form);
  return last ? [...shape.slice(0, 1), ...shape.slice(-1), ...shape.slice(1, -1)] : shape;
}

function convolution(spec: UnitSpec, rest: readonly string[]): Sizes {
  const [input, out] = [picture(spec, "in"), picture(spec, "out")];
  const [kernel, strides] = [listOf(spec, "kernel"), listOf(spec, "strides")];
  const groups = numberOf(spec, "groups") || 1;
  const positions = spec.batch * elementsOf(out.slice(2));
  const [inputs, outputs] = [(input[1] ?? 1) / groups, out[1] ?? 1];
  const taps = inputs * elementsOf(kernel);
  const written = positions * outputs;
  return {
    counts: {
      one: 1,
      macs: written * taps,
      // ONNX Runtime keeps channels in blocks of 8 where they come in eights, and is a fifth faster then.
      loose: outputs % 8 === 0 ? 0 : written * taps,
      ...inBlocks(spec, { inputs, outputs, written, taps }),
      // What is laid out for the product, as ONNX Runtime does where a filter has more than a point.
      columns: elementsOf(kernel) * Math.max(1, ...strides) > 1 ? positions * taps * groups : 0,
      written,
      read: spec.batch * elementsOf(input),
      weights: outputs * taps,
      ...behind(withoutBias(rest), written),
    },
    place: [inputs, outputs, positions, elementsOf(kernel), Math.max(1, ...strides) ** 2].map(octaves),
  };
}

/** Channels of a block, where registers hold 16 floats (AVX-512). */
const BLOCK = 16;

/**
 * What ONNX Runtime does more, or otherwise, where channels do not come in blocks of 16: floats are laid out in blocks on processors with AVX-512, if weights
 * are known beforehand, and so are the channels of integers in depthwise convolutions. On others these counts come out as next to nothing.
 */
function inBlocks(
  { type, precision }: UnitSpec,
  { inputs, outputs, written, taps }: Record<"inputs" | "outputs" | "written" | "taps", number>,
): Record<string, number> {
  const loose = (channels: number, count: number): number => (channels % BLOCK === 0 ? 0 : count);
  if (precision === "int8") return { looseBlock: loose(outputs, written * taps) };
  if (precision !== "f32") return {};
  if (type === "depthwise")
    return { looseBlock: loose(outputs, written * taps), looseWritten: loose(outputs, written) };
  const filled = (BLOCK * Math.ceil(outputs / BLOCK) * written) / outputs;
  // Fewer channels than a block has are read as they are; more have to come in blocks.
  const name = inputs < BLOCK ? "few" : "loose";
  return {
    filled: (filled - written) * taps,
    [`${name}Block`]: loose(inputs, written * taps),
    [`${name}Written`]: loose(inputs, written),
  };
}

function dense(spec: UnitSpec, rest: readonly string[]): Sizes {
  const [rows, inputs, outputs] = ["rows", "inputs", "outputs"].map((name) => numberOf(spec, name) || 1) as [
    number,
    number,
    number,
  ];
  const all = spec.batch * rows;
  return {
    counts: {
      one: 1,
      macs: all * inputs * outputs,
      weights: inputs * outputs,
      read: all * inputs,
      written: all * outputs,
      // Gemm has one of its own; behind MatMul it is an operator more.
      ...behind(spec.form.startsWith("MatMul") ? rest : withoutBias(rest), all * outputs),
    },
    place: [all, inputs, outputs].map(octaves),
  };
}

function product(spec: UnitSpec): Sizes {
  const out = listOf(spec, "out");
  const inner = numberOf(spec, "inner") || 1;
  const [rows = 1, columns = 1] = out.slice(-2);
  const matrices = spec.batch * elementsOf(out.slice(0, -2));
  return {
    counts: {
      one: 1,
      matrices,
      macs: matrices * rows * inner * columns,
      read: matrices * inner * (rows + columns),
      written: matrices * rows * columns,
    },
    place: [matrices, rows, inner, columns].map(octaves),
  };
}

function moving(spec: UnitSpec): Sizes {
  const [input, out] = [listOf(spec, "in"), listOf(spec, "out")];
  const [read, written] = [input, out].map((shape) => spec.batch * elementsOf(shape)) as [number, number];
  const width = input.at(-1) || 1;
  // Floats in blocks are pooled by whole registers, at a fifth of the time.
  const loose = spec.type === "pool" && spec.precision === "f32" && (picture(spec, "in")[1] ?? 1) % BLOCK ? 1 : 0;
  return {
    counts: { one: 1, read, written, rows: read / width, looseBlock: loose * read, looseWritten: loose * written },
    place: [read, width, read / Math.max(1, written)].map(octaves),
  };
}

const withoutBias = (operators: readonly string[]): string[] => operators.filter((operator) => operator !== "Add");

/** Operators behind what multiplies, two counts for each: they take different times, and what is not merged is an operator more. */
function behind(operators: readonly string[], elements: number): Record<string, number> {
  return Object.fromEntries(
    operators.flatMap((name) => [
      [name, elements],
      [`one ${name}`, 1],
    ]),
  );
}
