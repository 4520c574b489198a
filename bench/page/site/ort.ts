import { messageOf, type OnnxRuntime } from "../../../src/engine/onnx/runtime.ts";

/** Where the server has the runtime: the build for one thread and more on the CPU, which is what Node gets too. */
const FOLDER = "/ort/";

/** The page's ONNX Runtime, of one thread. @throws where it cannot be loaded */
export async function loadRuntime(): Promise<OnnxRuntime> {
  const ort = await import(`${FOLDER}ort.wasm.min.mjs`);
  Object.assign(ort.env.wasm, { numThreads: 1, wasmPaths: new URL(FOLDER, location.href).href });
  await started(ort);
  return ort;
}

/** It starts with its first model, and would call that one refused: so the first is none, which only a runtime that has started refuses. */
async function started(ort: OnnxRuntime): Promise<void> {
  try {
    await ort.InferenceSession.create(new Uint8Array(), { executionProviders: ["wasm"] });
  } catch (error) {
    const [, reason] = /^no available backend found\. ERR: (.*)/s.exec(messageOf(error)) ?? [];
    if (reason !== undefined) throw new Error(`${FOLDER}ort-wasm-simd-threaded.wasm could not be loaded: ${reason}`);
  }
}
