import type { Attributes, Unit, UnitType, UnitWeight } from "../engine/engine.ts";
import { elementsOf } from "../latency/spec.ts";
import { FLOAT, type GraphBuilder, graphBuilder } from "../model/onnx/build.ts";
import { random } from "../random.ts";

// Graphs with weights from seeds, and their units as an engine describes them: whoever makes a graph knows its shapes.

/** A value inside. */
export interface Flow {
  readonly value: string;
  readonly shape: readonly number[];
}

/** What graphs are drawn with. Shapes of pictures are [batch, channels, height, width]. */
export interface Pen {
  pick<T>(from: readonly T[]): T;
  chance(share: number): boolean;
  input(shape: readonly number[]): Flow;
  /** One operator without a weight. @param scalars - of its other inputs */
  operator(name: string, from: readonly Flow[], shape: readonly number[], options?: OperatorOptions): Flow;
  /** A convolution as large as its input by the stride, with a bias and an activation. */
  conv(from: Flow, name: string, options: ConvOptions): Flow;
  /** [.., inputs] to [.., outputs], by Gemm with two dimensions and by MatMul and Add with three. */
  linear(from: Flow, name: string, outputs: number, activation?: string): Flow;
  norm(from: Flow, name: string): Flow;
}

/** @param uniform - numbers from 0 to 1 */
export function choosing(uniform: () => number): Pick<Pen, "pick" | "chance"> {
  return {
    pick: (from) => from[Math.floor(uniform() * from.length)] as never,
    chance: (share) => uniform() < share,
  };
}

/** As ONNX. */
export interface Drawn extends Pen {
  finish(last: Flow): { bytes(): Uint8Array; units: readonly Unit[]; input: Flow };
}

export interface OperatorOptions {
  readonly type: UnitType;
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
  readonly scalars?: readonly number[];
  readonly integers?: readonly number[];
  readonly macs?: number;
}

export interface ConvOptions {
  readonly to: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly groups?: number;
  readonly activation?: "Relu" | "Clip" | null;
}

/** @param weighty - false: its weights have no numbers, as for units alone nobody needs them */
export function drawn(seed: number, weighty = true): Drawn {
  const uniform = random(seed);
  const sheet: Sheet = { build: graphBuilder(), uniform, weighty, units: [], sizes: new Map() };
  let given: Flow | undefined;
  return {
    ...choosing(uniform),
    input(shape) {
      given = { value: sheet.build.input("x", FLOAT, shape), shape };
      return given;
    },
    operator: (name, from, shape, options) => plain(sheet, name, from, shape, options),
    conv: (from, name, options) => convolution(sheet, from, name, options),
    linear: (from, name, outputs, activation) => linear(sheet, from, { name, outputs, activation: activation ?? null }),
    norm: (from, name) => norm(sheet, from, name),
    finish({ value }) {
      sheet.build.node("Identity", [value], {}, { outputs: ["y"] });
      sheet.build.output("y");
      return { bytes: sheet.build.bytes, units: sheet.units, input: given as Flow };
    },
  };
}

interface Sheet {
  readonly build: GraphBuilder;
  readonly uniform: () => number;
  readonly weighty: boolean;
  readonly units: Unit[];
  /** Elements of parameters; one that is not here is a scalar. */
  readonly sizes: Map<string, number>;
}

type NewUnit = Omit<Unit, "inputShape" | "outputShape" | "bytes" | "attributes">;

function add({ units, sizes }: Sheet, unit: NewUnit, { from, to }: Ends, attributes: Attributes = {}): Flow {
  const bytes = 4 * unit.parameters.reduce((sum, name) => sum + (sizes.get(name) ?? 1), 0);
  units.push({ ...unit, inputShape: from, outputShape: to, attributes, bytes });
  return { value: unit.output, shape: to };
}

type NewParameter = readonly [suffix: string, shape: readonly number[], inputs: number];

/** Of the variance that He's rule asks for; with no inputs, small. */
function parameters(
  { build, uniform, weighty, sizes }: Sheet,
  name: string,
  wanted: readonly NewParameter[],
): string[] {
  return wanted.map(([suffix, shape, inputs]) => {
    const full = `${name}.${suffix}`;
    const count = elementsOf(shape);
    sizes.set(full, count);
    const range = inputs === 0 ? 0.1 : Math.sqrt(6 / inputs);
    const data = new Float32Array(weighty ? count : 0);
    // Drawn even where they go nowhere: what is chosen behind them comes of the same seed.
    for (let i = 0; i < count; i++) {
      const value = range * (2 * uniform() - 1);
      if (weighty) data[i] = value;
    }
    return build.weight(full, shape, data);
  });
}

