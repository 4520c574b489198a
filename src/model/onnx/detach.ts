import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type ByteSource, type Folder, memorySink } from "../../bytes.ts";
import { bytesOf, elementCount } from "../../tensor.ts";
import { appenderTo } from "../pieces.ts";
import { originOf, tensorOf } from "./elements.ts";
import { readInitializers, readModelFields } from "./graph.ts";
import { field, type Segment, sizeOf, writeSegments } from "./segments.ts";
import { ENTRY, GRAPH, MODEL, TENSOR } from "./types.ts";
import { walkOver } from "./wire.ts";
import { withData } from "./write.ts";

// A graph without its weights: initializers say where in another file their elements are.

/** The file that the graph names. */
const LOCATION = "weights.bin";
/** What ONNX Runtime aligns tensors in memory to. */
const ALIGNMENT = 64;
/**
 * Bytes from which a tensor goes outside. Shapes, axes and scalars stay: shape inference of ONNX reads them from the graph only. It is the
 * limit that the writers of ONNX's own external data have.
 */
const LEAST = 1024;

/**
 * The bytes of an ONNX model with its initializers of at least 1024 bytes as external data: in the order of the graph, each at a multiple of
 * 64 in a file "weights.bin", in the types that they have. All bytes but those of initializers stay.
 * @throws FormatError; DataError if there are external data and no folder
 */
export async function detachOnnx(source: ByteSource, folder?: Folder): Promise<Uint8Array> {
  const walk = walkOver(source);
  const { graph } = await readModelFields(walk);
  const origin = originOf(source, folder);
  const contents: Segment[] = [];
  let [copied, end] = [graph.start, 0];
  for (const initializer of await readInitializers(walk, graph)) {
    const bytes = bytesOf(initializer.type.dtype, elementCount(initializer.shape));
    let data: Segment[];
    if (bytes >= LEAST) {
      const offset = ALIGNMENT * Math.ceil(end / ALIGNMENT);
      data = outside(offset, bytes);
      end = offset + bytes;
    } else if (initializer.external) data = await inside(await tensorOf(origin, initializer));
    else continue;
    contents.push({ copy: [copied, initializer.at] });
    contents.push(...field(GRAPH.initializer, await withData(walk, initializer, data)));
    copied = initializer.end;
  }
  contents.push({ copy: [copied, graph.end] });
  const segments = [
    { copy: [0, graph.at] } as const,
    ...field(MODEL.graph, contents),
    { copy: [graph.end, source.byteLength] } as const,
  ];
  const sink = memorySink();
  await writeSegments(source, segments, appenderTo(sink, sizeOf(segments), {}));
  return sink.bytes();
}

async function inside({ shape, read }: Awaited<ReturnType<typeof tensorOf>>): Promise<Segment[]> {
  return field(TENSOR.raw, [{ bytes: await read(0, elementCount(shape)) }]);
}

function outside(offset: number, length: number): Segment[] {
  const writer = new BinaryWriter();
  for (const [key, value] of Object.entries({ location: LOCATION, offset, length })) {
    writer.tag(TENSOR.external, WireType.LengthDelimited).fork();
    writer.tag(ENTRY.key, WireType.LengthDelimited).string(key);
    writer.tag(ENTRY.value, WireType.LengthDelimited).string(String(value)).join();
  }
  return [{ bytes: writer.tag(TENSOR.location, WireType.Varint).int32(1).finish() }];
}
