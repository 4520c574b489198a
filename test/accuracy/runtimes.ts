import * as node from "onnxruntime-node";
import * as web from "onnxruntime-web";

// What the tests hand to the engines.

web.env.wasm.numThreads = 1;

/** onnxruntime-web, and the native package where the tests have it too. */
export const onnxRuntimes = [
  ["onnxruntime-web", web],
  ["onnxruntime-node", node],
] as const;
