import { DataError } from "../../errors.ts";

// ONNX Runtime, as far as it is used here: the module `onnxruntime-web` or `onnxruntime-node`, of 1.17 or newer.

export interface OnnxRuntime {
  readonly InferenceSession: { create(model: Uint8Array, options?: object): Promise<OnnxSession> };
  readonly Tensor: new (type: never, data: never, dims: readonly number[]) => OnnxTensor;
  readonly env: { readonly versions: object; readonly wasm?: { numThreads?: number | undefined } };
}

export interface OnnxSession {
  run(feeds: never, fetches: never): Promise<Readonly<Record<string, unknown>>>;
  release(): Promise<void>;
}

export interface OnnxTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: unknown;
  dispose?(): void;
}

/**
 * Whether it is the native package. Where both are required as CommonJS, versions of both stand in one object, and each module makes sessions of either:
 * only what the native one exports beside tells which it is.
 */
export function isNative(ort: OnnxRuntime): boolean {
  return "listSupportedBackends" in ort || ("node" in ort.env.versions && !("web" in ort.env.versions));
}

/** "onnxruntime-web 1.30.0" */
export function runtimeName(ort: OnnxRuntime): string {
  const { web, node, common } = ort.env.versions as Record<string, string | undefined>;
  if (isNative(ort)) return `onnxruntime-node ${node}`;
  return web ? `onnxruntime-web ${web}` : `onnxruntime ${common ?? "of an unknown version"}`;
}

/** The package that is installed: the native one, else the one for all. @throws DataError where there is neither */
export async function installedRuntime(): Promise<OnnxRuntime> {
  const problems: unknown[] = [];
  for (const name of ["onnxruntime-node", "onnxruntime-web"]) {
    try {
      // Not a constant, so that no bundler insists on what may be absent: pages hand their module in.
      const module = await import(/* @vite-ignore */ /* webpackIgnore: true */ name);
      return module.InferenceSession ? module : module.default;
    } catch (error) {
      problems.push(error);
    }
  }
  const absent = problems.every((error) => (error as { code?: string }).code === "ERR_MODULE_NOT_FOUND");
  const why = absent ? "is not installed" : `cannot be loaded (${(problems.at(-1) as Error).message})`;
  throw new DataError(`ONNX Runtime ${why}: npm install onnxruntime-web, or give the module as "ort"`);
}

/**
 * A session in which nothing but the caller's threads computes.
 * @param level - "basic", for numbers that are the same each time and what was asked for: beyond it, weights of int8 behind a DequantizeLinear are multiplied
 * with activations of int8 that nobody asked for. "all" is what applications run with.
 * @throws DataError where the runtime refuses the model
 */
export async function createSession(
  ort: OnnxRuntime,
  model: Uint8Array,
  threads: number,
  level: "basic" | "all" = "basic",
): Promise<OnnxSession> {
  const { wasm } = ort.env;
  const native = isNative(ort);
  // Read once, when the runtime starts.
  if (!native && wasm && !wasm.numThreads) wasm.numThreads = threads;
  const options = {
    executionProviders: [native ? "cpu" : "wasm"],
    graphOptimizationLevel: level,
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  };
  try {
    return await ort.InferenceSession.create(model, options);
  } catch (error) {
    throw new DataError(`ONNX Runtime refuses the model: ${messageOf(error)}`);
  }
}

export function messageOf(error: unknown): string {
  return String((error as Error | undefined)?.message ?? error).slice(0, 1000);
}
