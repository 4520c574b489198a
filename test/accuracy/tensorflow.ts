import "@tensorflow/tfjs-backend-cpu";
import * as wasm from "@tensorflow/tfjs-backend-wasm";
import * as core from "@tensorflow/tfjs-core";
import * as layers from "@tensorflow/tfjs-layers";
import { runtimeOf } from "../../src/engine/tfjs/runtime.ts";

/** What the tests hand to the engine over TensorFlow.js. */
export const tfjs = { core, layers, wasm };

// Nets are made before there is an engine, on the backend as the engine wants it.
await runtimeOf(tfjs);
