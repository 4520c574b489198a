// Entry `quern/engine/tfjs`: models that TensorFlow.js runs and trains.
export { tfjsEngine } from "./tfjs/engine.ts";
export type { TfjsFiles, TfjsHandler, TfjsModel } from "./tfjs/model.ts";
export type { RuntimeOptions, TfjsModules } from "./tfjs/runtime.ts";
