import { elementCount } from "../src/tensor.ts";
import * as reference from "./reference.ts";

// What a whole tensor must be quantized to, by the twins of the kernels and docs/FORMAT.md.

export interface Way {
  bits: 4 | 8;
  asymmetric: boolean;
}

export interface Expected {
  codes: Int8Array<ArrayBuffer>;
  scales: Float32Array<ArrayBuffer>;
  zeroPoints: Int8Array<ArrayBuffer>;
  back: Float32Array<ArrayBuffer>;
}

/** Elements that share a scale. */
export function columns(shape: readonly number[], per: string): number {
  const n = elementCount(shape);
  if (per.startsWith("group")) return Number(per.slice(6));
  return Math.max(1, per === "channel" ? n / (shape[0] ?? 1) || 1 : n);
}

/** The quantize step of printed steps. */
export function wayOf(steps: string): Way & { per: string } {
  const [, bits, per] = /int([48]) (tensor|channel|group \d+)/.exec(steps) ?? [];
  return { bits: bits === "8" ? 8 : 4, per, asymmetric: steps.includes("asymmetric") };
}

/** The twins take whole rows: the last, which may be shorter, is a call of its own. */
export function quantizedTwin(values: Float32Array, cols: number, way: Way): Expected {
  const whole = cols * Math.floor(values.length / cols);
  const first = rowsTwin(values.subarray(0, whole), cols, way);
  if (whole === values.length) return first;
  const last = rowsTwin(values.subarray(whole), values.length - whole, way);
  return {
    codes: joined(Int8Array, first.codes, last.codes),
    scales: joined(Float32Array, first.scales, last.scales),
    zeroPoints: joined(Int8Array, first.zeroPoints, last.zeroPoints),
    back: joined(Float32Array, first.back, last.back),
  };
}

function rowsTwin(values: Float32Array, cols: number, way: Way): Expected {
  const rows = values.length / cols;
  const { scales, zeroPoints } = reference.scales(reference.range(values, rows, cols), way);
  const half = 2 ** (way.bits - 1);
  const codes = reference.quantize(values, rows, cols, scales, zeroPoints, way.asymmetric ? -half : 1 - half, half - 1);
  const back = reference.dequantize(codes, rows, cols, scales, zeroPoints);
  const [bytes, floats] = [(x: Int8Array) => new Int8Array(x), (x: Float32Array) => new Float32Array(x)];
  return {
    codes: bytes(codes),
    scales: floats(scales),
    zeroPoints: bytes(zeroPoints ?? new Int8Array(0)),
    back: floats(back),
  };
}

// Too many elements for the arguments of a call.
function joined<T extends Expected["codes"] | Expected["back"]>(kind: new (n: number) => T, a: T, b: T): T {
  const all = new kind(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