function convolution(sheet: Sheet, from: Flow, name: string, options: ConvOptions): Flow {
  const { to, kernel, stride = 1, groups = 1, activation = null } = options;
  const { build } = sheet;
  const [batch = 1, channels = 1, height = 1] = from.shape;
  const pad = Math.floor(kernel / 2);
  const size = Math.floor((height + 2 * pad - kernel) / stride) + 1;
  const shape = [to, channels / groups, kernel, kernel];
  const names = parameters(sheet, name, [
    ["weight", shape, (channels / groups) * kernel ** 2],
    ["bias", [to], 0],
  ]);
  const kernels = { kernel_shape: [kernel, kernel], strides: [stride, stride], group: groups };
  const made = build.node("Conv", [from.value, ...names], { ...kernels, pads: [pad, pad, pad, pad] }, { name });
  const [output, scalars] = activated(build, made, activation);
  const deep = groups > 1;
  const weight: UnitWeight = {
    ...{ name: names[0] as string, shape, outputAxis: 0, channelAxis: 1 },
    inputAxis: deep ? 0 : 1,
  };
  const unit = {
    ...{ name, type: deep ? ("depthwise" as const) : ("conv" as const), inputs: [from.value], output, weight },
    operators: activation ? ["Conv", activation] : ["Conv"],
    parameters: [...names, ...scalars],
    macs: batch * to * size * size * elementsOf(shape.slice(1)),
  };
  const own = { kernel: [kernel, kernel], strides: [stride, stride], groups };
  return add(sheet, unit, { from: from.shape, to: [batch, to, size, size] }, { ...own, ...named(activation) });
}

interface LinearOptions {
  readonly name: string;
  readonly outputs: number;
  readonly activation: string | null;
}

function linear(sheet: Sheet, from: Flow, { name, outputs, activation }: LinearOptions): Flow {
  const { build } = sheet;
  const inputs = from.shape.at(-1) ?? 1;
  const flat = from.shape.length === 2;
  const shape = flat ? [outputs, inputs] : [inputs, outputs];
  const names = parameters(sheet, name, [
    ["weight", shape, inputs],
    ["bias", [outputs], 0],
  ]);
  const [w, b] = names as [string, string];
  const product = flat
    ? build.node("Gemm", [from.value, w, b], { transB: 1 }, { name })
    : build.node("Add", [build.node("MatMul", [from.value, w], {}, { name }), b]);
  const [output, scalars] = activated(build, product, activation);
  const to = [...from.shape.slice(0, -1), outputs];
  const axes = flat ? { inputAxis: 1, outputAxis: 0 } : { inputAxis: 0, outputAxis: 1 };
  const unit = {
    ...{ name, type: "dense" as const, inputs: [from.value], output, parameters: [...names, ...scalars] },
    weight: { name: w, shape, ...axes, channelAxis: -1 },
    operators: [...(flat ? ["Gemm"] : ["MatMul", "Add"]), ...(activation ? [activation] : [])],
    macs: elementsOf(from.shape) * outputs,
  };
  return add(sheet, unit, { from: from.shape, to }, named(activation));
}

function norm(sheet: Sheet, from: Flow, name: string): Flow {
  const width = from.shape.at(-1) ?? 1;
  const names = parameters(sheet, name, [
    ["scale", [width], 1],
    ["shift", [width], 0],
  ]);
  const attributes = { axis: -1, epsilon: { float: 1e-5 } };
  const output = sheet.build.node("LayerNormalization", [from.value, ...names], attributes, { name });
  const unit = { name, type: "norm" as const, operators: ["LayerNormalization"], inputs: [from.value], output };
  const rest = { weight: null, parameters: names, macs: elementsOf(from.shape) };
  return add(sheet, { ...unit, ...rest }, { from: from.shape, to: from.shape });
}

interface Ends {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

const named = (activation: string | null | undefined): Attributes =>
  activation ? { activation: activation.toLowerCase() } : {};

/** With the names of what else the activation takes. */
function activated(build: GraphBuilder, from: string, activation: string | null): [output: string, scalars: string[]] {
  if (activation === null) return [from, []];
  const scalars = activation === "Clip" ? [build.scalar(0), build.scalar(6)] : [];
  return [build.node(activation, [from, ...scalars]), scalars];
}

function plain(
  sheet: Sheet,
  operator: string,
  from: readonly Flow[],
  shape: readonly number[],
  { type, attributes = {}, scalars = [], integers, macs = 0 }: OperatorOptions = { type: "elementwise" },
): Flow {
  const { build } = sheet;
  const inputs = from.map(({ value }) => value);
  const others = scalars.map((value) => build.scalar(value));
  const sizes = integers ? [build.integers(integers)] : [];
  const output = build.node(operator, [...inputs, ...others, ...sizes], attributes);
  const unit = { name: output, type, operators: [operator], inputs: [...new Set(inputs)], output, weight: null };
  const { kernel_shape: kernel, strides } = attributes as {
    kernel_shape?: readonly number[];
    strides?: readonly number[];
  };
  const own = {
    ...(kernel && { kernel }),
    ...(strides && { strides }),
    ...named(type === "activation" ? operator : null),
  };
  return add(sheet, { ...unit, parameters: others, macs }, { from: from[0]?.shape ?? [], to: shape }, own);
}
