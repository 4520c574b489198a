import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

// The files of the site, in memory.

export interface Asset {
  readonly type: string;
  readonly body: Uint8Array;
}

const SITE = fileURLToPath(new URL("site", import.meta.url));
const SCRIPTS = ["page.ts", "pack.worker.ts", "race.worker.ts", "latency.page.ts", "latency.worker.ts"];
const HTML = "text/html; charset=utf-8";
/** What each address has, and as what. */
const STATIC = [
  ["/", "index.html", HTML],
  ["/latency", "latency.html", HTML],
  ["/style.css", "style.css", "text/css"],
  ["/icon.svg", "icon.svg", "image/svg+xml"],
] as const;

/** Every file by its path, "/" the page. */
export async function siteAssets(): Promise<Map<string, Asset>> {
  const assets = new Map<string, Asset>();
  const { outputFiles } = await build({
    entryPoints: SCRIPTS.map((name) => join(SITE, name)),
    outdir: SITE,
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
  });
  for (const { path, contents } of outputFiles)
    assets.set(`/${basename(path)}`, { type: "text/javascript; charset=utf-8", body: contents });
  for (const [path, name, type] of STATIC) assets.set(path, { type, body: await readFile(join(SITE, name)) });
  return assets;
}
