import type { Attributes, Unit, UnitType, UnitWeight } from "../engine/engine.ts";
import { elementsOf } from "../latency/spec.ts";
import { random } from "../random.ts";
import { type ConvOptions, choosing, type Flow, type Pen } from "./drawn.ts";

// The family as layers models of TensorFlow.js, and their units as an engine describes them. Their channels come last; shapes that are passed on are those of
// the family.

/** What is used of @tensorflow/tfjs-layers. */
export interface LayersModule {
  readonly layers: Readonly<Record<string, (config: object) => Layer>>;
  input(config: { shape: readonly number[] }): object;
  model(config: { inputs: object; outputs: object | readonly object[] }): Net;
}
export interface Layer {
  apply(from: object | readonly object[]): object;
}
export interface Net {
  predict(input: object): Result | Result[];
  dispose(): unknown;
}
export interface Result {
  dataSync(): ArrayLike<number>;
  dispose(): void;
}

/** A value that has its layers with it. */
interface Placed extends Flow {
  readonly at: object;
}

export interface LayersPen extends Pen {
  /** `net` is null where nothing but units was wanted. */
  finish(last: Flow): { readonly net: Net | null; readonly units: readonly Unit[]; readonly shape: readonly number[] };
}

/** How a layer is called by those who make it, its class, and its settings. */
type LayerKind = readonly [name: string, operator: string, config: object];

/**
 * @param module - null: for units alone
 * @throws RangeError for operators that layers do not have, such as those of transformers
 */
export function layersPen(module: LayersModule | null, seed: number): LayersPen {
  const sheet: Sheet = { module, units: [] };
  let given: Placed | undefined;
  return {
    ...choosing(random(seed)),
    input(shape) {
      given = { value: "x", shape, at: module ? module.input({ shape: lastly(shape).slice(1) }) : {} };
      return given;
    },
    operator: (name, from, shape, options) => plain(sheet, name, from, shape, options?.type ?? "elementwise"),
    conv: (from, name, options) => convolution(sheet, from, name, options),
    linear: (from, name, outputs, activation) => linear(sheet, from, name, outputs, activation),
    norm: (from, name) =>
      add(sheet, "norm", ["layerNormalization", "LayerNormalization", { name }], [from], from.shape),
    finish(last) {
      const { at, shape } = given as Placed;
      const net = module ? module.model({ inputs: at, outputs: (last as Placed).at }) : null;
      return { net, units: sheet.units, shape: lastly(shape) };
    },
  };
}

interface Sheet {
  readonly module: LayersModule | null;
  readonly units: Unit[];
}

function add(
  { module, units }: Sheet,
  type: UnitType,
  [name, operator, config]: LayerKind,
  from: readonly Flow[],
  shape: readonly number[],
  { weight, macs = 0, attributes = {} }: More = {},
): Placed {
  const [first] = from as [Placed];
  const places = from.map((flow) => (flow as Placed).at);
  const at = module ? made(module, name, config).apply(places.length > 1 ? places : first.at) : {};
  const value = `v${units.length}`;
  const [inputShape, outputShape] = [first.shape, shape].map((each) => single(lastly(each))) as [number[], number[]];
  units.push({
    ...{ name: value, type, operators: [operator], inputs: from.map((flow) => flow.value), output: value },
    ...{ inputShape, outputShape, weight: weight ?? null, parameters: [], attributes, macs, bytes: 0 },
  });
  return { value, shape, at };
}

/** An activation of its own is of the unit before it. */
function behind(sheet: Sheet, from: Placed, kind: LayerKind, activation: string): Placed {
  const { units } = sheet;
  const last = units.pop() as Unit;
  const made = add(sheet, "activation", kind, [from], from.shape);
  const { outputShape, output } = units.pop() as Unit;
  const attributes = { ...last.attributes, activation };
  units.push({ ...last, operators: [...last.operators, kind[1]], outputShape, output, attributes });
  return made;
}

