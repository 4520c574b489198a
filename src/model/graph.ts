import type { ByteSource, Folder } from "../bytes.ts";
import { detachOnnx } from "./onnx/detach.ts";
import { formatOf } from "./recognise.ts";
import { detachTfjs } from "./tfjs/detach.ts";

/**
 * The graph of a model without its weights, for pack's option `graph`: of TensorFlow.js the model.json with an empty weightsManifest, of ONNX
 * the model with tensors of at least 1024 bytes as external data; null for formats that have no graph.
 * @param folder - with the files of an ONNX model's external data
 * @throws FormatError; DataError for external data without a folder
 */
export async function modelGraph(source: ByteSource, folder?: Folder): Promise<Uint8Array | null> {
  const format = await formatOf(source);
  if (format === "onnx") return detachOnnx(source, folder);
  return format === "tfjs" ? detachTfjs(source) : null;
}
