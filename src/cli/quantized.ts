import type { QuernFile } from "../container/reader.ts";
import type { QuantizedTensor } from "../model/onnx/dequantize.ts";
import { parseSteps } from "../plan.ts";
import { codesOf } from "../strategy/sharing.ts";

// Tensors of a .quern file as DequantizeLinear has them.

/**
 * A tensor as it is stored, for the writer of ONNX; null if it is not quantized.
 * @param smoothed - its values are wanted as they are multiplied with its factors
 */
export function quantizedTensor(file: QuernFile, name: string, smoothed = false): QuantizedTensor | null {
  const entry = file.index.find((tensor) => tensor.name === name);
  const codes = entry && codesOf(parseSteps(entry.plan), entry.shape, smoothed);
  if (!codes) return null;
  const { unsigned } = codes;
  const load = async () => {
    const { bytes, quantization } = await file.tensor(name, { as: "stored" });
    if (!quantization) throw new Error(`tensor "${name}" has a quantize step and no scales`);
    const { scales, zeroPoints } = quantization;
    // What is stored is the code - 128.
    const codes = unsigned ? bytes.map((byte) => byte ^ 128) : bytes;
    return { codes, scales, zeroPoints: unsigned && zeroPoints ? zeroPoints.map((zero) => zero ^ 128) : zeroPoints };
  };
  return { ...codes, load };
}
