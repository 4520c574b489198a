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
const SCRIPTS = ["page.ts", "pack.worker.ts", "race.worker.ts"];
const STATIC = { "index.html": "text/html; charset=utf-8", "style.css": "text/css", "icon.svg": "image/svg+xml" };

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
  for (const [name, type] of Object.entries(STATIC))
    assets.set(name === "index.html" ? "/" : `/${name}`, { type, body: await readFile(join(SITE, name)) });
  return assets;
}
