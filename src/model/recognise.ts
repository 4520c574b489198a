import { type ByteSource, type Folder, hex, readExactly } from "../bytes.ts";
import { DataError, FormatError } from "../errors.ts";
import type { Model } from "../tensor.ts";
import { readGguf } from "./gguf/read.ts";
import { readOnnx } from "./onnx/read.ts";
import { MODEL } from "./onnx/types.ts";
import { fieldsOf, walkOver } from "./onnx/wire.ts";
import { readSafetensors } from "./safetensors.ts";
import { readTfjs } from "./tfjs/read.ts";

// What a file is, by what is in it: names of files are not asked.

export type Format = "quern" | "safetensors" | "gguf" | "onnx" | "tfjs";

const HEAD = 16;
const BRACE = 0x7b;

/** The format of a file, from its first bytes. Its reader then says what is wrong with it, if anything is. @throws FormatError if it is none */
export async function formatOf(source: ByteSource): Promise<Format> {
  const head = await readExactly(source, 0, Math.min(HEAD, source.byteLength));
  const magic = hex(head.subarray(0, 4));
  if (magic === "8951524e") return "quern";
  if (magic === "47475546") return "gguf";
  if (head[0] === BRACE) return "tfjs";
  // The length of a header is below 2^32, and the header is JSON.
  if (head[8] === BRACE && head.subarray(4, 8).every((byte) => byte === 0)) return "safetensors";
  if (await startsLikeOnnx(source)) return "onnx";
  throw new FormatError({
    code: "format",
    offset: 0,
    field: "file",
    expected: "a .quern, safetensors, GGUF or ONNX file, or the model.json of a TensorFlow.js model",
    actual: head.length === 0 ? "an empty file" : `bytes ${hex(head.subarray(0, 8))}`,
  });
}

// ONNX has no magic. Its first field is the version of the representation, a small number, for all who write it.
async function startsLikeOnnx(source: ByteSource): Promise<boolean> {
  try {
    const { value: field } = await fieldsOf(walkOver(source), 0, source.byteLength).next();
    return field?.number === MODEL.irVersion && field.value !== null && field.value > 0n && field.value < 1000n;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

/**
 * Reads a model of any of the foreign formats, chosen by its content.
 * @param folder - with the files beside it: shards of TensorFlow.js models, external data of ONNX
 * @throws FormatError; DataError for a .quern file, which `open` reads, and for files beside it without a folder
 */
export async function readModel(source: ByteSource, folder?: Folder): Promise<Model> {
  const format = await formatOf(source);
  if (format === "safetensors") return readSafetensors(source);
  if (format === "gguf") return readGguf(source);
  if (format === "onnx") return readOnnx(source, folder);
  if (format === "quern") throw new DataError("this is a .quern file: open it");
  if (!folder)
    throw new DataError("the weights of a TensorFlow.js model lie in files beside model.json: give its folder too");
  return readTfjs(source, folder);
}
