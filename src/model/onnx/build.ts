import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type NewNode, nodeMessage, tensorMessage, valueMessage } from "./messages.ts";
import { field, type Segment } from "./segments.ts";
import { GRAPH, MODEL, OPSET } from "./types.ts";

// ONNX models that are made node by node.

/** TensorProto.DataType */
export const [FLOAT, UINT8, INT8, INT32, INT64, BOOL] = [1, 2, 3, 6, 7, 9] as const;

/** ORT's own operators, such as MatMulNBits. */
export const MICROSOFT = "com.microsoft";

export interface GraphBuilder {
  /** @param shape - texts and negative numbers are free extents */
  input(name: string, type: number, shape: readonly (number | string)[]): string;
  output(name: string, type?: number): void;
  /** Floats of this shape. */
  weight(name: string, shape: readonly number[], data: Float32Array): string;
  /** Elements of any type. */
  bytesOf(name: string, type: number, shape: readonly number[], data: ArrayBufferView): string;
  /** Integers of 64 bits: one dimension of them, or a scalar. */
  integers(values: readonly number[] | number): string;
  scalar(value: number): string;
  /** A name that nothing has yet. */
  unused(wish: string): string;
  /** Gives the name of the first output. */
  node(operator: string, inputs: readonly string[], attributes?: NewNode["attributes"], names?: NodeNames): string;
  bytes(): Uint8Array;
}

export interface NodeNames {
  readonly name?: string;
  readonly outputs?: readonly string[];
  /** Default: ONNX's own */
  readonly domain?: string;
}

/** From opset 21 on IR version 10 is needed. */
export function graphBuilder(opset = 17): GraphBuilder {
  const parts: Segment[][] = [];
  let count = 0;
  const add = (number: number, message: readonly Segment[]): unknown => parts.push(field(number, message));
  const tensor = (name: string, type: number, shape: readonly number[], data: ArrayBufferView): string => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    add(GRAPH.initializer, tensorMessage(name, type, shape, { bytes }));
    return name;
  };
  return {
    input(name, type, shape) {
      const extents = shape.map((extent) => (typeof extent === "number" ? extent : -1));
      add(GRAPH.input, [{ bytes: valueMessage(name, type, extents) }]);
      return name;
    },
    output: (name, type = FLOAT) => void add(GRAPH.output, [{ bytes: valueMessage(name, type, null) }]),
    weight: (name, shape, data) => tensor(name, FLOAT, shape, data),
    bytesOf: tensor,
    integers(values) {
      const list = typeof values === "number" ? [values] : values;
      const shape = typeof values === "number" ? [] : [list.length];
      return tensor(`integers_${count++}`, INT64, shape, BigInt64Array.from(list, BigInt));
    },
    unused: (wish) => `${wish}_${count++}`,
    scalar: (value) => tensor(`scalar_${count++}`, FLOAT, [], Float32Array.of(value)),
    node(operator, inputs, attributes = {}, { name = "", domain, outputs: to } = {}) {
      const outputs = to ?? [`${name || operator}_${count++}`];
      add(GRAPH.node, [
        { bytes: nodeMessage({ operator, name, inputs, outputs, attributes, ...(domain && { domain }) }) },
      ]);
      return outputs[0] as string;
    },
    bytes: () => modelBytes(parts.flat(), opset),
  };
}

function modelBytes(graph: readonly Segment[], opset: number): Uint8Array {
  const opsets = [
    ["", opset],
    [MICROSOFT, 1],
  ] as const;
  const segments = [
    {
      bytes: new BinaryWriter()
        .tag(MODEL.irVersion, WireType.Varint)
        .int64(opset > 20 ? 10 : 8)
        .finish(),
    },
    ...field(MODEL.graph, [...graph, ...field(GRAPH.name, [{ bytes: new TextEncoder().encode("graph") }])]),
    ...opsets.flatMap(([domain, version]) => {
      const writer = new BinaryWriter().tag(OPSET.domain, WireType.LengthDelimited).string(domain);
      return field(MODEL.opsetImport, [{ bytes: writer.tag(OPSET.version, WireType.Varint).int64(version).finish() }]);
    }),
  ];
  const pieces = segments.map((segment) => (segment as { bytes: Uint8Array }).bytes);
  const out = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}
