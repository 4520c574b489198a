import { partAt } from "../codec/factors.ts";
import { toFloats } from "../codec/quantize.ts";
import type { ActivationCodes } from "../engine/engine.ts";
import { argument, DataError } from "../errors.ts";
import type { Kernels } from "../kernels.ts";
import { type Channels, divided } from "./channels.ts";

// Codes of activations from what flows: the range that they have to reach, by one of three methods.

/** The largest magnitudes; what all but a share of the values lies in; or what makes the least squared error. */
export type RangeMethod = "max" | "percentile" | "mse";

export interface CodesOptions {
  /** 2..8. Default: 8 */
  readonly bits?: number | undefined;
  /** Zero point 0, and as many codes below as above. Default: false */
  readonly symmetric?: boolean | undefined;
  /** Default: "mse" */
  readonly method?: RangeMethod | undefined;
  /** For "percentile": what lies inside, in percent of all values. Default: 99.99 */
  readonly percentile?: number | undefined;
}

/** Of what is looked at to find percentiles: more tell no more of 99.99 %. */
const SAMPLE = 262144;

/**
 * Codes for f32 values that are divided by the factors of their channels before.
 * @throws DataError on NaN or infinity
 */
export function codesFor(
  kernels: Kernels,
  data: Float32Array,
  at: Channels,
  factors: Float32Array,
  { bits = 8, symmetric = false, method = "mse", percentile = 99.99 }: CodesOptions = {},
): ActivationCodes {
  argument(Number.isInteger(bits) && bits >= 2 && bits <= 8, "bits", "2..8", bits);
  argument(percentile > 50 && percentile <= 100, "percentile", "above 50, at most 100", percentile);
  const scaled = divided(kernels, data, at, factors);
  const whole = rangeOf(scaled);
  if (method === "percentile") return codesOver(percentiles(scaled, percentile), bits, symmetric);
  if (method === "max") return codesOver(whole, bits, symmetric);
  return leastError(whole, (range) => {
    const codes = codesOver(range, bits, symmetric);
    return { codes, error: codingError(kernels, data, at, factors, codes) };
  });
}

interface Range {
  readonly low: number;
  readonly high: number;
}

// With 0, which must have a code of its own.
function rangeOf(values: Float32Array): Range {
  let [low, high] = [0, 0];
  for (const x of values) {
    if (!(x - x === 0)) throw new DataError(`an activation is ${x}: only finite ones have codes`);
    if (x < low) low = x;
    else if (x > high) high = x;
  }
  return { low, high };
}

function percentiles(values: Float32Array, percentile: number): Range {
  const stride = Math.ceil(values.length / SAMPLE);
  const sample = values.filter((_, i) => i % stride === 0).sort();
  if (sample.length === 0) return { low: 0, high: 0 };
  const outside = Math.floor((sample.length * (100 - percentile)) / 200);
  const [low, high] = [sample[outside] as number, sample[sample.length - 1 - outside] as number];
  return { low: Math.min(low, 0), high: Math.max(high, 0) };
}

/** Codes that reach from low to high: scale and zero point as ONNX QuantizeLinear's documentation has them. */
function codesOver({ low, high }: Range, bits: number, symmetric: boolean): ActivationCodes {
  const most = 2 ** (bits - 1) - 1;
  const least = symmetric ? -most : -most - 1;
  const span = symmetric ? Math.max(-low, high) / most : (high - low) / (most - least);
  // Where there is nothing but 0, any scale will do.
  const scale = Math.fround(span) < 2 ** -126 ? 1 : Math.fround(span);
  // Rounded to -0 it would differ from what is read back.
  const zeroPoint = symmetric ? 0 : Math.min(Math.max(Math.round(least - low / scale), least), most) + 0;
  return { scale, zeroPoint, least, most };
}

/** Sum of squared errors of values that are coded and multiplied by their factors again. */
export function codingError(
  kernels: Kernels,
  data: Float32Array,
  at: Channels,
  factors: Float32Array,
  codes: ActivationCodes,
): number {
  let sum = 0;
  eachPart(kernels, data, at, factors, ({ floats, planes, plain }, grid) => {
    const { scale, zeroPoint, least, most } = codes;
    kernels.run.activationError(floats, ...grid, planes, scale, zeroPoint, least, most, plain);
    sum += kernels.view().getFloat64(plain, true);
  });
  return sum;
}

/** The codes of f32 values that are divided by the factors of their channels before: QuantizeLinear of ONNX behind a Div. Values are finite. */
export function activationCodes(
  kernels: Kernels,
  data: Float32Array,
  at: Channels,
  factors: Float32Array,
  codes: ActivationCodes,
): Int8Array {
  const out = new Int8Array(data.length);
  eachPart(kernels, data, at, factors, ({ floats, planes, plain }, grid, start) => {
    const { scale, zeroPoint, least, most } = codes;
    const count = kernels.run.activationCodes(floats, ...grid, planes, scale, zeroPoint, least, most, plain);
    out.set(new Int8Array(kernels.bytes().buffer, plain, count), start);
  });
  return out;
}

type Grid = readonly [outer: number, channels: number, inner: number];

// With a part of the values at arena.floats, and its factors at arena.planes.
function eachPart(
  kernels: Kernels,
  data: Float32Array,
  { channels, inner }: Channels,
  factors: Float32Array,
  run: (arena: ReturnType<Kernels["arena"]>, grid: Grid, start: number) => void,
): void {
  for (let start = 0; start < data.length; ) {
    const grid = partAt({ channels, inner }, start, data.length);
    const [outer, count, width] = grid;
    const first = Math.floor(start / inner) % channels;
    const own = factors.subarray(first, first + count);
    const arena = toFloats(kernels, data.subarray(start, start + outer * count * width));
    kernels.bytes().set(new Uint8Array(own.buffer, own.byteOffset, own.byteLength), arena.planes);
    run(arena, grid, start);
    start += outer * count * width;
  }
}

// Clipping ever more, from both sides alike: the error falls and rises again, but not always smoothly, so all are looked at.
const SHARES = Array.from({ length: 20 }, (_, i) => 1 - 0.04 * i);

function leastError(
  { low, high }: Range,
  attempt: (range: Range) => { codes: ActivationCodes; error: number },
): ActivationCodes {
  let best = attempt({ low, high });
  for (const share of SHARES.slice(1)) {
    const next = attempt({ low: low * share, high: high * share });
    if (next.error < best.error) best = next;
  }
  return best.codes;
}
