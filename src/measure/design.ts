import type { UnitSpec } from "../latency/spec.ts";
import { elementsOf } from "../latency/spec.ts";

// Which units are measured where nothing is known yet: sizes spread evenly over what small models have, so that any number of the first are a good choice.

/** Numbers from 0 to 1, evenly spread however many are taken (Halton, 1960). @param base - a prime, another for each dimension */
function halton(index: number, base: number): number {
  let [share, sum] = [1, 0];
  for (let i = index + 1; i > 0; i = Math.floor(i / base)) {
    share /= base;
    sum += share * (i % base);
  }
  return sum;
}

const PRIMES = [2, 3, 5, 7, 11, 13, 17, 19] as const;

/** Sizes of a unit, by how large each is between its least and its most. */
interface Draw {
  /** A whole number, its logarithm evenly spread. */
  size(least: number, most: number): number;
  one<T>(from: readonly T[]): T;
  /** True that often. What kind of sizes there are is drawn, too: every fifth unit would have all its sizes of one fifth of those of base 5. */
  chance(share: number): boolean;
}

function draw(index: number): Draw {
  let dimension = 0;
  const next = (): number => halton(index, PRIMES[dimension++ % PRIMES.length] as number);
  return {
    size: (least, most) => Math.round(least * (most / least) ** next()),
    one: (from) => from[Math.floor(next() * from.length)] as never,
    chance: (share) => next() < share,
  };
}

/** A unit of a kind for each index. Of nobody's interest: null, as one that takes far longer than others. */
type Kind = (draw: Draw) => Omit<UnitSpec, "batch"> | null;

/** More would take too much of the time. */
const MOST_MACS = 6e7;

const even = (n: number): number => (n < 8 ? n : 4 * Math.round(n / 4));
/** How often channels come in eights, as in most models: runtimes have faster ways for them. */
const EIGHTS = 0.75;
const channelsOf = (n: number, eights: boolean): number => (eights ? Math.max(8, 8 * Math.round(n / 8)) : even(n));

function convolution(precision: string, forms: readonly string[]): Kind {
  return ({ size, one, chance }) => {
    // The first layer of a model has few channels, and is large.
    const [first, eights] = [chance(0.2), chance(EIGHTS)];
    const inputs = first ? one([1, 3, 3]) : channelsOf(size(4, 128), eights);
    const [outputs, extent] = [channelsOf(size(6, 128), eights), first ? size(24, 72) : size(3, 64)];
    const kernel = first ? one([3, 5, 3]) : one([3, 1, 3, 1, 5]);
    const stride = one([1, 1, 1, 2]);
    const result = Math.ceil(extent / stride);
    if (outputs * inputs * kernel ** 2 * result ** 2 > MOST_MACS) return null;
    const attributes = {
      ...{ in: [1, inputs, extent, extent], out: [1, outputs, result, result] },
      ...{ kernel: [kernel, kernel], strides: [stride, stride], groups: 1 },
    };
    return { type: "conv", form: one(forms), attributes, precision };
  };
}

/** Convolutions that make few channels of many, as those do that end in a picture, with filters of any size. */
function heads(precision: string, forms: readonly string[]): Kind {
  return ({ size, one, chance }) => {
    const [inputs, outputs] = [channelsOf(size(4, 64), chance(EIGHTS)), one([1, 1, 2, 4])];
    const [height, width, tall, wide] = [size(6, 128), size(6, 128), one([1, 3, 5, 7]), one([1, 3, 5, 7])];
    if (outputs * inputs * tall * wide * height * width > MOST_MACS) return null;
    const attributes = {
      ...{ in: [1, inputs, height, width], out: [1, outputs, height, width] },
      ...{ kernel: [tall, wide], strides: [1, 1], groups: 1 },
    };
    return { type: "conv", form: one(forms), attributes, precision };
  };
}

/** Convolutions along one dimension, with long filters: of sound. */
function alongLines(precision: string): Kind {
  return ({ size, one, chance }) => {
    const [raw, stride] = [chance(0.4), one([1, 1, 2, 4])];
    const [inputs, outputs] = [raw ? 1 : channelsOf(size(4, 64), chance(EIGHTS)), one([1, 8, 16, 40])];
    const [length, extent] = [size(48, 8192), size(3, 256)];
    const result = Math.floor((length - extent) / stride) + 1;
    if (result < 1 || outputs * inputs * extent * result > MOST_MACS) return null;
    const attributes = {
      ...{ in: [1, inputs, 1, length], out: [1, outputs, 1, result] },
      ...{ kernel: [1, extent], strides: [1, stride], groups: 1 },
    };
    return { type: "conv", form: "Conv", attributes, precision };
  };
}

