import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Asset } from "./bundle.ts";

// The runtime whose latencies the page measures: as it is installed for the tests of accuracy, or in another folder.

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Of the build for CPUs, which is what Node gets too. */
const FILES = {
  "ort.wasm.min.mjs": "text/javascript",
  "ort-wasm-simd-threaded.mjs": "text/javascript",
  "ort-wasm-simd-threaded.wasm": "application/wasm",
};

/** What the page is told before it measures. */
export interface LatencyFacts {
  /** The version of this quern. */
  readonly tool: string;
  /** The version of onnxruntime-web; null: there is none. */
  readonly runtime: string | null;
  /** Why there is none, and what to do then; "": there is one. */
  readonly missing: string;
}

const INSTALL = "ONNXRUNTIME_NODE_INSTALL=skip npm ci --prefix test/accuracy";
const NOT_INSTALLED = `onnxruntime-web is not installed. Where quern is, run: ${INSTALL}`;
const INSTALLED = join(ROOT, "test/accuracy/node_modules/onnxruntime-web");

/** @param given - the folder of the package onnxruntime-web */
export async function ortAssets(given?: string): Promise<{ facts: LatencyFacts; assets: Map<string, Asset> }> {
  const folder = given ?? INSTALLED;
  const { version: tool } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
  const assets = new Map<string, Asset>();
  try {
    const { version } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    for (const [name, type] of Object.entries(FILES))
      assets.set(`/ort/${name}`, { type, body: await readFile(join(folder, "dist", name)) });
    return { facts: { tool, runtime: version, missing: "" }, assets };
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT") throw error;
    const missing =
      given === undefined ? NOT_INSTALLED : `The folder given as --ort is not onnxruntime-web: there is no ${path}.`;
    return { facts: { tool, runtime: null, missing }, assets: new Map() };
  }
}
