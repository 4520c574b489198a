import type { HostName } from "./environment.ts";
import type { Machine } from "./host.ts";

// What browsers tell of the machine, which is little: no model and no instructions of the CPU. navigator.connection is not asked: it says 10 Mbit/s of
// every faster line.

interface UserAgentData {
  readonly brands: readonly { readonly brand: string; readonly version: string }[];
  readonly platform: string;
  getHighEntropyValues?(hints: string[]): Promise<Readonly<Record<string, string | undefined>>>;
}
type Told = Navigator & { userAgentData?: UserAgentData; deviceMemory?: number };

export async function browserMachine(): Promise<Machine> {
  const { userAgent = "", userAgentData, hardwareConcurrency, deviceMemory, storage } = navigator as Told;
  const hints = ["architecture", "bitness", "platformVersion", "fullVersionList"];
  const more = await userAgentData?.getHighEntropyValues?.(hints).catch(() => undefined);
  const space = await storage?.estimate?.().catch(() => undefined);
  const free = space && Math.max(0, (space.quota ?? 0) - (space.usage ?? 0));
  return {
    host: browserOf(userAgent),
    os: {
      name: (userAgentData?.platform || systemOf(userAgent)).toLowerCase(),
      version: more?.platformVersion || null,
      arch: archOf(more) ?? null,
    },
    cpu: { model: null, cores: hardwareConcurrency || null, features: null },
    memory: deviceMemory ? deviceMemory * 2 ** 30 : null,
    storage: space ? { kind: "origin", free: free ?? null } : null,
  };
}

const BROWSERS: readonly [HostName, RegExp][] = [
  ["firefox", /\bFirefox\/([\d.]+)/],
  ["chromium", /\b(?:Headless)?Chrom(?:e|ium)\/([\d.]+)/],
  ["safari", /\bVersion\/([\d.]+).*\bSafari\//],
];

export function browserOf(userAgent: string): Machine["host"] {
  for (const [name, pattern] of BROWSERS) {
    const version = pattern.exec(userAgent)?.[1];
    if (version) return { name, version };
  }
  return { name: "other", version: "0" };
}

// The order matters: Android says Linux, and iPhones say Mac OS X.
const SYSTEMS = ["Android", "iPhone", "iPad", "Windows", "Macintosh", "CrOS", "Linux"];

export function systemOf(userAgent: string): string {
  const found = SYSTEMS.find((name) => userAgent.includes(name)) ?? "other";
  return { iPhone: "iOS", iPad: "iOS", Macintosh: "macOS" }[found] ?? found;
}

function archOf(more: Readonly<Record<string, string | undefined>> | undefined): string | undefined {
  const { architecture, bitness } = more ?? {};
  if (!architecture) return undefined;
  if (architecture === "x86" && bitness === "64") return "x64";
  return architecture === "arm" && bitness === "64" ? "arm64" : architecture;
}