function depthwise(precision: string, forms: readonly string[]): Kind {
  return ({ size, one, chance }) => {
    const [channels, extent] = [channelsOf(size(6, 192), chance(EIGHTS)), size(3, 64)];
    const [kernel, stride] = [one([3, 3, 5]), one([1, 1, 2])];
    const result = Math.ceil(extent / stride);
    if (channels * extent ** 2 > 4e5) return null;
    const attributes = {
      ...{ in: [1, channels, extent, extent], out: [1, channels, result, result] },
      ...{ kernel: [kernel, kernel], strides: [stride, stride], groups: channels },
    };
    return { type: "depthwise", form: one(forms), attributes, precision };
  };
}

function dense(precision: string, forms: readonly string[]): Kind {
  return ({ size, one, chance }) => {
    const [alone, few] = [chance(1 / 3), chance(0.25)];
    const rows = alone ? 1 : size(1, 96);
    const [inputs, outputs] = [even(size(24, 1024)), few ? size(4, 24) : even(size(24, 1024))];
    // Behind a convolution there is one with many inputs and few outputs.
    const wide = chance(1 / 7);
    const own = wide ? { rows: 1, inputs: 8 * inputs, outputs: size(4, 24) } : { rows, inputs, outputs };
    if (own.rows * own.inputs * own.outputs > MOST_MACS || own.inputs * own.outputs > 1.2e6) return null;
    return { type: "dense", form: one(forms), attributes: own, precision };
  };
}

function attention(): Kind {
  return ({ size, one }) => {
    const [heads, steps, width] = [size(1, 12), size(4, 160), 8 * size(1, 8)];
    const scores = one([true, false]);
    const out = [1, heads, steps, scores ? steps : width];
    const given = [1, heads, steps, scores ? width : steps];
    const inner = given[3] as number;
    if (elementsOf(out) * inner > MOST_MACS) return null;
    return { type: "matmul", form: "MatMul", attributes: { in: given, out, inner }, precision: "f32" };
  };
}

function pool(form: string, precision: string): Kind {
  return ({ size, one, chance }) => {
    const [channels, extent] = [channelsOf(size(6, 128), chance(EIGHTS)), 2 * size(2, 40)];
    if (channels * extent ** 2 > 4e5) return null;
    const given = [1, channels, extent, extent];
    if (form.startsWith("Global"))
      return {
        type: "pool",
        form,
        attributes: { in: given, out: [1, channels, 1, 1], kernel: [], strides: [] },
        precision,
      };
    const kernel = one([2, 2, 3]);
    const result = Math.floor(extent / 2);
    const attributes = { in: given, out: [1, channels, result, result], kernel: [kernel, kernel], strides: [2, 2] };
    return { type: "pool", form, attributes, precision };
  };
}

/** What goes over rows of a width, or over maps. */
function over(type: string, form: string, rank: 3 | 4 = 3, precision = "f32"): Kind {
  return ({ size }) => {
    const shape = rank === 3 ? [1, size(1, 160), even(size(8, 512))] : [1, even(size(4, 96)), size(4, 56)];
    const own = rank === 3 ? shape : [...shape, shape[2] as number];
    if (elementsOf(own) > 4e5) return null;
    return { type, form, attributes: { in: own, out: own }, precision };
  };
}

/** What is found over rows as much as over maps. */
function overBoth(type: string, form: string, precision = "f32"): Kind {
  const [rows, maps] = [over(type, form, 3, precision), over(type, form, 4, precision)];
  return (draw) => (draw.chance(0.5) ? rows : maps)(draw);
}

/** Codes of pictures get their channels last where the first convolution is, which has few of them, or in the middle of a model. */
function channelsLast(): Kind {
  const middle = over("shape", "Transpose", 4, "int8");
  return (draw) => {
    if (draw.chance(0.5)) return middle(draw);
    const extent = draw.size(24, 96);
    const own = [1, draw.one([3, 3, 2]), extent, extent];
    return { type: "shape", form: "Transpose", attributes: { in: own, out: own }, precision: "int8" };
  };
}

