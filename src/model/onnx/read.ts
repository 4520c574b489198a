import type { ByteSource, Folder } from "../../bytes.ts";
import type { LazyTensor, Model } from "../../tensor.ts";
import { originOf, tensorOf } from "./elements.ts";
import { readInitializers, readModelFields } from "./graph.ts";
import { walkOver } from "./wire.ts";

/**
 * Reads the initializers of an ONNX model's graph, in the order of the file; elements are read when asked for. Only tags and lengths of
 * the rest are looked at. Tensors inside nodes (Constant, subgraphs) and sparse initializers are not read. The metadata are metadata_props.
 * @param folder - where the files of external data are
 * @throws FormatError; DataError if there are external data and no folder
 */
export async function readOnnx(source: ByteSource, folder?: Folder): Promise<Model> {
  const walk = walkOver(source);
  const { graph, metadata } = await readModelFields(walk);
  const origin = originOf(source, folder);
  const tensors: LazyTensor[] = [];
  for (const initializer of await readInitializers(walk, graph)) tensors.push(await tensorOf(origin, initializer));
  return { tensors, metadata: metadata.size > 0 ? Object.fromEntries(metadata) : null };
}
