import { DataError } from "../../errors.ts";
import { elementCount } from "../../tensor.ts";
import { nodeMessage, tensorMessage } from "./messages.ts";
import type { Segment } from "./segments.ts";

// Quantized weights in a graph: codes, scales and zero points as initializers, and a DequantizeLinear that makes floats of them under the
// name that the graph knows (onnx/onnx, docs/Operators.md, "DequantizeLinear").

const FLOAT = 1;
const UINT8 = 2;
const CODE_TYPES = { 4: 22, 8: 3, 16: 5 } as const;

export type CodeBits = keyof typeof CODE_TYPES;

/** Which elements share a scale: all; those of one index of `axis`; or of it, `block` neighbours in its direction. */
export interface Sharing {
  readonly axis?: number;
  readonly block?: number;
}

/** A quantized tensor: x = (code - zero point) * scale. */
export interface QuantizedTensor {
  readonly bits: CodeBits;
  /** Codes and zero points are 0..255; only of 8 bits. */
  readonly unsigned?: boolean;
  /** null: in a way that ONNX does not have; it is written as floats. */
  readonly sharing: Sharing | null;
  readonly asymmetric: boolean;
  load(): Promise<QuantizedParts>;
}

export interface QuantizedParts {
  /** Little endian; int4 two to a byte, the earlier one in the low nibble: as ONNX has them. */
  readonly codes: Uint8Array;
  /** In row-major order of the shape with the axis cut into blocks. */
  readonly scales: Float32Array;
  readonly zeroPoints: Int8Array | null;
}

/** Sharing as DequantizeLinear has it. */
export interface Granularity extends Sharing {
  readonly scaleShape: readonly number[];
  /** Version of the operator set that has it. */
  readonly opset: number;
}

/** The shape of the scales, and what the operator needs. */
export function granularityOf(shape: readonly number[], { axis, block }: Sharing, bits: CodeBits): Granularity {
  const least = bits === 8 ? 0 : 21;
  if (axis === undefined) return { scaleShape: [], opset: Math.max(least, 10) };
  if (block === undefined) return { axis, scaleShape: [shape[axis] as number], opset: Math.max(least, 13) };
  const scaleShape = shape.map((extent, i) => (i === axis ? Math.ceil(extent / block) : extent));
  return { axis, block, scaleShape, opset: 21 };
}

/** @throws DataError if the model's operator set lacks it */
export function demandOpset(name: string, { opset }: Granularity, tensor: QuantizedTensor, has: number): void {
  if (has >= opset) return;
  const type = `${tensor.unsigned ? "u" : ""}int${tensor.bits}`;
  const wish = `tensor ${JSON.stringify(name)} as ${type} needs ONNX opset ${opset}, and this model has ${has}`;
  const ways = has >= 13 ? 'pack it with "int8 channel"' : "convert the model to a newer opset";
  throw new DataError(`${wish}: ${ways}, or write its tensors as f32`);
}

/** Names of the new initializers. */
export interface Names {
  readonly codes: string;
  readonly scale: string;
  readonly zeroPoint: string;
}

/** The NodeProto that makes `output` of the initializers. */
export function dequantizeNode(output: string, names: Names, asymmetric: boolean, granularity: Granularity): Segment[] {
  const { axis, block } = granularity;
  const inputs = [names.codes, names.scale, ...(asymmetric ? [names.zeroPoint] : [])];
  const attributes = { ...(axis === undefined ? {} : { axis }), ...(block === undefined ? {} : { block_size: block }) };
  const operator = "DequantizeLinear";
  return [
    { bytes: nodeMessage({ operator, name: `${names.codes}/${operator}`, inputs, outputs: [output], attributes }) },
  ];
}

/** The initializers' TensorProtos. The quantized tensor is loaded once, and let go when its last part is written. */
export function quantizedTensors(
  tensor: QuantizedTensor,
  shape: readonly number[],
  names: Names,
  { scaleShape }: Granularity,
): Segment[][] {
  let loaded: Promise<QuantizedParts> | undefined;
  const part = (size: number, of: (parts: QuantizedParts) => Uint8Array, last: boolean): Segment => ({
    size,
    load: async () => {
      loaded ??= tensor.load();
      const bytes = of(await loaded);
      if (last) loaded = undefined;
      if (bytes.length === size) return bytes;
      throw new DataError(
        `tensor "${names.codes}" has ${bytes.length} bytes of codes, scales or zero points, expected ${size}`,
      );
    },
  });
  const type = tensor.unsigned ? UINT8 : CODE_TYPES[tensor.bits];
  const bytes = (count: number): number => Math.ceil((count * tensor.bits) / 8);
  const [count, scales] = [elementCount(shape), elementCount(scaleShape)];
  const floats = ({ scales }: QuantizedParts): Uint8Array =>
    new Uint8Array(scales.buffer, scales.byteOffset, scales.byteLength);
  const zeros = ({ zeroPoints }: QuantizedParts): Uint8Array =>
    packed(zeroPoints ?? new Int8Array(scales), tensor.bits);
  const codes = part(bytes(count), (parts) => parts.codes, false);
  const messages = [
    tensorMessage(names.codes, type, shape, codes),
    tensorMessage(names.scale, FLOAT, scaleShape, part(4 * scales, floats, !tensor.asymmetric)),
  ];
  if (tensor.asymmetric) {
    messages.push(tensorMessage(names.zeroPoint, type, scaleShape, part(bytes(scales), zeros, true)));
  }
  return messages;
}

function packed(values: Int8Array, bits: CodeBits): Uint8Array {
  if (bits === 16) return new Uint8Array(Int16Array.from(values).buffer);
  if (bits === 8) return new Uint8Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint8Array(Math.ceil(values.length / 2));
  values.forEach((value, i) => {
    out[i >> 1] = (out[i >> 1] as number) | ((value & 15) << (4 * (i & 1)));
  });
  return out;
}
