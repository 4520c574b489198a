import { loadGraphModel } from "@tensorflow/tfjs-converter";
import type { io } from "@tensorflow/tfjs-core";
import { type LayersModel, loadLayersModel } from "@tensorflow/tfjs-layers";
import * as ort from "onnxruntime-web";
import { createSession } from "../../dist/onnx.js";
import { quernIO } from "../../dist/tfjs.js";

// Never run: that our types fit theirs.

export const handler: io.IOHandler = quernIO(new Uint8Array());
export const layers: Promise<LayersModel> = loadLayersModel(quernIO(new Blob(), { graph: "model.json" }));
export const graph = loadGraphModel(quernIO(new ArrayBuffer(0), { stream: false }));
export const session: Promise<ort.InferenceSession> = createSession(ort, new Uint8Array(), {
  session: { executionProviders: ["wasm"] },
});
