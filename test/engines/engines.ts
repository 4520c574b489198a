import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
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
export function runFile(name: string, code: string, command: string, ...args: string[]): Promise<Decoded> {
  return inFolder(async (folder) => {
    const file = join(folder, name);
    await writeFile(file, code);
    return JSON.parse(await output(command, ...args, file)) as Decoded;
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
  context.dispose();
  return printed;
}

const WORKERD_CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]
);
const worker :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "worker.js"),
    (name = "quern.simd.wasm", wasm = embed "quern.simd.wasm"),
  ],
  compatibilityDate = "2025-01-01",
);
`;

/** Serves a worker for one request, and gives what it answers. */
export function runWorkerd(code: string, wasm: string): Promise<{ given: Decoded; own: Decoded; refused: string }> {
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

const CHROMIUM_FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

export interface PageRun extends Decoded {
  readonly version: string;
  /** Modules that the page fetched. */
  readonly fetched: readonly string[];
}

/** Opens a page of the modules under a content security policy. */
export async function runPage(modules: ReadonlyMap<string, string>, policy: string): Promise<PageRun> {
  const fetched: string[] = [];
  const server = createServer((request, response) => {
    const name = (request.url ?? "").slice(1);
    const module = modules.get(name);
    if (module) fetched.push(name);
    response.setHeader("content-type", module ? "text/javascript" : "text/html");
    if (policy) response.setHeader("content-security-policy", policy);
    response.end(module ?? (name ? "" : '<!doctype html><script type="module" src="console.js"></script>'));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const browser = await chromium.launch({ executablePath: ENGINES.chromium, headless: true, args: CHROMIUM_FLAGS });
  try {
    const page = await browser.newPage();
    // What a policy refuses is reported on the console too, but as an error.
    const printed = page.waitForEvent("console", { predicate: (message) => message.type() === "log", timeout: 30_000 });
    const failed = new Promise<never>((_, reject) => page.on("pageerror", reject));
    await page.goto(`http://127.0.0.1:${port}/`);
    const decoded = JSON.parse((await Promise.race([printed, failed])).text()) as Decoded;
    return { ...decoded, version: browser.version(), fetched };
  } finally {
    await browser.close();
    await new Promise((resolve) => server.close(resolve));
  }
}
