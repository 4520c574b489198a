import { argument, DataError } from "../errors.ts";
import {
  above0,
  between,
  type Check,
  canonical,
  flag,
  moment,
  object,
  oneOf,
  orNull,
  parseJson,
  record,
  refuse,
  text,
  whole,
  words,
} from "./checks.ts";

// Where a model runs, as plain JSON.

export const RUNTIMES = ["onnxruntime-node", "onnxruntime-web", "tfjs-wasm", "quern"] as const;
/** What multiplies. "quern": the kernels of this package, which decode and do not multiply. */
export type RuntimeName = (typeof RUNTIMES)[number];

const HOSTS = ["node", "deno", "bun", "chromium", "firefox", "safari", "other"] as const;
export type HostName = (typeof HOSTS)[number];

export interface Facts {
  /** For people. */
  readonly name: string;
  /** When it was looked at: UTC, to the second. */
  readonly date: string;
  /** `threads` it computes with. */
  readonly runtime: { readonly name: RuntimeName; readonly version: string; readonly threads: number };
  readonly host: { readonly name: HostName; readonly version: string };
  /** "linux", "darwin", "windows" ...; null: the host does not tell. */
  readonly os: { readonly name: string; readonly version: string | null; readonly arch: string | null };
  readonly cpu: {
    readonly model: string | null;
    /** Logical ones. */
    readonly cores: number | null;
    /** Those of CPU_FEATURES that there are; null: the host does not tell. */
    readonly features: readonly string[] | null;
  };
  /** `threads`: shared memory can be had, which in pages needs cross-origin isolation. */
  readonly wasm: { readonly simd: boolean; readonly relaxedSimd: boolean; readonly threads: boolean };
  /** Bytes. */
  readonly memory: number | null;
  /** The line that models come over: bits per second, and milliseconds. */
  readonly line: { readonly bandwidth: number | null; readonly roundTrip: number | null };
  /** Where files can be kept, and how many bytes are free; null: nowhere. */
  readonly storage: { readonly kind: "disk" | "origin"; readonly free: number | null } | null;
}

export interface Environment extends Facts {
  readonly quern: "environment";
  readonly version: 1;
  /** The same for environments in which the same unit takes as long; see environmentId. */
  readonly id: string;
}

/** Instructions that runtimes have faster code for, as the kernel of Linux calls them. */
export const CPU_FEATURES: readonly string[] = [
  ..."sse4_1 avx avx2 fma f16c avx512f avx512bw avx512vl avx512_vnni avx512_bf16 avx_vnni amx_int8 amx_bf16".split(" "),
  ..."asimd asimdhp asimddp i8mm bf16 sve sve2".split(" "),
];

const VERSION = 1;
const NAME = text(200);
const WORD = text(64);

const FACTS: { readonly [K in keyof Facts]: Check<Facts[K]> } = {
  name: NAME,
  date: moment,
  runtime: object({ name: oneOf(RUNTIMES), version: WORD, threads: whole(1) }),
  host: object({ name: oneOf(HOSTS), version: WORD }),
  os: object({ name: WORD, version: orNull(NAME), arch: orNull(WORD) }),
  cpu: object({ model: orNull(NAME), cores: orNull(whole(1)), features: orNull(words(oneOf(CPU_FEATURES), 64)) }),
  wasm: object({ simd: flag, relaxedSimd: flag, threads: flag }),
  memory: orNull(whole(1)),
  line: object({ bandwidth: orNull(above0), roundTrip: orNull(between(0, 1e6)) }),
  storage: orNull(object({ kind: oneOf(["disk", "origin"] as const), free: orNull(whole(0)) })),
};
const checkFacts = object<Facts>(FACTS);

/** An environment of facts, with its id. @throws DataError for a fact that is none: field, expected, actual */
export function newEnvironment(facts: Facts): Environment {
  const checked = checkFacts(facts, "environment");
  return { quern: "environment", version: VERSION, id: environmentId(checked), ...checked };
}

/**
 * The environment that a JSON file holds. `id` may be left out.
 * @param field - what the environment is called in errors
 * @throws DataError for another version, and for every field that is missing, unknown or not what it should be
 */
export function parseEnvironment(json: string | object, field = "environment"): Environment {
  const given = record(typeof json === "string" ? parseJson(json, field) : json, field);
  const { quern, version, id, ...facts } = given;
  if (quern !== "environment") refuse(`${field}.quern`, '"environment"', quern);
  if (typeof version === "number" && version > VERSION)
    throw new DataError(`${field}.version: expected ${VERSION}, got ${version}: it is of a newer quern`);
  if (version !== VERSION) refuse(`${field}.version`, String(VERSION), version);
  const environment = newEnvironment(checkFacts(facts, field));
  if (id !== undefined && id !== environment.id)
    refuse(`${field}.id`, `"${environment.id}", or none: it follows from the other fields`, id);
  return environment;
}

/**
 * Two environments have the same id if nothing sets them apart that a unit's time depends on: the runtime, its version without the patch, its threads,
 * the host with its major version, the system, the CPU, and what WebAssembly has there. Names, dates, memory, line and storage do not count.
 * It begins with the runtime; the rest is FNV-1a of 64 bits over these facts as text.
 */
export function environmentId({ runtime, host, os, cpu, wasm }: Facts): string {
  const text = canonical([
    [runtime.name, runtime.version.split(".").slice(0, 2).join("."), runtime.threads],
    [host.name, host.version.split(".")[0]],
    [os.name, os.arch],
    [cpu.model, cpu.cores, cpu.features && [...cpu.features].sort()],
    [wasm.simd, wasm.relaxedSimd, wasm.threads],
  ]);
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return `${runtime.name}-${hash.toString(16).padStart(16, "0")}`;
}

export const checkId: Check<string> = (value, field) =>
  typeof value === "string" && /^[a-z-]{1,32}-[0-9a-f]{16}$/.test(value)
    ? value
    : refuse(field, "the id of an environment", value);

/** JSON for a file. */
export function printEnvironment(environment: Environment): string {
  return `${JSON.stringify(environment, null, 2)}\n`;
}

/** Of two that are the same but for names, dates and lines: the newer one, whichever comes first. */
export function newerEnvironment(a: Environment, b: Environment): Environment {
  argument(a.id === b.id, "b", `an environment with the id ${a.id}`, b.id);
  const [first, second] = [a, b].map((each) => each.date + canonical(each)) as [string, string];
  return first > second ? a : b;
}
