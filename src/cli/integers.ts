import { type ByteSink, type ByteSource, memorySink } from "../bytes.ts";
import type { QuernFile } from "../container/reader.ts";
import type { ActivationCodes } from "../engine/engine.ts";
import { writeQdq } from "../engine/onnx.ts";
import type { QuantizedParts, QuantizedTensor } from "../model/onnx/dequantize.ts";
import { type OnnxReport, writeOnnx } from "../model/onnx/write.ts";
import type { WriteOptions } from "../model/pieces.ts";
import { type LazyTensor, narrow, widen } from "../tensor.ts";
import { quantizedTensor } from "./quantized.ts";
import { factorsIn, inputsOf, multiplied, type StoredFactors } from "./simulated.ts";

// A file with codes of activations as an ONNX model that runtimes compute in integers.

/** Closes the sink. @throws as writeOnnx and writeQdq */
export async function writeIntegers(
  file: QuernFile,
  original: ByteSource,
  sink: ByteSink,
  options: WriteOptions,
): Promise<OnnxReport> {
  const factors = await factorsIn(file);
  // The file's graph lacks the weights, and biases are needed to make codes of them.
  const whole = memorySink();
  const { tensors } = file.model("original");
  await writeOnnx(original, { tensors, metadata: null }, whole, options);
  return writeQdq(whole.bytes(), sink, {
    quantized: (name) => {
      const tensor = quantizedTensor(file, name, factors.has(name));
      return tensor && unsignedWeights(tensor);
    },
    inputs: inputsOf(file, factors, unsigned),
    tensors: tensors.flatMap((tensor) => {
      const own = factors.get(tensor.name);
      return own ? [smoothed(tensor, own)] : [];
    }),
  });
}

// The same numbers as codes around 128. Sums of two products of signed and unsigned codes of 8 bits saturate on x64 machines without VNNI; of
// unsigned ones they do not.
function unsignedWeights(tensor: QuantizedTensor): QuantizedTensor {
  if (tensor.bits !== 8 || tensor.unsigned) return tensor;
  const load = async (): Promise<QuantizedParts> => {
    const { codes, scales, zeroPoints } = await tensor.load();
    const zeros = zeroPoints ?? new Int8Array(scales.length);
    return { codes: codes.map((code) => code ^ 128), scales, zeroPoints: zeros.map((zero) => zero ^ 128) };
  };
  return { ...tensor, unsigned: true, asymmetric: true, load };
}

/** Runtimes like codes from 0 on best. */
function unsigned({ scale, zeroPoint, least, most }: ActivationCodes): ActivationCodes {
  return { scale, zeroPoint: zeroPoint + 128, least: least + 128, most: most + 128 };
}

function smoothed(tensor: LazyTensor, factors: StoredFactors): LazyTensor {
  const { dtype, shape } = tensor;
  const read: LazyTensor["read"] = async (first, end) => {
    const floats = widen(dtype, await tensor.read(first, end));
    return narrow(dtype, multiplied(floats, shape, factors, first));
  };
  return { ...tensor, read };
}
