import { readFileSync } from "node:fs";
import { type Command, Option } from "commander";
import { DataError } from "../errors.ts";
import { type DetectOptions, detectEnvironment } from "../latency/detect.ts";
import { type Environment, printEnvironment, RUNTIMES, type RuntimeName } from "../latency/environment.ts";
import { measureLine } from "../latency/line.ts";
import { FEATURES, type Support, supports } from "../latency/support.ts";
import { installedRuntimes, packagesOf } from "./engines.ts";
import { writeWhole } from "./files.ts";
import { size, table } from "./print.ts";
import { type Result, runVerb, type Task, UsageError } from "./terminal.ts";

// quern env: this machine, as an environment for each runtime.

interface Flags {
  readonly json?: boolean;
  readonly output?: string;
  readonly runtime?: RuntimeName;
  readonly name?: string;
  readonly bandwidth?: string;
  readonly rtt?: string;
  readonly measure?: string;
}

export function addEnvironmentVerb(program: Command): void {
  program
    .command("env")
    .description(
      "shows this machine, the runtimes that are installed, and what they can do; saves it as an environment",
    )
    .option("--json", "one JSON object on stdout")
    .option("-o, --output <file>", "saves the environment of the first runtime that is shown as a JSON file")
    .addOption(new Option("--runtime <name>", "shows, and saves, this one only").choices(RUNTIMES))
    .option("--name <text>", "what the environment is called (default: the runtime and where it runs)")
    .option("--bandwidth <rate>", "of the line that models come over there, such as 50Mbit/s")
    .option("--rtt <time>", "its round trip, such as 20ms")
    .option("--measure <url>", "measures both with a file at this address")
    .action((flags: Flags) => runVerb(flags.json === true, (task) => environmentVerb(task, flags)));
}

async function environmentVerb({ signal }: Task, flags: Flags): Promise<Result> {
  const { measure, name, output, runtime } = flags;
  const told = { bandwidth: bandwidthOf(flags.bandwidth), roundTrip: timeOf(flags.rtt) };
  if (measure !== undefined && (told.bandwidth ?? told.roundTrip) !== undefined)
    throw new UsageError("--measure goes without --bandwidth and --rtt: it measures both");
  const line = measure === undefined ? told : await measureLine(measure, { signal });
  const found: Environment[] = [];
  for (const each of [...(await installedRuntimes()), { name: "quern" as const, version: ownVersion() }])
    found.push(await environmentAs({ runtime: each, name, bandwidth: line.bandwidth, roundTrip: line.roundTrip }));
  const environments = found.filter((each) => (runtime ?? each.runtime.name) === each.runtime.name);
  const [first] = environments;
  if (!first)
    throw new DataError(
      `${runtime} is not installed, or cannot be loaded: npm install ${packagesOf(runtime as RuntimeName)}`,
    );
  if (output !== undefined) await writeWhole(output, printEnvironment(first));
  const support = Object.fromEntries(environments.map((each) => [each.id, supportOf(each)]));
  const saved = output === undefined ? null : { file: output, id: first.id };
  return { json: { environments, support, saved }, text: () => environmentText(environments, saved) };
}

/** What is told of it can only be what options say. */
async function environmentAs(options: DetectOptions): Promise<Environment> {
  return detectEnvironment(options).catch((error) => {
    throw error instanceof DataError ? new UsageError(error.message) : error;
  });
}

/** Of this package. */
export function ownVersion(): string {
  return JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;
}

function supportOf(environment: Environment): Record<string, Support> {
  return Object.fromEntries(FEATURES.map((feature) => [feature, supports(environment, feature)]));
}

function environmentText(environments: readonly Environment[], saved: { file: string; id: string } | null): string {
  const { host, os, cpu, wasm, memory, line, storage } = environments[0] as Environment;
  const has = Object.entries({ SIMD: wasm.simd, "relaxed SIMD": wasm.relaxedSimd, threads: wasm.threads });
  const free = storage?.free == null ? "unknown" : `${size(storage.free)} free`;
  const bandwidth = line.bandwidth === null ? "bandwidth unknown" : `${(line.bandwidth / 1e6).toPrecision(3)} Mbit/s`;
  const roundTrip = line.roundTrip === null ? "round trip unknown" : `round trip ${line.roundTrip.toPrecision(3)} ms`;
  const rows = environments.map(({ name, runtime, id }) => [name, runtime.name, runtime.version, id]);
  const lacks = environments.flatMap(lacksOf);
  return [
    `host: ${host.name} ${host.version}, ${os.name} ${os.version ?? ""} ${os.arch ?? ""}`.trim(),
    `CPU: ${cpu.model ?? "unknown"}, cores: ${cpu.cores ?? "unknown"}, ${cpu.features?.join(" ") ?? "features unknown"}`,
    `WebAssembly: ${has.map(([feature, ok]) => `${ok ? "" : "no "}${feature}`).join(", ")}`,
    `memory: ${memory === null ? "unknown" : size(memory)}, storage: ${free}`,
    `line: ${bandwidth}, ${roundTrip}`,
    "",
    table(["name", "runtime", "version", "id"], rows, []),
    ...(lacks.length > 0 ? ["", table(["runtime", "cannot", "because"], lacks, [])] : []),
    ...(saved ? ["", `${saved.file}: ${saved.id}`] : []),
  ].join("\n");
}

/** What cannot be done, with all that has the same reason in one row. */
function lacksOf(environment: Environment): string[][] {
  const byReason = new Map<string, string[]>();
  for (const feature of FEATURES) {
    const { ok, reason } = supports(environment, feature);
    if (!ok) byReason.set(reason, [...(byReason.get(reason) ?? []), feature]);
  }
  return [...byReason].map(([reason, features]) => [environment.runtime.name, features.join(", "), reason]);
}

const BITS: Readonly<Record<string, number>> = { "": 1, k: 1e3, M: 1e6, G: 1e9 };

function bandwidthOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?) ?([kMG]?)bit\/s$/.exec(text) ?? [];
  const rate = Number(number) * (BITS[unit] as number);
  if (rate > 0) return rate;
  throw new UsageError(`--bandwidth expected bits per second such as 50Mbit/s, got "${text}"`);
}

const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds. @throws UsageError */
export function timeOf(text: string | undefined, flag = "--rtt"): number | undefined {
  if (text === undefined) return undefined;
  const [, number, unit] = /^(\d+(?:\.\d+)?) ?(ms|s|m|h)$/.exec(text) ?? [];
  if (number !== undefined) return Number(number) * (MILLISECONDS[unit as string] as number);
  throw new UsageError(`${flag} expected a time such as 20ms, got "${text}"`);
}
