import type { ByteSink, ByteSource } from "../../bytes.ts";
import { DataError } from "../../errors.ts";
import { isFloat, type LazyTensor, type Model } from "../../tensor.ts";
import { as } from "../convert.ts";
import { listSpan } from "../json.ts";
import { pieces, tensorBytes, type WriteOptions } from "../pieces.ts";
import { readModelJson, type Weight } from "./manifest.ts";
import { dtypeWord } from "./words.ts";

/** What the converter of TensorFlow.js cuts shards at: a browser's cache takes files of 4 MB. */
const SHARD_BYTES = 4 * 1024 * 1024;

export interface TfjsOptions extends WriteOptions {
  /** Of the file that is written beside the shards. */
  name?: string | undefined;
}

interface Planned {
  readonly weight: Weight;
  readonly tensor: LazyTensor;
}

/**
 * Writes a model.json again with other weights: its text stays but for the weightsManifest, and shards of 4 MiB hold each group of weights in
 * the order of the original. F16 is written as float16 quantization; BF16 and F64 as float32. model.json is made final last.
 * @param original - the model.json that the model was read from
 * @param create - makes the sink of a file by its name
 * @returns bytes written
 * @throws FormatError if the original is malformed; DataError for a weight that one side lacks, or has in another shape or kind
 */
export async function writeTfjs(
  original: ByteSource,
  model: Model,
  create: (name: string) => Promise<ByteSink>,
  options: TfjsOptions = {},
): Promise<number> {
  const { text, groups } = await readModelJson(original);
  const planned = planOf(
    model,
    groups.map(({ weights }) => weights),
  );
  const sizes = planned.map((group) => group.reduce((sum, { tensor }) => sum + tensorBytes(tensor), 0));
  const manifest = planned.map((group, g) => ({
    paths: shardNames(g, sizes[g] as number),
    weights: group.map(entryOf),
  }));
  const [start, end] = listSpan(text, "weightsManifest");
  const json = new TextEncoder().encode(text.slice(0, start) + JSON.stringify(manifest) + text.slice(end));
  const total = sizes.reduce((sum, size) => sum + size, json.length);
  let done = 0;
  const progress = (bytes: number): void => {
    done += bytes;
    options.onProgress?.({ done, total });
  };
  const sinks: ByteSink[] = [];
  for (const [g, group] of planned.entries()) {
    const shards: ByteSink[] = [];
    for (const name of shardNames(g, sizes[g] as number)) shards.push(await create(name));
    sinks.push(...shards);
    await writeGroup(group, shards, options.signal, progress);
  }
  const head = await create(options.name ?? "model.json");
  await head.write(json, 0);
  // All or nothing, as far as files allow: no shard gets its name before everything is written.
  for (const sink of [...sinks, head]) await sink.close();
  return total;
}

function shardNames(group: number, bytes: number): string[] {
  const count = Math.max(1, Math.ceil(bytes / SHARD_BYTES));
  return Array.from({ length: count }, (_, i) => `group${group + 1}-shard${i + 1}of${count}.bin`);
}

function planOf(model: Model, groups: readonly (readonly Weight[])[]): Planned[][] {
  const tensors = new Map(model.tensors.map((tensor) => [tensor.name, tensor]));
  const planned = groups.map((weights) =>
    weights.map((weight) => {
      const tensor = tensors.get(weight.name);
      if (!tensor)
        throw new DataError(`the model has no tensor "${weight.name}", which model.json names: is it another model's?`);
      tensors.delete(weight.name);
      return { weight, tensor: fitted(weight, tensor) };
    }),
  );
  const [stranger] = tensors.keys();
  if (stranger === undefined) return planned;
  throw new DataError(`model.json has no weight "${stranger}": is it another model's?`);
}

function fitted({ name, shape, dtype }: Weight, tensor: LazyTensor): LazyTensor {
  const [has, wanted] = [tensor.shape, shape].map((extents) => extents.join(" x "));
  if (has !== wanted) throw new DataError(`tensor "${name}" is ${has}, and ${wanted} in model.json`);
  if (!isFloat(dtype)) return as(dtype, tensor, "model.json");
  return tensor.dtype === "F16" ? tensor : as("F32", tensor, "model.json");
}

function entryOf({ weight, tensor }: Planned): Record<string, unknown> {
  const { quantization: _, ...entry } = weight.entry;
  const half = tensor.dtype === "F16" ? { quantization: { dtype: "float16" } } : {};
  return { ...entry, dtype: dtypeWord(tensor), ...half };
}

async function writeGroup(
  group: readonly Planned[],
  shards: readonly ByteSink[],
  signal: AbortSignal | undefined,
  progress: (bytes: number) => void,
): Promise<void> {
  let at = 0;
  for (const { tensor } of group) {
    for await (const bytes of pieces(tensor, signal)) {
      for (let start = 0; start < bytes.length; ) {
        const room = SHARD_BYTES - (at % SHARD_BYTES);
        const part = bytes.subarray(start, start + room);
        await (shards[Math.floor(at / SHARD_BYTES)] as ByteSink).write(part, at % SHARD_BYTES);
        at += part.length;
        start += part.length;
      }
      progress(bytes.length);
    }
  }
}
