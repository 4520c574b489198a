import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { field, type Segment } from "./segments.ts";
import { ATTRIBUTE, NODE, TENSOR, TYPE, VALUE } from "./types.ts";

// Messages of onnx.proto, made new.

/** AttributeProto.AttributeType */
const KIND = { float: 1, integer: 2, text: 3, integers: 7 } as const;

export interface NewNode {
  readonly operator: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Whole numbers become integers: a float of such a value is given as `{ float }`. */
  readonly attributes?: Readonly<Record<string, number | string | readonly number[] | { readonly float: number }>>;
  readonly domain?: string;
}

function text(writer: BinaryWriter, number: number, value: string): void {
  writer.tag(number, WireType.LengthDelimited).string(value);
}

/** A NodeProto. */
export function nodeMessage({ operator, name, inputs, outputs, attributes = {}, domain }: NewNode): Uint8Array {
  const writer = new BinaryWriter();
  for (const input of inputs) text(writer, NODE.input, input);
  for (const output of outputs) text(writer, NODE.output, output);
  text(writer, NODE.name, name);
  text(writer, NODE.operator, operator);
  for (const [key, value] of Object.entries(attributes)) {
    writer.tag(NODE.attribute, WireType.LengthDelimited).fork();
    text(writer, ATTRIBUTE.name, key);
    let kind: number = KIND.integer;
    if (typeof value === "string") {
      kind = KIND.text;
      text(writer, ATTRIBUTE.text, value);
    } else if (Array.isArray(value)) {
      kind = KIND.integers;
      for (const each of value) writer.tag(ATTRIBUTE.integers, WireType.Varint).int64(BigInt(each));
    } else if (typeof value === "object") {
      kind = KIND.float;
      writer.tag(ATTRIBUTE.float, WireType.Bit32).float((value as { float: number }).float);
    } else writer.tag(ATTRIBUTE.integer, WireType.Varint).int64(BigInt(value));
    writer.tag(ATTRIBUTE.type, WireType.Varint).int32(kind).join();
  }
  if (domain) text(writer, NODE.domain, domain);
  return writer.finish();
}

/** A TensorProto with its elements as raw_data. @param type - as onnx.proto numbers them */
export function tensorMessage(name: string, type: number, shape: readonly number[], data: Segment): Segment[] {
  const writer = new BinaryWriter();
  for (const extent of shape) writer.tag(TENSOR.dims, WireType.Varint).int64(BigInt(extent));
  writer.tag(TENSOR.dataType, WireType.Varint).int32(type);
  text(writer, TENSOR.name, name);
  return [{ bytes: writer.finish() }, ...field(TENSOR.raw, [data])];
}

/**
 * A ValueInfoProto.
 * @param type - 0: the runtime finds it out, as it can for outputs
 * @param shape - -1 for free extents; null: not said
 */
export function valueMessage(name: string, type: number, shape: readonly number[] | null): Uint8Array {
  const writer = new BinaryWriter();
  text(writer, VALUE.name, name);
  if (type === 0) return writer.finish();
  writer.tag(VALUE.type, WireType.LengthDelimited).fork().tag(TYPE.tensor, WireType.LengthDelimited).fork();
  writer.tag(TYPE.element, WireType.Varint).int32(type);
  if (shape) {
    writer.tag(TYPE.shape, WireType.LengthDelimited).fork();
    for (const extent of shape) {
      writer.tag(TYPE.dimension, WireType.LengthDelimited).fork();
      if (extent >= 0) writer.tag(TYPE.extent, WireType.Varint).int64(BigInt(extent));
      writer.join();
    }
    writer.join();
  }
  return writer.join().join().finish();
}