function plain(sheet: Sheet, name: string, from: readonly Flow[], shape: readonly number[], type: UnitType): Flow {
  const kind = KINDS[name];
  if (!kind) throw new RangeError(`there is no layer for "${name}"`);
  const last = sheet.units.at(-1);
  // A row of channels is flat already.
  if (name === "Flatten" && last?.operators[0] === "GlobalAveragePooling2D") return { ...(from[0] as Placed), shape };
  if (name === "Relu" && last?.type === "elementwise") return behind(sheet, from[0] as Placed, kind, "relu");
  const attributes = name === "MaxPool" ? { kernel: [2, 2], strides: [2, 2] } : {};
  const own = type === "activation" ? { activation: name.toLowerCase() } : {};
  // Of one picture there is a row of channels.
  const to = name === "GlobalAveragePool" ? shape.slice(0, 2) : shape;
  return add(sheet, type, kind, from, to, { attributes: { ...attributes, ...own } });
}

function convolution(sheet: Sheet, from: Flow, name: string, options: ConvOptions): Flow {
  const { to, kernel, stride = 1, groups = 1, activation } = options;
  const [batch = 1, channels = 1, height = 1] = from.shape;
  const size = Math.ceil(height / stride);
  const config = { name, kernelSize: kernel, strides: stride, padding: "same" };
  const shape = [batch, to, size, size];
  const deep = groups > 1;
  const fused = activation === "Relu" && !deep ? { activation: "relu" } : {};
  const weight: UnitWeight = {
    ...{ name: `${name}/kernel`, shape: [kernel, kernel, channels, deep ? 1 : to], channelAxis: -1 },
    ...{ inputAxis: 2, outputAxis: deep ? 2 : 3 },
  };
  const macs = size * size * elementsOf(weight.shape);
  const sizes = { kernel: [kernel, kernel], strides: [stride, stride], ...(deep && { groups: channels }) };
  const kind: LayerKind = deep
    ? ["depthwiseConv2d", "DepthwiseConv2D", config]
    : ["conv2d", "Conv2D", { ...config, ...fused, filters: to }];
  const more = { weight, macs, attributes: { ...sizes, ...fused } };
  const made = add(sheet, deep ? "depthwise" : "conv", kind, [from], shape, more);
  if (!activation || "activation" in fused) return made;
  return behind(sheet, made, KINDS[activation] as LayerKind, "relu");
}

function linear(sheet: Sheet, from: Flow, name: string, outputs: number, activation: string | undefined): Flow {
  const fused = activation ? { activation: activation.toLowerCase() } : {};
  const inputs = from.shape.at(-1) ?? 1;
  const weight = { name: `${name}/kernel`, shape: [inputs, outputs], inputAxis: 0, outputAxis: 1, channelAxis: -1 };
  const to = [...from.shape.slice(0, -1), outputs];
  const macs = elementsOf(single(to)) * inputs;
  const kind = ["dense", "Dense", { name, units: outputs, ...fused }] as const;
  return add(sheet, "dense", kind, [from], to, { weight, macs, attributes: fused });
}

interface More {
  readonly weight?: UnitWeight;
  readonly macs?: number;
  readonly attributes?: Attributes;
}

function made({ layers }: LayersModule, name: string, config: object): Layer {
  const make = layers[name];
  if (!make) throw new RangeError(`there is no layer "${name}"`);
  return make(config);
}

/** With the channels last. */
function lastly(shape: readonly number[]): readonly number[] {
  if (shape.length < 4) return shape;
  const [batch = 1, channels = 1, ...extents] = shape;
  return [batch, ...extents, channels];
}

/** Of a batch of one, as engines describe them. */
function single(shape: readonly number[]): readonly number[] {
  return [1, ...shape.slice(1)];
}

const KINDS: Readonly<Record<string, LayerKind>> = {
  MaxPool: ["maxPooling2d", "MaxPooling2D", { poolSize: 2, strides: 2 }],
  GlobalAveragePool: ["globalAveragePooling2d", "GlobalAveragePooling2D", {}],
  Flatten: ["flatten", "Flatten", {}],
  Add: ["add", "Add", {}],
  Relu: ["reLU", "ReLU", {}],
  Clip: ["reLU", "ReLU", { maxValue: 6 }],
};
