import type { Environment, RuntimeName } from "./environment.ts";
import { FACTS, type Fact } from "./supported.ts";

// What can be done where.

export const FEATURES = Object.keys(FACTS) as readonly Feature[];
export type Feature = keyof typeof FACTS;

export interface Support {
  readonly ok: boolean;
  /** In words, for either answer. */
  readonly reason: string;
}

/** Whether an environment can do this, and why. What nothing is known of, such as a feature of a newer quern, it cannot. */
export function supports(environment: Environment, feature: Feature | (string & {})): Support {
  const { runtime, wasm } = environment;
  const fact: Fact | undefined = Object.hasOwn(FACTS, feature) ? FACTS[feature as Feature][runtime.name] : undefined;
  if (!fact) return no(`nothing is known of "${feature}" in ${runtime.name}`);
  // Builds without it are shipped no more: github.com/microsoft/onnxruntime/issues/22071.
  if (needsSimd(runtime.name, runtime.version) && !wasm.simd)
    return no(`${runtime.name} ${runtime.version} runs only where WebAssembly has SIMD`);
  if (!fact.ok) return no(fact.reason);
  if (fact.since && older(runtime.version, fact.since))
    return no(`${runtime.name} has it since ${fact.since}; this is ${runtime.version}`);
  const lacks = (fact.needs ?? []).find((needed) => !wasm[needed]);
  if (lacks) return no(`WebAssembly has no ${NAMES[lacks]} there`);
  return { ok: true, reason: fact.reason };
}

const NAMES = { simd: "SIMD", relaxedSimd: "relaxed SIMD", threads: "threads with shared memory" };

function no(reason: string): Support {
  return { ok: false, reason };
}

function needsSimd(name: RuntimeName, version: string): boolean {
  return name === "onnxruntime-web" && !older(version, "1.19");
}

/** By major and minor version. */
function older(version: string, than: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [least = 0, second = 0] = than.split(".").map(Number);
  return major < least || (major === least && minor < second);
}
