import { float, lengthField, tensor, text, varint } from "../onnx.files.ts";
import { concat } from "../reference/huffman.ts";

// Small ONNX models, made node by node.

/** TensorProto.DataType */
export const FLOAT = 1;
export const INT64 = 7;

type Attribute = number | string | readonly number[] | { readonly float: number };

export interface Builder {
  input(name: string, type: number, shape: readonly (number | string)[]): string;
  output(name: string, type?: number): void;
  /** Floats of this shape. */
  weight(name: string, shape: readonly number[], data: Float32Array): string;
  /** Elements of any type, as bytes. */
  bytesOf(name: string, type: number, shape: readonly number[], data: ArrayBufferView): string;
  /** Integers of 64 bits: one dimension of them, or a scalar. */
  integers(values: readonly number[] | number): string;
  scalar(value: number): string;
  /** Gives the name of the first output. */
  node(operator: string, inputs: readonly string[], attributes?: Record<string, Attribute>, names?: NodeNames): string;
  bytes(): Uint8Array;
}

export interface NodeNames {
  readonly name?: string;
  readonly outputs?: readonly string[];
  /** Default: ONNX's own */
  readonly domain?: string;
}

export function graphBuilder(opset = 17): Builder {
  const nodes: Uint8Array[] = [];
  const initializers: Uint8Array[] = [];
  const [inputs, outputs]: [Uint8Array[], Uint8Array[]] = [[], []];
  let count = 0;
  const add = (name: string, type: number, dims: readonly number[], data: ArrayBufferView): string => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    initializers.push(lengthField(5, tensor(name, type, dims, lengthField(9, bytes))));
    return name;
  };
  return {
    input(name, type, shape) {
      const dims = shape.map((extent) =>
        lengthField(1, typeof extent === "number" ? varint(1, extent) : text(2, extent)),
      );
      inputs.push(
        lengthField(11, text(1, name), lengthField(2, lengthField(1, varint(1, type), lengthField(2, ...dims)))),
      );
      return name;
    },
    output(name, type = FLOAT) {
      outputs.push(lengthField(12, text(1, name), lengthField(2, lengthField(1, varint(1, type)))));
    },
    weight: (name, shape, data) => add(name, FLOAT, shape, data),
    bytesOf: add,
    integers(values) {
      const list = typeof values === "number" ? [values] : values;
      const dims = typeof values === "number" ? [] : [list.length];
      return add(`integers_${count++}`, INT64, dims, BigInt64Array.from(list, BigInt));
    },
    scalar: (value) => add(`scalar_${count++}`, FLOAT, [], Float32Array.of(value)),
    node(operator, from, attributes = {}, { name, domain, outputs: to = [`${name ?? operator}_${count++}`] } = {}) {
      nodes.push(
        lengthField(
          1,
          ...from.map((value) => text(1, value)),
          ...to.map((value) => text(2, value)),
          ...(name ? [text(3, name)] : []),
          text(4, operator),
          ...(domain ? [text(7, domain)] : []),
          ...Object.entries(attributes).map(([key, value]) => attribute(key, value)),
        ),
      );
      return to[0];
    },
    bytes() {
      const graph = [...nodes, text(2, "g"), ...initializers, ...inputs, ...outputs];
      const opsets = [
        lengthField(8, text(1, ""), varint(2, opset)),
        lengthField(8, text(1, "com.microsoft"), varint(2, 1)),
      ];
      return concat(varint(1, opset > 20 ? 10 : 8), lengthField(7, ...graph), ...opsets);
    },
  };
}

function attribute(key: string, value: Attribute): Uint8Array {
  if (typeof value === "number") return lengthField(5, text(1, key), varint(3, value), varint(20, 2));
  if (typeof value === "string") return lengthField(5, text(1, key), text(4, value), varint(20, 3));
  if ("float" in value) return lengthField(5, text(1, key), float(2, value.float), varint(20, 1));
  return lengthField(5, text(1, key), ...value.map((each) => varint(8, each)), varint(20, 7));
}