function transposed(): Kind {
  return ({ size, one }) => {
    const [heads, steps, width] = [size(2, 12), size(4, 160), 8 * size(1, 8)];
    const [given, out] = one([
      [
        [1, steps, heads, width],
        [1, heads, steps, width],
      ],
      [
        [1, heads, steps, width],
        [1, steps, heads, width],
      ],
      [
        [1, steps, heads, width],
        [1, heads, width, steps],
      ],
    ]) as [number[], number[]];
    if (steps === heads || steps === width || heads === width) return null;
    return { type: "shape", form: "Transpose", attributes: { in: given, out }, precision: "f32" };
  };
}

function reshaped(form: string): Kind {
  return ({ size }) => {
    const [rows, width] = [size(2, 128), even(size(4, 512))];
    return { type: "shape", form, attributes: { in: [1, rows, width], out: [1, rows * width] }, precision: "f32" };
  };
}

const CONVOLUTIONS = ["Conv+Relu", "Conv", "Conv+Clip"];
/** How often a kind comes, by how much of the time of models it is, and how hard it is to tell. */
const KINDS: readonly (readonly [weight: number, kind: Kind])[] = [
  [16, convolution("f32", CONVOLUTIONS)],
  [12, convolution("int8", ["Conv"])],
  [6, convolution("w8", CONVOLUTIONS)],
  [3, heads("f32", ["Conv", "Conv+Sigmoid"])],
  [2, heads("w8", ["Conv", "Conv+Sigmoid"])],
  [3, alongLines("f32")],
  [2, alongLines("int8")],
  [2, alongLines("w8")],
  [8, depthwise("f32", CONVOLUTIONS)],
  [6, depthwise("int8", ["Conv"])],
  [3, depthwise("w8", CONVOLUTIONS)],
  [12, dense("f32", ["Gemm", "Gemm+Relu", "Gemm+Tanh", "Gemm+Sigmoid", "Gemm+Softmax"])],
  [8, dense("int8", ["Gemm", "Gemm+Tanh", "Gemm+Sigmoid", "Gemm+Softmax"])],
  [5, dense("int8", ["Gemm+QuantizeLinear"])],
  [9, dense("w8", ["Gemm", "Gemm+Relu", "Gemm+Tanh", "Gemm+Sigmoid", "Gemm+Softmax"])],
  [8, dense("f32", ["MatMul+Add", "MatMul", "MatMul+Add+Relu"])],
  [8, dense("int8", ["MatMul+Add", "MatMul"])],
  [5, dense("w8", ["MatMul+Add", "MatMul", "MatMul+Add+Relu"])],
  [3, dense("w4", ["MatMul"])],
  [8, attention()],
  [4, pool("MaxPool", "f32")],
  [1, pool("MaxPool", "int8")],
  [3, pool("NhwcMaxPool", "int8")],
  [3, pool("GlobalAveragePool", "f32")],
  [2, pool("AveragePool", "f32")],
  [4, over("norm", "LayerNormalization")],
  [3, over("norm", "Add+LayerNormalization")],
  [5, over("activation", "Softmax")],
  [3, over("activation", "Relu", 4)],
  [2, over("activation", "Sigmoid")],
  [2, over("activation", "Tanh")],
  [2, over("activation", "Clip", 4)],
  [3, over("elementwise", "Div+Erf+Add+Mul+Mul")],
  [4, overBoth("elementwise", "Add")],
  [3, over("elementwise", "Mul")],
  [2, over("elementwise", "Div")],
  [2, over("elementwise", "Sub")],
  [2, over("elementwise", "Sqrt")],
  [5, overBoth("elementwise", "QuantizeLinear", "int8")],
  [4, over("elementwise", "DequantizeLinear", 4, "int8")],
  [4, channelsLast()],
  [6, transposed()],
  [3, reshaped("Reshape")],
  [3, reshaped("Flatten")],
];

/** Units in the order in which they are measured, without an end. */
export function* design(seed = 1): Generator<UnitSpec> {
  const drawn = KINDS.map(() => seed * 17);
  const owed = KINDS.map(() => 0);
  const all = KINDS.reduce((sum, [weight]) => sum + weight, 0);
  for (;;) {
    for (const [i, [weight]] of KINDS.entries()) owed[i] = (owed[i] as number) + weight / all;
    const next = owed.indexOf(Math.max(...owed));
    owed[next] = (owed[next] as number) - 1;
    const [, kind] = KINDS[next] as (typeof KINDS)[number];
    for (let tries = 0; tries < 50; tries++) {
      const index = drawn[next] as number;
      drawn[next] = index + 1;
      const spec = kind(draw(index));
      if (spec) {
        yield { ...spec, batch: 1 };
        break;
      }
    }
  }
}
