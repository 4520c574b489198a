import { basename, dirname, extname, join, resolve } from "node:path";
import type { QuernFile } from "../container/reader.ts";
import { writeGguf } from "../model/gguf/write.ts";
import type { QuantizedTensor, Sharing } from "../model/onnx/dequantize.ts";
import { writeOnnx } from "../model/onnx/write.ts";
import type { WriteOptions } from "../model/pieces.ts";
import { writeSafetensors } from "../model/safetensors.ts";
import { writeTfjs } from "../model/tfjs/write.ts";
import { parseSteps, type QuantizeStep, type Step } from "../plan.ts";
import { elementCount } from "../tensor.ts";
import { withSinks, withSource } from "./files.ts";
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
}

/** What is written, and where. */
export interface Unpacking {
  readonly target: Target;
  readonly output: string;
  readonly as: (typeof AS)[number];
  /** The file that has the rest of an ONNX or TensorFlow.js model. */
  readonly graph: string;
}

const EXTENSIONS: Record<string, Target> = { ".gguf": "gguf", ".onnx": "onnx", ".json": "tfjs" };

/** @throws UsageError for flags that do not fit together, and says which would */
export function unpackingOf(input: string, { output, to, graph, as = "original" }: UnpackFlags): Unpacking {
  const target = to ?? EXTENSIONS[extname(output ?? "").toLowerCase()] ?? "safetensors";
  const needsGraph = target === "onnx" || target === "tfjs";
  if (needsGraph && !graph) {
    const original = target === "onnx" ? "ONNX file" : "model.json";
    throw new UsageError(
      `${target} needs the graph that the weights belong to: give the original ${original} with --graph`,
    );
  }
  if (!needsGraph && graph) throw new UsageError(`--graph is for --to onnx and --to tfjs, not for ${target}`);
  if (as === "quantized" && target !== "onnx")
    throw new UsageError(`--as quantized is for --to onnx, not for ${target}`);
  if (target === "tfjs" && !output) {
    throw new UsageError("a TensorFlow.js model is several files: name the first with -o FOLDER/model.json");
  }
  const path = output ?? `${input.replace(/\.quern$/, "")}.${target}`;
  for (const kept of [input, graph ?? input]) {
    if (resolve(path) === resolve(kept)) throw new UsageError(`the output would replace ${kept}: name another with -o`);
  }
  if (target === "tfjs" && dirname(resolve(path)) === dirname(resolve(graph as string))) {
    throw new UsageError(
      `the shards would replace those of ${graph}: write into another folder with -o FOLDER/model.json`,
    );
  }
  return { target, output: path, as, graph: graph ?? "" };
}

/** Writes the file's tensors. @returns what to tell the user */
export async function writeUnpacked(file: QuernFile, unpacking: Unpacking, options: WriteOptions) {
  const { target, output, as, graph } = unpacking;
  const model = file.model(as === "f32" ? "f32" : "original");
  return withSinks(async (create) => {
    if (target === "safetensors") return { bytes: await writeSafetensors(model, await create(output), options) };
    if (target === "gguf") return { bytes: await writeGguf(model, await create(output), options) };
    return withSource(graph, async (original) => {
      if (target === "onnx") {
        const quantized = as === "quantized" ? (name: string) => quantizedTensor(file, name) : undefined;
        return writeOnnx(original, model, await create(output), { ...options, quantized });
      }
      const beside = (name: string) => create(join(dirname(output), name));
      return { bytes: await writeTfjs(original, model, beside, { ...options, name: basename(output) }) };
    });
  });
}

/** A tensor as it is stored, for the writer of ONNX; null if it is not quantized. */
function quantizedTensor(file: QuernFile, name: string): QuantizedTensor | null {
  const entry = file.index.find((tensor) => tensor.name === name);
  const steps = entry ? parseSteps(entry.plan) : [];
  const step = steps.find((one) => one.op === "quantize");
  if (!entry || !step) return null;
  const load = async () => {
    const { bytes, quantization } = await file.tensor(name, { as: "stored" });
    if (!quantization) throw new Error(`tensor "${name}" has a quantize step and no scales`);
    const codes = quantization.bits === 16 ? plainIntegers(bytes) : bytes;
    return { codes, scales: quantization.scales, zeroPoints: quantization.zeroPoints };
  };
  const { bits, asymmetric } = step;
  return { bits, asymmetric, sharing: steps.every(isPlain) ? sharingOf(entry.shape, step) : null, load };
}

// In a .quern file an int16 code is 256 times its high byte plus its low byte, both signed.
function plainIntegers(bytes: Uint8Array): Uint8Array {
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  const codes = Int16Array.from(
    { length: bytes.length / 2 },
    (_, i) => 256 * (signed[2 * i + 1] ?? 0) + (signed[2 * i] ?? 0),
  );
  return new Uint8Array(codes.buffer);
}

// Whether the codes are all of the tensor, and times their scales its values. Where channels were removed they are not.
function isPlain(step: Step): boolean {
  return step.op === "quantize" || step.op === "code" || (step.op === "prune" && step.by !== "removed");
}

// Groups run over the flat tensor. Where they do not divide its rows they cross them, unless there is but one.
function sharingOf(shape: readonly number[], { per, group }: QuantizeStep): Sharing | null {
  if (per === "tensor" || shape.length === 0) return {};
  if (per === "channel") return { axis: 0 };
  const last = shape.at(-1) as number;
  if (group >= elementCount(shape)) return {};
  const fits = last % group === 0 || last === elementCount(shape);
  return fits ? { axis: shape.length - 1, block: group } : null;
}
