import type { ByteSource } from "../../bytes.ts";
import { printed } from "../../errors.ts";
import type { TensorInfo } from "../../tensor.ts";
import { listSpan } from "../json.ts";
import { marksOf, parseGraph } from "./graph.ts";
import { bad, readModelJson } from "./manifest.ts";
import { dtypeWord } from "./words.ts";

// A model.json without its weights: the manifest names no files, and has only what tensors of a .quern file cannot say of themselves.

/** What every weight says, and the tensor of a .quern file too. */
const KNOWN = ["name", "shape", "dtype", "quantization"];

/**
 * The text of a model.json with an empty weightsManifest; weights that say more than what they are (such as that they are the optimizer's)
 * keep that, by name.
 * @throws FormatError
 */
export async function detachTfjs(source: ByteSource): Promise<Uint8Array> {
  const { text, groups } = await readModelJson(source);
  const marked: Record<string, unknown>[] = [];
  for (const { entry } of groups.flatMap(({ weights }) => weights)) {
    const more = Object.entries(entry).filter(([key]) => !KNOWN.includes(key));
    if (more.length > 0) marked.push({ name: entry.name, ...Object.fromEntries(more) });
  }
  return withManifest(text, marked.length > 0 ? [{ paths: [], weights: marked }] : []);
}

/**
 * A model.json again, of what detachTfjs made and the tensors that belong to it: one group of weights, whose files are still to be written.
 * @throws FormatError; DataError for a tensor that TensorFlow.js has no dtype for
 */
export function attachTfjs(graph: Uint8Array, tensors: readonly TensorInfo[]): Uint8Array {
  const { text, value } = parseGraph(graph);
  if (!Array.isArray(value.weightsManifest)) throw bad("weightsManifest", "a list", printed(value.weightsManifest));
  const marks = marksOf(value);
  const weights = tensors.map((tensor) => {
    const { name, shape } = tensor;
    return { ...marks.get(name), name, shape, dtype: dtypeWord(tensor) };
  });
  return withManifest(text, [{ paths: [], weights }]);
}

function withManifest(text: string, manifest: readonly object[]): Uint8Array {
  const [start, end] = listSpan(text, "weightsManifest");
  return new TextEncoder().encode(text.slice(0, start) + JSON.stringify(manifest) + text.slice(end));
}
