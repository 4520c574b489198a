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
  /** The version of onnxruntime-web; null: it is not installed. */
  readonly runtime: string | null;
  /** What to do then. */
  readonly install: string;
}

const INSTALL = "ONNXRUNTIME_NODE_INSTALL=skip npm ci --prefix test/accuracy";
const INSTALLED = join(ROOT, "test/accuracy/node_modules/onnxruntime-web");

/** @param folder - of the package onnxruntime-web */
export async function ortAssets(folder = INSTALLED): Promise<{ facts: LatencyFacts; assets: Map<string, Asset> }> {
  const { version: tool } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
  const assets = new Map<string, Asset>();
  try {
    const { version } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    for (const [name, type] of Object.entries(FILES))
      assets.set(`/ort/${name}`, { type, body: await readFile(join(folder, "dist", name)) });
    return { facts: { tool, runtime: version, install: INSTALL }, assets };
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") throw error;
    return { facts: { tool, runtime: null, install: INSTALL }, assets: new Map() };
  }
}
