import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { type ByteSource, type Folder, readExactly } from "../bytes.ts";
import type { IndexEntry } from "../container/entries.ts";
import type { QuernFile } from "../container/reader.ts";
import type { Description, Edits, Engine, InputEdit } from "../engine/engine.ts";
import { type OnnxRuntime, onnxEngine } from "../engine/onnx.ts";
import { tfjsEngine } from "../engine/tfjs.ts";
import { DataError } from "../errors.ts";
import type { RuntimeName } from "../latency/environment.ts";
import { readModelJson } from "../model/tfjs/manifest.ts";
import { fileFolder } from "../node.ts";
import { floatsOf, isBlocks, isFloat } from "../tensor.ts";
import { type OpenFlags, withFile, withModel, withSource } from "./files.ts";
import { formatIn } from "./format.ts";
import { factorsIn, inputsOf, multiplied, simulationLabel } from "./simulated.ts";
import { UsageError } from "./terminal.ts";

// Models that are run, and the weights that they are run with.

export interface OpenEngine {
  readonly engine: Engine;
  /** Of its files. */
  readonly bytes: number;
}

/** A model with its runtime, whose packages have to be installed. */
export async function openEngine(path: string): Promise<OpenEngine> {
  return withSource(path, async (source) => {
    const format = await formatIn(source, path);
    const folder = fileFolder(dirname(path));
    if (format === "onnx") return { engine: await onnxModel(source, folder), bytes: source.byteLength };
    if (format === "tfjs") return tfjsModel(source, folder);
    throw new UsageError(
      `${path} is ${format}, which has no graph: a model that is run is an .onnx file, or a model.json of TensorFlow.js`,
    );
  });
}

export async function onnxModel(source: ByteSource, folder: Folder): Promise<Engine> {
  // Where its native part is missing, the other one does.
  const native = await installed("onnxruntime-node").catch(() => null);
  const ort = (native ?? (await packageNamed("onnxruntime-web"))) as OnnxRuntime;
  return onnxEngine(await readExactly(source, 0, source.byteLength), { ort, folder });
}

export async function tfjsModel(source: ByteSource, folder: Folder): Promise<OpenEngine> {
  const { value, groups } = await readModelJson(source);
  const parts: Uint8Array[] = [];
  for (const name of groups.flatMap(({ paths }) => paths)) {
    const shard = await folder.open(name);
    parts.push(await readExactly(shard, 0, shard.byteLength));
  }
  const weights = Buffer.concat(parts);
  const [core, layers] = [await packageNamed("@tensorflow/tfjs-core"), await packageNamed("@tensorflow/tfjs-layers")];
  const wasm = await packageNamed("@tensorflow/tfjs-backend-wasm");
  const engine = await tfjsEngine({ modelJson: value, weights }, { core, layers, wasm });
  return { engine, bytes: source.byteLength + weights.length };
}

/** Packages of runtimes, in the order in which openEngine prefers them. */
const RUNTIME_PACKAGES = [
  ["onnxruntime-node", "onnxruntime-node"],
  ["onnxruntime-web", "onnxruntime-web"],
  ["tfjs-wasm", "@tensorflow/tfjs-backend-wasm"],
] as const;

/** What is to be installed for a runtime. */
export function packagesOf(name: RuntimeName): string {
  return name === "tfjs-wasm" ? TFJS.map((part) => `@tensorflow/tfjs-${part}`).join(" ") : name;
}

const TFJS = ["core", "layers", "backend-wasm"];

/** The runtimes that openEngine would find here; those that cannot be loaded are not there. */
export async function installedRuntimes(): Promise<{ name: RuntimeName; version: string }[]> {
  const found: { name: RuntimeName; version: string }[] = [];
  for (const [name, from] of RUNTIME_PACKAGES) {
    // As packages tell it: modules each have another place for it, or none.
    if (await installed(from).catch(() => null)) found.push({ name, version: versionOf(from) });
  }
  return found;
}

