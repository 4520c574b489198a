import { basename, dirname, extname, join, resolve } from "node:path";
import { type ByteSource, bytesSource } from "../bytes.ts";
import type { QuernFile } from "../container/reader.ts";
import { writeGguf } from "../model/gguf/write.ts";
import { writeOnnx } from "../model/onnx/write.ts";
import type { WriteOptions } from "../model/pieces.ts";
import { formatOf } from "../model/recognise.ts";
import { writeSafetensors } from "../model/safetensors.ts";
import { attachTfjs } from "../model/tfjs/detach.ts";
import { writeTfjs } from "../model/tfjs/write.ts";
import { parseSteps } from "../plan.ts";
import { quantizing } from "../strategy/sharing.ts";
import { isBlocks, type Model } from "../tensor.ts";
import { localName, withSinks, withSource } from "./files.ts";
import { writeIntegers } from "./integers.ts";
import { quantizedTensor } from "./quantized.ts";
import { UsageError } from "./terminal.ts";

// Into which format a .quern file is unpacked, and how.

export const TARGETS = ["safetensors", "gguf", "onnx", "tfjs"] as const;
export type Target = (typeof TARGETS)[number];
export const AS = ["original", "f32", "quantized"] as const;

export interface UnpackFlags {
  output?: string;
  to?: Target;
  graph?: string;
  as?: (typeof AS)[number];
  readonly weightsOnly?: boolean;
}

/** What is written, and where. */
export interface Unpacking {
  readonly target: Target;
  readonly output: string;
  readonly as: (typeof AS)[number];
  /** Codes of activations are left out. */
  readonly weightsOnly: boolean;
  /** The file that has the rest of an ONNX or TensorFlow.js model; undefined: the .quern file has it. */
  readonly graph: string | undefined;
}

const EXTENSIONS: Record<string, Target> = { ".gguf": "gguf", ".onnx": "onnx", ".json": "tfjs" };

/** @throws UsageError for flags that do not fit together, and says which would */
export function unpackingOf(input: string, flags: UnpackFlags): Unpacking {
  const { output, to, graph, as = "original", weightsOnly = false } = flags;
  const target = to ?? EXTENSIONS[extname(output ?? "").toLowerCase()] ?? "safetensors";
  if (graph && target !== "onnx" && target !== "tfjs")
    throw new UsageError(`--graph is for --to onnx and --to tfjs, not for ${target}`);
  if (as === "quantized" && target !== "onnx" && target !== "gguf")
    throw new UsageError(`--as quantized is for --to onnx and --to gguf, not for ${target}`);
  if (weightsOnly && (as !== "quantized" || target !== "onnx"))
    throw new UsageError("--weights-only is for --to onnx --as quantized, which writes codes of activations too");
  if (target === "tfjs" && !output) {
    throw new UsageError("a TensorFlow.js model is several files: name the first with -o FOLDER/model.json");
  }
  const path = output ?? `${localName(input).replace(/\.quern$/, "")}.${target}`;
  for (const kept of [input, graph ?? input]) {
    if (resolve(path) === resolve(kept)) throw new UsageError(`the output would replace ${kept}: name another with -o`);
  }
  if (target === "tfjs" && graph && dirname(resolve(path)) === dirname(resolve(graph))) {
    throw new UsageError(
      `the shards would replace those of ${graph}: write into another folder with -o FOLDER/model.json`,
    );
  }
  return { target, output: path, as, weightsOnly, graph };
}

/** What was written. */
export interface Written {
  readonly bytes: number;
  /** Under --as quantized, names of tensors that are quantized in the output, and of those that are floats because it cannot have them so. */
  readonly quantized?: readonly string[];
  readonly floats?: readonly string[];
  /** Units whose inputs are codes in the output. */
  readonly units?: number;
}

/** Writes the file's tensors. @returns what to tell the user */
export async function writeUnpacked(file: QuernFile, unpacking: Unpacking, options: WriteOptions): Promise<Written> {
  const { target, output, as, graph, weightsOnly } = unpacking;
  const model = file.model(target === "onnx" && as === "quantized" ? "original" : as);
  return withSinks(async (create) => {
    if (target === "safetensors") return { bytes: await writeSafetensors(model, await create(output), options) };
    if (target === "gguf") {
      const bytes = await writeGguf(model, await create(output), options);
      return as === "quantized" ? { bytes, ...blocksIn(file, model) } : { bytes };
    }
    return withGraph(file, target, graph, async (original) => {
      if (target === "onnx") {
        if (as === "quantized" && file.activations && !weightsOnly) {
          const written = await writeIntegers(file, original, await create(output), options);
          return { ...written, units: file.activations.length };
        }
        const quantized = as === "quantized" ? (name: string) => quantizedTensor(file, name) : undefined;
        return writeOnnx(original, model, await create(output), { ...options, quantized });
      }
      const beside = (name: string) => create(join(dirname(output), name));
      return { bytes: await writeTfjs(original, model, beside, { ...options, name: basename(output) }) };
    });
  });
}

async function withGraph<T>(
  file: QuernFile,
  target: "onnx" | "tfjs",
  graph: string | undefined,
  use: (original: ByteSource) => Promise<T>,
): Promise<T> {
  if (graph !== undefined) return withSource(graph, use);
  const own = file.graph && bytesSource(file.graph);
  // A graph that is the other format's is of no use.
  if (!own || (await formatOf(own)) !== target) {
    const original = target === "onnx" ? "ONNX file" : "model.json";
    throw new UsageError(
      `${target} needs the graph that the weights belong to: give the original ${original} with --graph`,
    );
  }
  return use(target === "onnx" ? own : bytesSource(attachTfjs(file.graph as Uint8Array, file.index)));
}

function blocksIn(file: QuernFile, { tensors }: Model): Pick<Written, "quantized" | "floats"> {
  const names = (wanted: (i: number) => boolean): string[] =>
    tensors.filter((_, i) => wanted(i)).map(({ name }) => name);
  const isBlock = tensors.map(({ dtype }) => isBlocks(dtype));
  const isCodes = file.index.map(({ plan }) => quantizing(parseSteps(plan)) !== undefined);
  return { quantized: names((i) => isBlock[i] === true), floats: names((i) => isCodes[i] === true && !isBlock[i]) };
}
