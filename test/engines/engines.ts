import { execFile, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { getQuickJS } from "quickjs-emscripten";
import type { Hashes } from "./cases.ts";

// How each engine is started, and what it says.

export interface Decoded {
  readonly tier: string;
  readonly hashes: Hashes;
}

const HERE = fileURLToPath(new URL(".", import.meta.url));
export const ENGINES = {
  hermes: join(HERE, "node_modules/hermes-engine-cli/linux64-bin/hermes"),
  bun: join(HERE, "node_modules/.bin/bun"),
  deno: join(HERE, "node_modules/.bin/deno"),
  workerd: join(HERE, "node_modules/.bin/workerd"),
  node: process.execPath,
  // Nodes of other versions, by the names that package.json has for them.
  "node-22": join(HERE, "node_modules/node-22/bin/node"),
  "node-24": join(HERE, "node_modules/node-24/bin/node"),
  "node-26": join(HERE, "node_modules/node-26/bin/node"),
  duktape: "duk",
  chromium: "/usr/bin/chromium",
} as const;

/** What a command prints; rejects with its errors if it fails. */
export function output(command: string, ...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { encoding: "utf8", maxBuffer: 1 << 26, timeout: 60_000 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${command}: ${stderr || stdout || error.message}`));
      else resolve(stdout);
    });
  });
}

/** Of a package of this folder. */
export function versionOf(name: string): string {
  return JSON.parse(readFileSync(join(HERE, "node_modules", name, "package.json"), "utf8")).version;
}

/** Why an engine of the system is not tested; "" if it is there. */
export async function missing(name: string, command: string, ...args: string[]): Promise<string> {
  const absent = command.startsWith("/")
    ? !existsSync(command)
    : await output(command, ...args).then(
        () => false,
        () => true,
      );
  return absent ? `${name} is not installed (apt-get install ${name})` : "";
}

/** A folder for the time of a task. */
export async function inFolder<T>(task: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "quern-engine-"));
  try {
    return await task(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs a program that prints one line of JSON. */
export function runFile<T = Decoded>(name: string, code: string, command: string, ...args: string[]): Promise<T> {
  return inFolder(async (folder) => {
    const file = join(folder, name);
    await writeFile(file, code);
    return JSON.parse(await output(command, ...args, file)) as T;
  });
}

/** What a script prints in QuickJS, which is given a clock as well. */
export async function quickJsOutput(code: string): Promise<string> {
  const quickJs = await getQuickJS();
  const context = quickJs.newContext();
  let printed = "";
  const given = {
    print: context.newFunction("print", (text) => {
      printed = context.getString(text);
    }),
    now: context.newFunction("now", () => context.newNumber(performance.now())),
  };
  for (const [name, value] of Object.entries(given)) {
    context.setProp(context.global, name, value);
    value.dispose();
  }
  const result = context.evalCode(code);
  if (result.error) throw new Error(`QuickJS: ${JSON.stringify(context.dump(result.error))}`);
  result.value.dispose();
  // What promises do when the script is at its end.
  const jobs = context.runtime.executePendingJobs();
  if (jobs.error) throw new Error(`QuickJS: ${JSON.stringify(context.dump(jobs.error))}`);
  jobs.dispose();
  context.dispose();
  return printed;
}

const WORKERD_CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "net", network = (allow = ["private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]
);
const worker :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "worker.js"),
    (name = "quern.simd.wasm", wasm = embed "quern.simd.wasm"),
  ],
  compatibilityDate = "2025-01-01",
  globalOutbound = "net",
);
`;

/** Serves a worker for one request, and gives what it answers. */
export function runWorkerd<T>(code: string, wasm: string): Promise<T> {
  return inFolder(async (folder) => {
    await writeFile(join(folder, "worker.js"), code);
    await writeFile(join(folder, "quern.simd.wasm"), await readFile(wasm));
    await writeFile(join(folder, "config.capnp"), WORKERD_CONFIG);
    const server = spawn(ENGINES.workerd, ["serve", "--control-fd=1", join(folder, "config.capnp")]);
    try {
      const port = await new Promise<number>((resolve, reject) => {
        let errors = "";
        server.stderr.on("data", (data) => (errors += data));
        server.stdout.on("data", (data) => resolve(JSON.parse(String(data).split("\n")[0] ?? "").port));
        server.on("exit", () => reject(new Error(`workerd: ${errors}`)));
        server.on("error", reject);
      });
      const answer = await fetch(`http://127.0.0.1:${port}/`);
      const text = await answer.text();
      if (!answer.ok) throw new Error(`workerd: ${text}`);
      return JSON.parse(text);
    } finally {
      server.kill();
    }
  });
}