/** The modules of a runtime that is installed here: ONNX Runtime itself, or those of TensorFlow.js by name. @throws DataError */
export async function runtimeModules(name: Exclude<RuntimeName, "quern">): Promise<object> {
  if (name !== "tfjs-wasm") return packageNamed(name);
  const [core, layers, wasm] = await Promise.all(TFJS.map((part) => packageNamed(`@tensorflow/tfjs-${part}`)));
  return { core, layers, wasm };
}

function versionOf(name: string): string {
  for (let folder = dirname(resolved(name) ?? "/"); folder !== dirname(folder); folder = dirname(folder)) {
    const path = join(folder, "package.json");
    const manifest = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : {};
    if (manifest.name === name) return manifest.version;
  }
  throw new DataError(`${name} has no package.json that names it`);
}

async function packageNamed(name: string): Promise<object> {
  const found = await installed(name);
  if (found) return found;
  throw new DataError(`${name} is not installed: npm install ${name}`);
}

/** A package of the current folder, or else one beside quern. */
async function installed(name: string): Promise<object | null> {
  const path = resolved(name);
  if (path === null) return null;
  // What a CommonJS package exports is its default.
  const module: { default?: object } = await import(pathToFileURL(path).href);
  return module.default ?? module;
}

function resolved(name: string): string | null {
  for (const from of [pathToFileURL(join(process.cwd(), "package.json")), import.meta.url]) {
    try {
      return createRequire(from).resolve(name);
    } catch {}
  }
  return null;
}

export interface Compressed {
  readonly compressed: Edits | Engine;
  readonly bytes: number;
  /** Parameters of the model that the file lacks, and that stay as they are. */
  readonly kept: readonly string[];
  /** Such as "W8A8"; null: activations stay floats. */
  readonly simulated: string | null;
}

/** What a model is compared with: another one that can be run, or weights for its own graph. */
export async function openCompressed(
  path: string,
  flags: OpenFlags,
  model: Description,
  weightsOnly = false,
): Promise<Compressed> {
  const format = await withSource(path, (source) => formatIn(source, path));
  if (format === "onnx" || format === "tfjs") {
    const { engine, bytes } = await openEngine(path);
    return { compressed: engine, bytes, kept: [], simulated: null };
  }
  const bytes = await withSource(path, async (source) => source.byteLength);
  const names = new Set(model.units.flatMap(({ parameters }) => parameters));
  const weights = await withModel(path, flags, undefined, async ({ tensors }) => {
    const read = new Map<string, Float32Array>();
    for (const tensor of tensors) {
      if (!names.has(tensor.name) || !(isFloat(tensor.dtype) || isBlocks(tensor.dtype))) continue;
      read.set(tensor.name, await floatsOf(tensor));
    }
    if (read.size === 0)
      throw new DataError(
        `${path} has no weights of this model: none of its ${tensors.length} tensors has the name of one`,
      );
    return read;
  });
  const kept = [...names].filter((name) => !weights.has(name));
  if (format !== "quern" || weightsOnly) return { compressed: { weights }, bytes, kept, simulated: null };
  const activations = await withFile(path, flags, (file) => activationsIn(file, model, weights));
  return { compressed: { weights, inputs: activations.inputs }, bytes, kept, simulated: activations.label };
}

/** What a file says of activations. Weights become those that go with it. */
async function activationsIn(file: QuernFile, model: Description, weights: Map<string, Float32Array>) {
  if (!file.activations) return { label: null, inputs: new Map<string, InputEdit>() };
  const label = simulationLabel(file, model);
  const factors = await factorsIn(file);
  for (const [name, own] of factors) {
    const { shape } = file.index.find((tensor) => tensor.name === name) as IndexEntry;
    const data = weights.get(name);
    if (data) weights.set(name, multiplied(data, shape, own));
  }
  return { label, inputs: inputsOf(file, factors) };
}
