import { bytesSource, type Model, memorySink, readTfjs, writeTfjs } from "../src/index.ts";
import { bytesOf } from "./helpers.ts";
import { memoryFolder } from "./onnx.files.ts";
import { concat } from "./reference/huffman.ts";

// TensorFlow.js models made by hand.

export interface WeightEntry {
  name?: unknown;
  shape?: unknown;
  dtype?: unknown;
  quantization?: unknown;
}

/** A model.json with one group of weights. */
export function jsonOf(weights: unknown, paths: unknown = ["w.bin"], rest: object = {}): Uint8Array<ArrayBuffer> {
  return bytesOf(new TextEncoder().encode(JSON.stringify({ ...rest, weightsManifest: [{ paths, weights }] })));
}

export function read(json: Uint8Array, files: Record<string, Uint8Array>): Promise<Model> {
  return readTfjs(bytesSource(json), memoryFolder(files));
}

export type Files = Record<string, Uint8Array<ArrayBuffer>>;

/** What writing makes, by name; sinks that were not closed are missing. */
export async function written(original: Uint8Array, model: Model, name?: string): Promise<Files> {
  const files: Files = {};
  const create = async (file: string) => {
    const sink = memorySink();
    return {
      write: sink.write,
      close: async () => {
        files[file] = bytesOf(sink.bytes());
      },
    };
  };
  const bytes = await writeTfjs(bytesSource(original), model, create, { name });
  const sizes = Object.values(files).map((file) => file.length);
  if (sizes.reduce((a, b) => a + b) !== bytes) throw new Error(`${bytes} bytes told, ${sizes} written`);
  return files;
}

export { concat };
