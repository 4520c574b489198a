import type { ActivationCodes } from "../../src/engine/engine.ts";
import type { QuantizedTensor } from "../../src/model/onnx/dequantize.ts";

/** Weights as int8, symmetric, a scale for each index of an axis. Gives the codes, and the floats that they stand for. */
export function int8Weights(data: Float32Array, shape: readonly number[], axis: number, most = 127) {
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const channel = (i: number): number => Math.floor(i / inner) % shape[axis];
  const scales = new Float32Array(shape[axis]);
  for (const [i, value] of data.entries()) scales[channel(i)] = Math.max(scales[channel(i)], Math.abs(value) / most);
  for (const [c, scale] of scales.entries()) if (scale === 0) scales[c] = 1;
  const codes = Int8Array.from(data, (value, i) => Math.round(value / scales[channel(i)]));
  const parts = { codes: new Uint8Array(codes.buffer), scales, zeroPoints: null };
  const quantized: QuantizedTensor = { bits: 8, sharing: { axis }, asymmetric: false, load: async () => parts };
  return { quantized, floats: Float32Array.from(codes, (code, i) => code * scales[channel(i)]) };
}

/** Codes of 8 bits that hold all these values. */
export function activationCodes(values: ArrayLike<number>, unsigned: boolean): ActivationCodes {
  const [low, high] = Array.from(values).reduce(([a, b], x) => [Math.min(a, x), Math.max(b, x)], [0, 0]);
  if (unsigned) {
    const scale = Math.fround((high - low || 1) / 255);
    return { scale, zeroPoint: Math.round(-low / scale), least: 0, most: 255 };
  }
  return { scale: Math.fround((Math.max(-low, high) || 1) / 127), zeroPoint: 0, least: -128, most: 127 };
}
