import { bytesSource } from "../../bytes.ts";
import { DataError } from "../../errors.ts";
import { readModelJson } from "../../model/tfjs/manifest.ts";
import { type Graph, graphOf } from "./graph.ts";
import type { Runtime } from "./runtime.ts";
import type { Layers, LayersModel } from "./types.ts";

/** A model's files: what model.json holds, and its shards, joined in the order in which it lists them. */
export interface TfjsFiles {
  readonly modelJson: object;
  readonly weights: Uint8Array | ArrayBuffer;
}

/** What `tf.loadLayersModel` takes, such as `quernIO(...)`. */
export interface TfjsHandler {
  load(): Promise<object>;
}

/** A LayersModel of the caller's, which stays the caller's, or what one is made of. */
export type TfjsModel = object | TfjsFiles | TfjsHandler;

export interface OpenModel {
  readonly graph: Graph;
  /** For engines that are made of one model: the last that lets it go frees it, unless it is the caller's. */
  take(): void;
  letGo(): void;
}

/** @throws DataError for what is no layers model, or one that TensorFlow.js cannot load; FormatError for its model.json; what the caller's handler throws */
export async function openModel({ layers }: Runtime, model: TfjsModel): Promise<OpenModel> {
  const own = isModel(model) ? null : await loaded(layers, model);
  const opened = own ?? (model as LayersModel);
  let uses = 1;
  return {
    graph: graphOf(opened),
    take: () => {
      uses++;
    },
    letGo: () => {
      uses--;
      if (uses === 0) own?.dispose();
    },
  };
}

function isModel(model: object): model is LayersModel {
  return "layers" in model && "inputs" in model;
}

async function loaded(layers: Layers, model: object): Promise<LayersModel> {
  if ("load" in model) return layers.loadLayersModel(model as TfjsHandler);
  if (!("modelJson" in model && "weights" in model)) throw new DataError("no layers model, and no files of one");
  const artifacts = await artifactsOf(model as TfjsFiles);
  try {
    return await layers.loadLayersModel({ load: async () => artifacts });
  } catch (error) {
    throw new DataError(`TensorFlow.js cannot load the model: ${(error as Error).message}`);
  }
}

// TensorFlow.js would make a model before it finds that weights are missing, and leave it behind.
async function artifactsOf({ modelJson, weights }: TfjsFiles): Promise<object> {
  const { groups } = await readModelJson(bytesSource(new TextEncoder().encode(JSON.stringify(modelJson))));
  const listed = groups.flatMap((group) => group.weights);
  const bytes = listed.reduce((sum, weight) => sum + weight.bytes, 0);
  if (bytes !== weights.byteLength) {
    throw new DataError(`the model.json lists ${bytes} bytes of weights, got ${weights.byteLength}`);
  }
  const { weightsManifest: _, ...rest } = modelJson as { weightsManifest?: unknown };
  return { ...rest, weightSpecs: listed.map(({ entry }) => entry), weightData: bufferOf(weights) };
}

function bufferOf(bytes: Uint8Array | ArrayBuffer): ArrayBuffer {
  return bytes instanceof ArrayBuffer ? bytes : (bytes.slice().buffer as ArrayBuffer);
}
