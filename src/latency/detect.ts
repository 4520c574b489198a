import { browserMachine } from "./browser.ts";
import { now } from "./checks.ts";
import { type Environment, type Facts, newEnvironment, type RuntimeName } from "./environment.ts";
import { processMachine, processOf } from "./host.ts";
import { wasmFeatures } from "./wasm.ts";

// This environment.

export interface DetectOptions {
  /** What an engine says in `runtime`, such as "onnxruntime-web 1.30.0", for one thread; or its parts, where `threads` are 1 by default. */
  readonly runtime:
    | string
    | { readonly name: RuntimeName; readonly version: string; readonly threads?: number | undefined };
  /** Default: the runtime and where it runs */
  readonly name?: string | undefined;
  /** Bits per second. */
  readonly bandwidth?: number | undefined;
  /** Milliseconds. */
  readonly roundTrip?: number | undefined;
  /** The CPU's name, which browsers do not tell. */
  readonly cpu?: string | undefined;
}

/**
 * Looks at where this runs: Node, Deno, Bun or a browser. Takes milliseconds, measures nothing, and asks no other machine.
 * @throws DataError for a runtime or an option that no environment can have
 */
export async function detectEnvironment(options: DetectOptions): Promise<Environment> {
  const process = processOf();
  const machine = process ? processMachine(process) : await browserMachine();
  const runtime = runtimeOf(options.runtime);
  const { host, os } = machine;
  return newEnvironment({
    name:
      options.name ??
      `${runtime.name} in ${host.name} ${host.version.split(".")[0]} on ${os.name} ${os.arch ?? ""}`.trim(),
    date: now(),
    runtime,
    ...machine,
    cpu: options.cpu === undefined ? machine.cpu : { ...machine.cpu, model: options.cpu },
    wasm: wasmFeatures(),
    line: { bandwidth: options.bandwidth ?? null, roundTrip: options.roundTrip ?? null },
  });
}

/** What engines call TensorFlow.js: "tfjs 4.22.0 wasm". */
const TFJS = /^tfjs (\S+) wasm$/;

function runtimeOf(runtime: DetectOptions["runtime"]): Facts["runtime"] {
  if (typeof runtime !== "string") return { ...runtime, threads: runtime.threads ?? 1 };
  const [name, version = ""] = runtime.replace(TFJS, "tfjs-wasm $1").split(" ") as [RuntimeName, string?];
  return { name, version, threads: 1 };
}
