import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { transformSync } from "@swc/core";
import { type BuildOptions, build } from "esbuild";
import type { Cases } from "./cases.ts";
import type { LoadTask } from "./model.ts";
import type { BenchInput } from "./programs/bench.ts";

// Programs as engines take them: bundled, lowered to ES2019, and to ES5 for Duktape.

const PROGRAMS = fileURLToPath(new URL("programs/", import.meta.url));
const HERE = createRequire(import.meta.url);

function defined(cases: Cases): BuildOptions {
  return { define: { CASES: JSON.stringify(cases) } };
}

async function bundled(program: string, options: BuildOptions): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(PROGRAMS, `${program}.ts`)],
    bundle: true,
    write: false,
    ...options,
  });
  return outputFiles?.[0]?.text ?? "";
}

/** quern/plain and the cases as one script. */
export function plainScript(cases: Cases): Promise<string> {
  return bundled("plain", { ...defined(cases), target: "es2019", format: "iife" });
}

/** The bench as one script. */
export function benchScript(input: BenchInput): Promise<string> {
  return bundled("bench", { define: { INPUT: JSON.stringify(input) }, target: "es2019", format: "iife" });
}

/** plainScript in ES5: Hermes knows no classes. */
export async function es5Script(cases: Cases): Promise<string> {
  return transformSync(await plainScript(cases), { jsc: { target: "es5" }, isModule: false }).code;
}

/** The same behind the polyfills that Duktape needs, for methods of typed arrays and iterators. */
export async function polyfilledScript(cases: Cases): Promise<string> {
  return `${readFileSync(HERE.resolve("core-js-bundle/minified.js"), "utf8")};\n${await es5Script(cases)}`;
}

/** quern/read and the files as one module, which prints. */
export function consoleModule(cases: Cases): Promise<string> {
  return bundled("console", { ...defined(cases), target: "es2022", format: "esm" });
}

/** The module that workerd runs, beside quern.simd.wasm. */
export function workerModule(cases: Cases): Promise<string> {
  return bundled("worker", { ...defined(cases), target: "es2022", format: "esm", external: ["./quern.simd.wasm"] });
}

/** The modules of a page, by file name: what is loaded on demand is a file of its own. */
export async function pageModules(cases: Cases): Promise<Map<string, string>> {
  return modulesOf("console", defined(cases));
}

/** The modules of a page that loads from addresses, or files. */
export async function loadingModules(program: "loading.page" | "files.page", task: LoadTask) {
  return modulesOf(program, told(task));
}

/** The module that loads in Node, Bun and Deno, and the one that workerd runs beside quern.simd.wasm. */
export function loadingModule(program: "loading.node" | "loading.workerd", task: LoadTask): Promise<string> {
  const external = ["./quern.simd.wasm"];
  return bundled(program, { ...told(task), target: "es2022", format: "esm", platform: "node", external });
}

/** The script that loads in QuickJS. */
export function loadingScript(task: LoadTask): Promise<string> {
  return bundled("loading.quickjs", { ...told(task), target: "es2019", format: "iife" });
}

function told(task: LoadTask): BuildOptions {
  return { define: { TASK: JSON.stringify(task) } };
}

async function modulesOf(program: string, options: BuildOptions): Promise<Map<string, string>> {
  const { outputFiles = [] } = await build({
    entryPoints: [join(PROGRAMS, `${program}.ts`)],
    ...options,
    bundle: true,
    write: false,
    splitting: true,
    outdir: "out",
    chunkNames: "[name]-[hash]",
    target: "es2022",
    format: "esm",
  });
  return new Map(outputFiles.map(({ path, text }) => [path.replace(/.*\//, ""), text]));
}
