// ONNX models made field by field, as onnx/onnx.proto numbers them.
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

export const part = (number, ...contents) =>
  new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(Buffer.concat(contents)).finish();
const text = (number, value) => part(number, Buffer.from(value));
const varint = (number, value) => new BinaryWriter().tag(number, WireType.Varint).int64(BigInt(value)).finish();

const bytesOf = ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength);
export const sizeOf = (sizes) => sizes.reduce((a, b) => a + b);

/** Elements as raw_data, or of floats as float_data. */
export const raw = (data) => part(9, bytesOf(data));
export const typed = (data) => part(4, bytesOf(data));

/** A TensorProto; `data` is its field, or where else it lies. */
export function initializer(name, type, dims, data) {
  const external = (entries) => Object.entries(entries).map(([key, value]) => part(13, text(1, key), text(2, value)));
  const fields = data instanceof Uint8Array ? [data] : [...external(data), varint(14, 1)];
  return Buffer.concat([...dims.map((extent) => varint(1, extent)), varint(2, type), text(8, name), ...fields]);
}

/** A node; its attributes are integers. */
export function node(operator, inputs, outputs, attributes = {}) {
  return Buffer.concat([
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, operator),
    ...Object.entries(attributes).map(([name, value]) => part(5, text(1, name), varint(3, value), varint(20, 2))),
  ]);
}

/** A model; inputs and outputs are floats. */
export function modelOf({ nodes = [], initializers = [], inputs = [], outputs = [] }) {
  const shape = (dims) => part(2, ...dims.map((extent) => part(1, varint(1, extent))));
  const floats = (...dims) => part(2, part(1, varint(1, 1), ...dims));
  const graph = [
    ...nodes.map((bytes) => part(1, bytes)),
    text(2, "g"),
    ...initializers.map((bytes) => part(5, bytes)),
    ...inputs.map(([name, dims]) => part(11, text(1, name), floats(shape(dims)))),
    ...outputs.map((name) => part(12, text(1, name), floats())),
  ];
  return new Uint8Array(Buffer.concat([varint(1, 8), part(7, ...graph), part(8, text(1, ""), varint(2, 17))]));
}
