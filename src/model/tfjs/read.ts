import { type ByteSource, type Folder, readExactly } from "../../bytes.ts";
import { demand } from "../../errors.ts";
import type { LazyTensor, Model } from "../../tensor.ts";
import { bytesOf } from "../../tensor.ts";
import { type Group, type Quantization, readModelJson, type Weight } from "./manifest.ts";

/**
 * Reads the weights of a TensorFlow.js model.json and its shards, in the order of the manifest; elements are read when asked for. Weights
 * quantized to uint8 or uint16 become F32 or I32 as TensorFlow.js would make them; those quantized to float16 become F16.
 * @param folder - where the shards are
 * @throws FormatError
 */
export async function readTfjs(source: ByteSource, folder: Folder): Promise<Model> {
  const { value, groups } = await readModelJson(source);
  const tensors: LazyTensor[] = [];
  for (const group of groups) tensors.push(...(await groupTensors(group, folder)));
  const texts = ["format", "generatedBy", "convertedBy"].filter((key) => typeof value[key] === "string");
  const metadata = Object.fromEntries(texts.map((key) => [key, value[key] as string]));
  return { tensors, metadata: texts.length > 0 ? metadata : null };
}

async function groupTensors({ paths, weights }: Group, folder: Folder): Promise<LazyTensor[]> {
  const shards: ByteSource[] = [];
  for (const path of paths) shards.push(await folder.open(path));
  const source = joined(shards);
  const bytes = weights.reduce((sum, weight) => sum + weight.bytes, 0);
  demand(
    bytes === source.byteLength,
    "tfjs",
    0,
    `shards ${paths.join(", ").slice(0, 80)}`,
    `${bytes} bytes`,
    source.byteLength,
  );
  let end = 0;
  return weights.map((weight) => {
    end += weight.bytes;
    return tensorAt(source, weight, end - weight.bytes);
  });
}

/** The shards of a group as one source: a weight may lie across them. */
function joined(shards: readonly ByteSource[]): ByteSource {
  let byteLength = 0;
  const places = shards.map((shard) => {
    byteLength += shard.byteLength;
    return { shard, start: byteLength - shard.byteLength, end: byteLength };
  });
  const slice = async (start: number, end: number): Promise<Uint8Array> => {
    const out = new Uint8Array(end - start);
    for (const place of places.filter((p) => p.start < end && p.end > start)) {
      const from = Math.max(start, place.start);
      const part = await readExactly(place.shard, from - place.start, Math.min(end, place.end) - place.start);
      out.set(part, from - start);
    }
    return out;
  };
  return { byteLength, slice };
}

function tensorAt(source: ByteSource, { name, shape, dtype, quantization }: Weight, start: number): LazyTensor {
  if (!quantization || quantization.dtype === "float16") {
    const at = (element: number): number => start + bytesOf(dtype, element);
    return { name, dtype, shape, read: (first, end) => readExactly(source, at(first), at(end)) };
  }
  const width = quantization.dtype === "uint8" ? 1 : 2;
  const read = async (first: number, end: number): Promise<Uint8Array> =>
    dequantized(await readExactly(source, start + width * first, start + width * end), dtype === "I32", quantization);
  return { name, dtype, shape, read };
}

// value = q * scale + min in f64, then rounded to f32, or to the next integer (tfjs-core, io_utils.ts, decodeWeights).
function dequantized(
  stored: Uint8Array,
  integers: boolean,
  { dtype, scale, min }: Exclude<Quantization, { dtype: "float16" }>,
): Uint8Array {
  const copy = new Uint8Array(stored);
  const codes = dtype === "uint8" ? copy : new Uint16Array(copy.buffer);
  const out = integers ? new Int32Array(codes.length) : new Float32Array(codes.length);
  for (let i = 0; i < codes.length; i++) {
    const value = (codes[i] as number) * scale + min;
    out[i] = integers ? Math.round(value) : value;
  }
  return new Uint8Array(out.buffer);
}
