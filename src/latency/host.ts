import { CPU_FEATURES, type Facts } from "./environment.ts";

// What Node, Deno and Bun tell of the machine. All have `process`, and give their builtins without an import that bundlers would look for.

export type Machine = Pick<Facts, "host" | "os" | "cpu" | "memory" | "storage">;

interface Process {
  readonly versions: Readonly<Record<string, string | undefined>>;
  readonly platform: string;
  readonly arch: string;
  cwd(): string;
  /** Since Node 20.16. */
  getBuiltinModule?(name: string): object | undefined;
}
/** node:os and node:fs, as far as they are used here. */
interface Os {
  cpus(): readonly { readonly model: string }[];
  release(): string;
  totalmem(): number;
}
interface Fs {
  readFileSync(path: string, encoding: "utf8"): string;
  statfsSync(path: string): { readonly bavail: number; readonly bsize: number };
}

/** null in pages, which have no `process`, or only a shim of one. */
export function processOf(): Process | null {
  const { process } = globalThis as { process?: Process };
  return process?.versions?.node ? process : null;
}

export function processMachine(process: Process): Machine {
  const os = process.getBuiltinModule?.("node:os") as Os | undefined;
  const fs = process.getBuiltinModule?.("node:fs") as Fs | undefined;
  const { deno, bun, node } = process.versions;
  const name = deno ? "deno" : bun ? "bun" : "node";
  const cpus = told(() => os?.cpus()) ?? [];
  const info = told(() => fs?.readFileSync("/proc/cpuinfo", "utf8")) ?? null;
  return {
    host: { name, version: (deno ?? bun ?? node) as string },
    os: { name: process.platform, version: told(() => os?.release()) ?? null, arch: process.arch },
    cpu: {
      model: cpus[0]?.model.trim() || null,
      cores: cpus.length || null,
      features: info === null ? null : cpuFeatures(info),
    },
    memory: told(() => os?.totalmem()) || null,
    storage: { kind: "disk", free: told(() => freeBytes(fs?.statfsSync(process.cwd()))) ?? null },
  };
}

// Deno refuses what it was given no permission for.
function told<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

function freeBytes(found: { bavail: number; bsize: number } | undefined): number | undefined {
  return found && found.bavail * found.bsize;
}

/** Of the text of /proc/cpuinfo: "flags" of x64, "Features" of ARM. */
export function cpuFeatures(info: string): string[] | null {
  const line = /^(?:flags|Features)\s*:(.*)$/m.exec(info)?.[1];
  const has = new Set(line?.trim().split(/\s+/));
  return line === undefined ? null : CPU_FEATURES.filter((feature) => has.has(feature)).sort();
}
