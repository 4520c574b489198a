// Just enough protobuf to write an ONNX graph: field numbers are those of onnx.proto.

function varint(value) {
  const bytes = [];
  let rest = BigInt(value);
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    bytes.push(rest > 0n ? low | 128 : low);
  } while (rest > 0n);
  return bytes;
}

const int = (field, value) => [...varint(field << 3), ...varint(value)];
const bytes = (field, data) => [...varint((field << 3) | 2), ...varint(data.length), ...data];
const text = (field, value) => bytes(field, [...Buffer.from(value)]);

export const TYPES = { float: 1, uint8: 2, int8: 3, int4: 22 };

// A value of a type and a rank; extents are left open.
function valueInfo({ name, type, rank }) {
  const dims = Array.from({ length: rank }, (_, i) => bytes(1, text(2, `${name}${i}`))).flat();
  const tensor = [...int(1, TYPES[type]), ...bytes(2, dims)];
  return [...text(1, name), ...bytes(2, bytes(1, tensor))];
}

function attribute(name, value) {
  return [...text(1, name), ...int(3, value), ...int(20, 2)];
}

function nodeProto({ op, domain = "", inputs, output, attributes = {} }) {
  return [
    ...inputs.flatMap((name) => text(1, name)),
    ...text(2, output),
    ...text(4, op),
    ...Object.entries(attributes).flatMap(([name, value]) => bytes(5, attribute(name, value))),
    ...text(7, domain),
  ];
}

/** The bytes of a model of nodes { op, domain, inputs, output, attributes } between values { name, type, rank }. */
export function model(nodes, inputs, outputs) {
  const graph = [
    ...nodes.flatMap((node) => bytes(1, nodeProto(node))),
    ...text(2, "vectors"),
    ...inputs.flatMap((value) => bytes(11, valueInfo(value))),
    ...outputs.flatMap((value) => bytes(12, valueInfo(value))),
  ];
  const opset = (domain, version) => bytes(8, [...text(1, domain), ...int(2, version)]);
  return Uint8Array.from([...int(1, 10), ...bytes(7, graph), ...opset("", 21), ...opset("com.microsoft", 1)]);
}
