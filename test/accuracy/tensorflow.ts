import "@tensorflow/tfjs-backend-cpu";
import * as wasm from "@tensorflow/tfjs-backend-wasm";
import * as core from "@tensorflow/tfjs-core";
import * as layers from "@tensorflow/tfjs-layers";

/** What the tests hand to the engine over TensorFlow.js. */
export const tfjs = { core, layers, wasm };
