import type { OnnxRuntime } from "../../../src/engine/onnx/runtime.ts";

/** Where the server has the runtime: the build for one thread and more on the CPU, which is what Node gets too. */
const FOLDER = "/ort/";

/** The page's ONNX Runtime, of one thread. */
export async function loadRuntime(): Promise<OnnxRuntime> {
  const ort = await import(`${FOLDER}ort.wasm.min.mjs`);
  Object.assign(ort.env.wasm, { numThreads: 1, wasmPaths: new URL(FOLDER, location.href).href });
  return ort;
}
