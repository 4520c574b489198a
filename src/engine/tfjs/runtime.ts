import { DataError } from "../../errors.ts";
import type { Core, Layers, Tensor } from "./types.ts";

// The packages of TensorFlow.js: the caller's, or those that are installed.

/** Modules of TensorFlow.js, as `import * as` gives them; those that are missing are imported when they are needed. */
export interface TfjsModules {
  /** @tensorflow/tfjs-core */
  readonly core?: object | undefined;
  /** @tensorflow/tfjs-layers */
  readonly layers?: object | undefined;
  /** @tensorflow/tfjs-backend-wasm, which only the backend "wasm" needs */
  readonly wasm?: object | undefined;
}

export interface RuntimeOptions extends TfjsModules {
  /** "wasm" (the default), or another whose package is imported already. */
  readonly backend?: string | undefined;
  /** The folder or address with the .wasm files of the backend, with "/" at its end. Default: beside the package in Node, beside the script in pages. */
  readonly wasmFiles?: string | undefined;
}

export interface Runtime {
  readonly core: Core;
  readonly layers: Layers;
  readonly backend: string;
  /** Such as "tfjs 4.22.0 wasm". */
  readonly name: string;
  /** Runs `work` on the backend, up to where it first waits: others may have another backend then. */
  within<T>(work: () => T | Promise<T>): Promise<T>;
}

/** @throws DataError for packages that are not installed, and a backend that there is not */
export async function runtimeOf({ backend = "wasm", wasmFiles, ...modules }: RuntimeOptions): Promise<Runtime> {
  const core = (modules.core ?? (await installed("@tensorflow/tfjs-core"))) as Core;
  const layers = (modules.layers ?? (await installed("@tensorflow/tfjs-layers"))) as Layers;
  demandFunction(core, "tidy", "tfjs-core");
  demandFunction(layers, "loadLayersModel", "tfjs-layers");
  addMethods(core);
  if (backend === "wasm") {
    const wasm = modules.wasm ?? (await installed("@tensorflow/tfjs-backend-wasm"));
    demandFunction(wasm, "setWasmPaths", "tfjs-backend-wasm");
    // Sums of threads depend on how many there are.
    core.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
    if (wasmFiles) (wasm as { setWasmPaths(prefix: string): void }).setWasmPaths(wasmFiles);
  }
  const within: Runtime["within"] = async (work) => {
    if (core.getBackend() === backend) return work();
    const turn = (turns.get(core) ?? Promise.resolve()).then(async () => {
      await enter(core, backend);
      return { result: work() };
    });
    turns.set(
      core,
      turn.catch(() => undefined),
    );
    return (await turn).result;
  };
  await within(() => undefined);
  return { core, layers, backend, name: `tfjs ${core.version_core} ${backend}`, within };
}

/** The backend is one for all of a module: who wants another waits until those before have begun with theirs. */
const turns = new WeakMap<Core, Promise<unknown>>();

async function enter(core: Core, backend: string): Promise<void> {
  if (core.getBackend() === backend) return;
  const ok = await core.setBackend(backend).catch(() => false);
  if (!ok) throw new DataError(`TensorFlow.js has no backend "${backend}": import its package`);
}

/** What tfjs-layers calls as methods of tensors when it makes recurrent layers, though only the package @tensorflow/tfjs gives tensors methods. */
const METHODS = ["flatten", "stridedSlice", "sign", "transpose", "reshape"] as const;

function addMethods(core: Core): void {
  const methods = core.Tensor.prototype as unknown as Record<string, unknown>;
  const operators = core as unknown as Record<string, (x: unknown, ...more: unknown[]) => Tensor>;
  for (const name of METHODS) {
    methods[name] ??= function (this: Tensor, ...more: unknown[]) {
      return name === "flatten" ? core.reshape(this, [-1]) : operators[name]?.(this, ...more);
    };
  }
}

async function installed(name: string): Promise<object> {
  try {
    // Not a constant, so that no bundler insists on what may be absent: pages hand their modules in.
    return await import(/* @vite-ignore */ /* webpackIgnore: true */ name);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    const why = code === "ERR_MODULE_NOT_FOUND" ? "is not installed" : `cannot be loaded (${message})`;
    throw new DataError(`${name} ${why}: npm install ${name}, or give the module`);
  }
}

function demandFunction(module: object, name: string, what: string): void {
  if (typeof Object(module)[name] === "function") return;
  throw new DataError(`this is not the module ${what}: it has no ${name}`);
}
